#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.hpp"
#include "core/api/endpoint.hpp"

using namespace lc::api;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t space = text.find(' ');
    const EndpointMatch match = space == std::string_view::npos
                                    ? match_endpoint("GET", text)
                                    : match_endpoint(text.substr(0, space), text.substr(space + 1));
    CHECK(match.method_ok || !match.allow.empty());
    if (match.endpoint == Endpoint::model || match.endpoint == Endpoint::upstream) CHECK(!match.param.empty());
    if (match.endpoint == Endpoint::upstream) CHECK(match.rest.starts_with('/'));
    if (match.endpoint == Endpoint::unknown) CHECK(match.param.empty() && match.rest.empty());
    return 0;
}
