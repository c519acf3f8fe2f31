#include "shell/kv/hash_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "shell/sys/fd.hpp"
#include "shell/sys/os.hpp"

namespace lc::kv {

namespace {

constexpr std::size_t block = 1u << 20, max_memory = 1u << 20;

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileStamp stamp_from(const struct stat& info) {
    return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
            static_cast<std::uint64_t>(info.st_size), nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

}  // namespace

Result<FileStamp> stamp_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) return stamp_from(info);
    return fail(errno == ENOENT ? Errc::not_found : Errc::internal,
                "cannot look at " + path + ": " + sys::errno_text(errno));
}

Result<Digest> hash_file(const std::string& path, ModelHashes& hashes, const std::atomic<bool>* stop) {
    const auto fd = sys::open_cloexec(path, O_RDONLY);
    if (!fd) return tl::unexpected(fd.error());
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0)
        return fail(Errc::internal, "cannot look at " + path + ": " + sys::errno_text(errno));
    const FileStamp before = stamp_from(info);
    if (const auto known = lookup(hashes, before)) return *known;
    Sha256 hash;
    std::vector<char> buffer(block);
    while (true) {
        const ssize_t n = ::read(fd->get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Errc::internal, "cannot read " + path + ": " + sys::errno_text(errno));
        if (n == 0) break;
        if (stop && stop->load(std::memory_order_relaxed)) return fail(Errc::cancelled, "stopped");
        hash.update({buffer.data(), static_cast<std::size_t>(n)});
    }
    if (::fstat(fd->get(), &info) != 0 || stamp_from(info) != before) {
        return fail(Errc::internal, path + " changed while it was read");
    }
    const Digest digest = hash.finish();
    hashes = remember(std::move(hashes), before, digest, static_cast<std::int64_t>(sys::unix_ms()) * 1'000'000);
    return digest;
}

ModelHashes load_model_hashes(const std::string& path) {
    const auto text = sys::read_file(path, max_memory);
    return text ? parse_model_hashes(*text) : ModelHashes{};
}

Result<void> store_model_hashes(const std::string& path, const ModelHashes& hashes) {
    return sys::replace_file(path, print(hashes));
}

}  // namespace lc::kv
