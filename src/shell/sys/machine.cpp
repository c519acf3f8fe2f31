#include "shell/sys/machine.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "shell/sys/fd.hpp"

namespace lc::sys {

namespace {

constexpr std::size_t max_proc_bytes = 1 << 20;

std::optional<std::int64_t> number(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec == std::errc::result_out_of_range) return INT64_MAX;  // cgroup v1 writes 2^63-ish for "no limit"
    if (ec != std::errc()) return std::nullopt;
    return value;
}

std::string slurp(const std::string& path) {
    return read_file(path, max_proc_bytes).value_or(std::string());
}

/// The number after `key` at the start of a line.
std::optional<std::int64_t> field(std::string_view text, std::string_view key) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        if (line.starts_with(key)) return number(line.substr(key.size()));
        begin = end + 1;
    }
    return std::nullopt;
}

struct Hierarchy {
    std::string mount, path;
    bool v2 = false;
};

/// The cgroup folder that has `controller`, from /proc/self/cgroup; mount points as every distribution has them.
std::vector<Hierarchy> hierarchies(const std::string& root, std::string_view controller) {
    std::vector<Hierarchy> out;
    const std::string text = slurp(root + "/proc/self/cgroup");
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
        std::string path = line.substr(second + 1);
        if (path == "/") path.clear();
        if (names == ",,") {
            out.push_back({root + "/sys/fs/cgroup", path, true});
            out.push_back({root + "/sys/fs/cgroup/unified", path, true});
        } else if (names.find("," + std::string(controller) + ",") != std::string::npos) {
            out.push_back({root + "/sys/fs/cgroup/" + std::string(controller), path, false});
            out.push_back({root + "/sys/fs/cgroup/" + line.substr(first + 1, second - first - 1), path, false});
        }
    }
    return out;
}

/// Calls `visit(folder, v2)` for the own group and all that enclose it: each may have a limit of its own.
template <class Visit>
void each_group(const std::string& root, std::string_view controller, Visit visit) {
    for (const Hierarchy& h : hierarchies(root, controller)) {
        std::string path = h.path;
        while (true) {
            visit(h.mount + path, h.v2);
            if (path.empty()) break;
            const std::size_t slash = path.rfind('/');
            path.resize(slash == std::string::npos ? 0 : slash);
        }
    }
}

int affinity_cores() {
    // Grown until the kernel's mask fits: more than 1,024 processors exist.
    for (int bits = 1024; bits <= (1 << 20); bits *= 4) {
        cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(bits));
        if (set == nullptr) break;
        const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(bits));
        const int result = ::sched_getaffinity(0, bytes, set);
        const int count = result == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0) return count;
    }
    return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

int cores(const std::string& root) {
    double limit = affinity_cores();
    each_group(root, "cpu", [&](const std::string& folder, bool v2) {
        std::optional<std::int64_t> quota, period;
        if (v2) {
            const std::string text = slurp(folder + "/cpu.max");  // "max 100000" or "150000 100000"
            quota = number(text);
            const std::size_t space = text.find(' ');
            if (space != std::string::npos) period = number(std::string_view(text).substr(space + 1));
        } else {
            quota = number(slurp(folder + "/cpu.cfs_quota_us"));
            period = number(slurp(folder + "/cpu.cfs_period_us"));
        }
        if (quota && period && *quota > 0 && *period > 0) {
            limit = std::min(limit, static_cast<double>(*quota) / static_cast<double>(*period));
        }
    });
    // Rounded down: a thread more than the quota pays for stalls all others at ggml's barriers.
    return std::max(1, static_cast<int>(std::floor(limit)));
}

Result<std::int64_t> memory_available(const std::string& root) {
    const auto available = field(slurp(root + "/proc/meminfo"), "MemAvailable:");
    if (!available) return fail(Errc::internal, "cannot read the available memory from /proc/meminfo");
    std::int64_t out = *available * 1024;
    each_group(root, "memory", [&](const std::string& folder, bool v2) {
        const auto max = number(slurp(folder + (v2 ? "/memory.max" : "/memory.limit_in_bytes")));
        const auto used = number(slurp(folder + (v2 ? "/memory.current" : "/memory.usage_in_bytes")));
        if (!max || !used) return;  // "max", or no such controller here
        const auto cache = field(slurp(folder + "/memory.stat"), v2 ? "inactive_file " : "total_inactive_file ");
        if (*max == INT64_MAX) return;
        out = std::min(out, std::max<std::int64_t>(0, *max - *used + cache.value_or(0)));
    });
    return out;
}

std::int64_t rss_bytes(int pid) {
    const std::string text = slurp("/proc/" + std::to_string(pid) + "/statm");
    const std::size_t space = text.find(' ');
    if (space == std::string::npos) return 0;
    return number(std::string_view(text).substr(space + 1)).value_or(0) * ::sysconf(_SC_PAGESIZE);
}

std::optional<std::uint64_t> progress(int pid) {
    const std::string text = slurp("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t name_end = text.rfind(')');  // the name before it may hold anything
    if (name_end == std::string::npos) return std::nullopt;
    constexpr int major_faults = 9, user_time = 11, system_time = 12;  // behind the name, from 0
    std::uint64_t sum = 0;
    std::size_t at = name_end + 2;
    for (int i = 0; i <= system_time; ++i) {
        const std::size_t space = text.find(' ', at);
        if (space == std::string::npos) return std::nullopt;
        if (i == major_faults || i == user_time || i == system_time) {
            sum += static_cast<std::uint64_t>(number(std::string_view(text).substr(at)).value_or(0));
        }
        at = space + 1;
    }
    return sum;
}

}  // namespace lc::sys
