// The file operations of the KV store, as a value: tests give one that fails, forgets and tears (testing.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace lc::kv {

struct FileFault {
    int code = 0;        ///< errno
    std::string detail;  ///< for people
};
template <class T>
using FileResult = tl::expected<T, FileFault>;

struct FileEntry {
    std::string name;
    bool folder = false;
    std::uint64_t bytes = 0;
};

struct DiskSpace {
    std::uint64_t free = 0, total = 0;  ///< bytes; free: what this user may use
};

/// All calls block. Paths are whole paths. Files are made with mode 0600, folders with 0700.
struct Files {
    std::function<FileResult<void>(const std::string& dir)> make_dir;  ///< with parents; fine when it is there
    /// Makes a file that must not be there yet. Nothing is durable before `sync`.
    std::function<FileResult<void>(const std::string& path, std::span<const std::string_view> pieces)> write_new;
    std::function<FileResult<void>(const std::string& path)> sync;                           ///< the file's content
    std::function<FileResult<void>(const std::string& dir)> sync_dir;                        ///< the names in it
    std::function<FileResult<void>(const std::string& from, const std::string& to)> rename;  ///< replaces `to`
    std::function<FileResult<void>(const std::string& path)> remove;  ///< fine when it is not there
    std::function<FileResult<std::vector<FileEntry>>(const std::string& dir)>
        list;  ///< sorted by name; empty when missing
    /// At most `max_bytes` from `offset`; less when the file ends.
    std::function<FileResult<std::string>(const std::string& path, std::uint64_t offset, std::uint64_t max_bytes)> read;
    std::function<FileResult<std::uint64_t>(const std::string& path)> size;
    std::function<FileResult<DiskSpace>(const std::string& dir)> space;
};

[[nodiscard]] Files real_files();

/// What `[kv] max_bytes` is when it is not given: the smaller of 50 GB and a fifth of the free disk. Pure.
[[nodiscard]] std::uint64_t default_budget(std::uint64_t free_bytes);

}  // namespace lc::kv
