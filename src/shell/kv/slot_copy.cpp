#include "shell/kv/slot_copy.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "shell/sys/fd.hpp"

namespace lc::kv {

namespace {

struct Unmap {
    std::size_t size = 0;
    void operator()(const char* at) const { ::munmap(const_cast<char*>(at), size); }
};
/// A file that nobody shortens: chunks never change, and a slot file is ours once the engine has answered.
struct Mapped {
    std::unique_ptr<const char, Unmap> at;
    [[nodiscard]] std::string_view bytes() const { return {at.get(), at.get_deleter().size}; }
};

Result<Mapped> map_file(const std::string& path) {
    const auto fd = sys::open_cloexec(path, O_RDONLY | O_NOFOLLOW);
    if (!fd) return tl::unexpected(fd.error());
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0 || info.st_size <= 0)
        return fail(Errc::not_found, path + " is empty or unreadable");
    const auto size = static_cast<std::size_t>(info.st_size);
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd->get(), 0);
    if (at == MAP_FAILED) return fail(Errc::internal, "cannot map " + path + ": " + sys::errno_text(errno));
    return Mapped{{static_cast<const char*>(at), Unmap{size}}};
}

/// The chunk files that hold the first tokens, mapped and verified.
struct Chunks {
    std::vector<Mapped> maps;
    std::vector<ParsedChunk> parsed;
    std::vector<ChunkFile> files;
};

Result<Chunks> map_chunks(Store& store, const State& state, std::uint32_t n_tokens) {
    const std::size_t count = (std::size_t{n_tokens} + chunk_tokens - 1) / chunk_tokens;
    if (count > state.chunk_paths.size()) return fail(Errc::bad_request, "the state has fewer tokens than wanted");
    Chunks out;
    out.parsed.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const BlobId id{BlobKind::chunk, state.manifest.chunks[i]};
        auto map = map_file(state.chunk_paths[i]);
        if (!map) {
            if (map.error().code == Errc::not_found) quarantine(store, id, map.error().detail);
            return tl::unexpected(map.error());
        }
        auto parsed = parse_chunk(map->bytes(), map->bytes().size());
        auto good = parsed ? check_rows(*parsed, map->bytes()) : Result<void>(tl::unexpected(parsed.error()));
        if (good && parsed->name != id.name) good = fail(Errc::bad_request, "damaged chunk: it has another's name");
        if (!good) {
            quarantine(store, id, good.error().detail);
            return fail(Errc::not_found, good.error().detail);
        }
        out.maps.push_back(std::move(*map));
        out.parsed.push_back(std::move(*parsed));
        out.files.push_back({&out.parsed.back(), out.maps.back().bytes()});
    }
    return out;
}

const char* cannot_cut(const SlotFile& slot, const Manifest& manifest) {
    if (slot.n_media != 0 || !manifest.media.empty()) return "it holds images or sounds";
    if (slot.sections.size() != 1) return "it has a sliding window";
    if (manifest.tokens.size() > slot.tokens.size() || manifest.tokens.size() > slot.sections[0].positions.size() ||
        !std::equal(manifest.tokens.begin(), manifest.tokens.end(), slot.tokens.begin())) {
        return "its tokens are others";
    }
    return nullptr;
}

}  // namespace

Result<std::uint64_t> write_slot_file(Store& store, const State& state, std::uint32_t n_tokens,
                                      const SlotTarget& target, const std::string& path) {
    const auto chunks = map_chunks(store, state, n_tokens);
    if (!chunks) return tl::unexpected(chunks.error());
    const auto plan = assemble_slot_file(chunks->files, n_tokens, target);
    if (!plan) return tl::unexpected(plan.error());
    const Files files = real_files();
    auto written = files.remove(path);
    if (written) written = files.write_new(path, plan->pieces);
    if (written) return plan->bytes;
    (void)files.remove(path);
    return tl::unexpected(error_of(written.error()));
}

Result<std::vector<Token>> slot_file_tokens(const SlotSave& save) {
    const auto map = map_file(save.path);
    if (!map) return tl::unexpected(map.error());
    auto slot = parse_slot_file(map->bytes(), save.extensions);
    if (!slot) return tl::unexpected(slot.error());
    if (const char* why = cannot_cut(*slot, {})) {
        return fail(Errc::bad_request, std::string("slot file cannot be cut into chunks: ") + why);
    }
    // The token sampled last may not have been decoded yet.
    slot->tokens.resize(std::min(slot->tokens.size(), slot->sections[0].positions.size()));
    return std::move(slot->tokens);
}

Result<Digest> save_slot_file(Store& store, const SlotSave& save, const Manifest& manifest, const Use& use) {
    const auto map = map_file(save.path);
    if (!map) return tl::unexpected(map.error());
    const auto slot = parse_slot_file(map->bytes(), save.extensions);
    if (!slot) return tl::unexpected(slot.error());
    if (const char* why = cannot_cut(*slot, manifest)) {
        return fail(Errc::bad_request, std::string("slot file cannot be cut into chunks: ") + why);
    }
    const SlotSection& section = slot->sections[0];
    const auto order = rows_by_position(section);
    if (!order) return tl::unexpected(order.error());
    const auto names = chunk_names(manifest.scope, manifest.tokens);
    const SaveId id = begin_save(store);
    auto put = [&]() -> Result<void> {
        std::vector<BlobId> wanted;
        for (const Digest& name : names) wanted.push_back({BlobKind::chunk, name});
        const auto absent = missing(store, id, wanted);
        if (!absent) return tl::unexpected(absent.error());
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (std::find(absent->begin(), absent->end(), wanted[i]) == absent->end()) continue;
            const auto start = static_cast<std::uint32_t>(i * chunk_tokens);
            const auto n =
                std::min<std::uint32_t>(chunk_tokens, static_cast<std::uint32_t>(manifest.tokens.size()) - start);
            const auto file = cut_chunk(map->bytes(), *slot, section, *order,
                                        {manifest.scope, i == 0 ? Digest{} : names[i - 1], {}, start, n});
            if (!file) return tl::unexpected(file.error());
            const auto head = parse_head(*file, file->size(), BlobKind::chunk);
            if (!head) return tl::unexpected(head.error());
            const std::string_view whole = *file;
            const std::string_view pieces[] = {whole.substr(0, head->header_bytes), whole.substr(head->header_bytes)};
            if (auto done = put_blob(store, id, BlobKind::chunk, pieces); !done) return tl::unexpected(done.error());
        }
        return {};
    }();
    if (put) return commit_save(store, id, manifest, use);
    abandon_save(store, id);
    return tl::unexpected(put.error());
}

}  // namespace lc::kv
