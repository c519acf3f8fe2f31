// What is put together from any stream is valid JSON.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.hpp"
#include "core/api/assemble.hpp"
#include "core/api/json_check.hpp"

using namespace lc;
using namespace lc::api;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    Assembly assembly(data[0] % 2 == 0 ? Dialect::chat : Dialect::completions);
    assembly.return_tokens = data[0] % 4 >= 2;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    sse::State state;
    std::vector<sse::Frame> frames;
    CHECK(sse::step(state, text, frames));
    for (const auto& frame : frames) add(assembly, frame);
    const auto answer = finish(assembly);
    if (!answer) {
        CHECK(!answer.error().detail.empty());
        return 0;
    }
    std::vector<JsonOddity> oddities;
    CHECK(!check_json(*answer, 1000, oddities));
    return 0;
}
