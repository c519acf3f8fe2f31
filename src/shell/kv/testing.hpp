// For tests: a file system in memory that forgets what was not synced, tears writes, and fails at a chosen step.
#pragma once

#include <cerrno>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "shell/kv/files.hpp"

namespace lc::kv::testing {

struct MemInode {
    std::string data;     ///< what readers see
    std::string durable;  ///< what a crash leaves
    bool synced = false;
};
using Inode = std::shared_ptr<MemInode>;

/// What is left of the steps that were not synced.
enum class CrashMode { keep_all, drop_all, random };

struct MemDisk {
    std::map<std::string, Inode> files, durable_files;
    std::set<std::string> dirs, durable_dirs;
    std::uint64_t capacity = ~0ull;
    int steps = 0;     ///< operations that change something, so far
    int stop_at = -1;  ///< that step and all later ones fail, half done: the machine is off
    int fail_at = -1;  ///< that one step fails with `fail_code`
    int fail_code = EIO;
    bool read_only = false;
    std::uint32_t seed = 1;

    [[nodiscard]] bool stopped() const { return stop_at >= 0 && steps > stop_at; }
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& [path, inode] : files) sum += inode->data.size();
        return sum;
    }
    [[nodiscard]] std::size_t count(const std::string& part) const {
        std::size_t n = 0;
        for (const auto& [path, inode] : files) n += path.find(part) != std::string::npos;
        return n;
    }
    static std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

    /// 0: go on. Else the errno. `half` says that the step is the one in which the machine goes off.
    int step(bool& half) {
        const int now = steps++;
        half = now == stop_at;
        if (stop_at >= 0 && now >= stop_at) return EIO;
        if (read_only) return EROFS;
        return now == fail_at ? fail_code : 0;
    }

    void crash(CrashMode mode) {
        std::mt19937 random(seed);
        const auto lucky = [&] {
            return mode == CrashMode::keep_all || (mode == CrashMode::random && random() % 2 == 0);
        };
        std::map<std::string, Inode> left = durable_files;
        for (const auto& [path, inode] : files) {
            if (const auto was = durable_files.find(path); was != durable_files.end() && was->second == inode) continue;
            if (lucky()) left[path] = inode;
        }
        for (const auto& [path, inode] : durable_files) {
            if (files.count(path) == 0 && lucky()) left.erase(path);
        }
        for (const auto& dir : dirs) {
            if (durable_dirs.count(dir) == 0 && mode != CrashMode::keep_all && !lucky()) {
                std::erase_if(left, [&](const auto& file) { return file.first.starts_with(dir + "/"); });
            } else {
                durable_dirs.insert(dir);
            }
        }
        for (auto& [path, inode] : left) {
            if (inode->synced || mode == CrashMode::keep_all) continue;
            std::string& data = inode->data;
            if (mode == CrashMode::drop_all)
                data = inode->durable;
            else if (random() % 3 == 0)
                data.resize(data.size() / 2);  // torn
            else if (random() % 2 == 0)
                data.assign(data.size(), '\0');  // length without content
            else if (!data.empty())
                data[random() % data.size()] ^= 1;
        }
        for (auto& [path, inode] : left) inode->durable = inode->data, inode->synced = true;
        files = durable_files = left;
        dirs = durable_dirs;
        steps = 0;
        stop_at = fail_at = -1;
    }
};

/// Operations on `disk`, which must outlive them.
inline Files mem_files(MemDisk& disk) {
    const auto fault = [](int code, const std::string& path) {
        return tl::unexpected(FileFault{code, "fault " + std::to_string(code) + " at " + path});
    };
    Files f;
    f.make_dir = [&disk, fault](const std::string& dir) -> FileResult<void> {
        if (disk.dirs.count(dir)) return {};
        bool half = false;
        if (const int code = disk.step(half)) return fault(code, dir);
        disk.dirs.insert(dir);
        return {};
    };
    f.write_new = [&disk, fault](const std::string& path,
                                 std::span<const std::string_view> pieces) -> FileResult<void> {
        if (disk.files.count(path)) return fault(EEXIST, path);
        if (!disk.dirs.count(MemDisk::parent(path))) return fault(ENOENT, path);
        bool half = false;
        int code = disk.step(half);
        if (code != 0 && !half && code != ENOSPC && code != EIO) return fault(code, path);
        auto inode = std::make_shared<MemInode>();
        for (const auto piece : pieces) inode->data += piece;
        if (disk.capacity != ~0ull && disk.bytes() + inode->data.size() > disk.capacity) code = ENOSPC;
        if (code != 0) inode->data.resize(inode->data.size() / 2);  // a full disk leaves a part too
        if (code == 0 || half || !disk.stopped()) disk.files[path] = inode;
        if (code != 0) return fault(code, path);
        return {};
    };
    f.sync = [&disk, fault](const std::string& path) -> FileResult<void> {
        bool half = false;
        if (const int code = disk.step(half)) return fault(code, path);
        const auto file = disk.files.find(path);
        if (file == disk.files.end()) return fault(ENOENT, path);
        file->second->durable = file->second->data;
        file->second->synced = true;
        return {};
    };
    f.sync_dir = [&disk, fault](const std::string& dir) -> FileResult<void> {
        bool half = false;
        if (const int code = disk.step(half)) return fault(code, dir);
        for (auto file = disk.durable_files.begin(); file != disk.durable_files.end();) {
            if (MemDisk::parent(file->first) == dir && !disk.files.count(file->first))
                file = disk.durable_files.erase(file);
            else
                ++file;
        }
        for (const auto& [path, inode] : disk.files) {
            if (MemDisk::parent(path) == dir) disk.durable_files[path] = inode;
        }
        for (const auto& child : disk.dirs) {
            if (MemDisk::parent(child) == dir) disk.durable_dirs.insert(child);
        }
        return {};
    };
    f.rename = [&disk, fault](const std::string& from, const std::string& to) -> FileResult<void> {
        bool half = false;
        if (const int code = disk.step(half)) return fault(code, from);
        const auto file = disk.files.find(from);
        if (file == disk.files.end() || !disk.dirs.count(MemDisk::parent(to))) return fault(ENOENT, from);
        disk.files[to] = file->second;
        disk.files.erase(from);
        return {};
    };
    f.remove = [&disk, fault](const std::string& path) -> FileResult<void> {
        bool half = false;
        if (const int code = disk.step(half)) return fault(code, path);
        disk.files.erase(path);
        return {};
    };
    f.list = [&disk](const std::string& dir) -> FileResult<std::vector<FileEntry>> {
        std::map<std::string, FileEntry> out;
        for (auto child = disk.dirs.lower_bound(dir + "/"); child != disk.dirs.end() && child->starts_with(dir + "/");
             ++child) {
            if (MemDisk::parent(*child) == dir) out[*child] = {child->substr(dir.size() + 1), true, 0};
        }
        for (auto file = disk.files.lower_bound(dir + "/");
             file != disk.files.end() && file->first.starts_with(dir + "/"); ++file) {
            if (MemDisk::parent(file->first) == dir) {
                out[file->first] = {file->first.substr(dir.size() + 1), false, file->second->data.size()};
            }
        }
        std::vector<FileEntry> list;
        for (auto& [path, entry] : out) list.push_back(std::move(entry));
        return list;
    };
    f.read = [&disk, fault](const std::string& path, std::uint64_t offset,
                            std::uint64_t max) -> FileResult<std::string> {
        if (disk.stopped()) return fault(EIO, path);
        const auto file = disk.files.find(path);
        if (file == disk.files.end()) return fault(ENOENT, path);
        const std::string& data = file->second->data;
        return offset >= data.size() ? std::string{} : data.substr(offset, max);
    };
    f.size = [&disk, fault](const std::string& path) -> FileResult<std::uint64_t> {
        const auto file = disk.files.find(path);
        if (file == disk.files.end()) return fault(ENOENT, path);
        return file->second->data.size();
    };
    f.space = [&disk](const std::string&) -> FileResult<DiskSpace> {
        return DiskSpace{disk.capacity - std::min(disk.capacity, disk.bytes()), disk.capacity};
    };
    return f;
}

}  // namespace lc::kv::testing
