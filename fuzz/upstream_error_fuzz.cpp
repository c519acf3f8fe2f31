#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.hpp"
#include "core/api/encode.hpp"
#include "core/api/json_check.hpp"
#include "core/api/stream_event.hpp"

using namespace lc;
using namespace lc::api;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const int status = 200 + data[0] + data[1] % 2 * 256;
    const Error error = classify_upstream_error(status, {reinterpret_cast<const char*>(data) + 2, size - 2}, data[1]);
    CHECK(!error.detail.empty() && error.detail.size() < 4096);
    for (int dialect = 0; dialect < 9; ++dialect) {
        std::vector<JsonOddity> oddities;
        CHECK(!check_json(error_body(static_cast<Dialect>(dialect), error), 10, oddities));
        CHECK(error_frames(static_cast<Dialect>(dialect), error).ends_with("\n\n"));
    }
    return 0;
}
