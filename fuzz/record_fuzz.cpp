// A stored request record may come from another version or a damaged disk: reading it never crashes, and what was read is
// written so that it reads back as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "shell/store/record_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto record = lc::store::record_from_json({reinterpret_cast<const char*>(data), size});
    if (!record) return 0;
    const std::string written = lc::store::to_json(*record);
    const auto again = lc::store::record_from_json(written);
    if (!again || lc::store::to_json(*again) != written) std::abort();
    return 0;
}
