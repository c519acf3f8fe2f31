// Traces come from anywhere: whatever their lines hold, reading ends with an error or a trace, and replaying that keeps
// to what holds for every trace.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/policy/plot.hpp"
#include "core/policy/read_trace.hpp"
#include "core/policy/simulate.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lc::policy;
    if (size == 0) return 0;
    const std::uint64_t capacity = 1 + data[0] % 64;
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    Trace trace;
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const auto end = std::min(rest.find('\n'), rest.size());
        (void)read_line(trace, rest.substr(0, end), number);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    finish(trace);
    const auto rows = simulate(trace, capacity, policy_names(), 1);
    for (const Row& row : rows) {
        if (row.hit_blocks > row.blocks || row.hit_blocks > rows.back().hit_blocks) std::abort();
    }
    (void)plot("x", {{0.5, rows}});
    return 0;
}
