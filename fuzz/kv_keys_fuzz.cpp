// Message keys of any request that the parser accepts: canonical text is canonical, and keys do not depend on white
// space.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/api/json_check.hpp"
#include "core/kv/keys/canonical.hpp"
#include "core/kv/keys/keys.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::string any;
    lc::kv::append_canonical(any, body);  // not JSON, mostly: must stay in bounds
    constexpr lc::api::Dialect dialects[] = {lc::api::Dialect::chat, lc::api::Dialect::messages,
                                             lc::api::Dialect::responses, lc::api::Dialect::completions};
    const auto view = lc::api::parse_request(dialects[data[0] & 3], body);
    if (!view) return 0;
    for (const std::string& text : lc::kv::canonical_texts(*view, body)) {
        if (!lc::kv::is_json(text)) std::abort();
        std::string again;
        lc::kv::append_canonical(again, text);
        if (again != text) std::abort();
    }
    std::string canonical;
    lc::kv::append_canonical(canonical, body.substr(body.find('{'), body.rfind('}') + 1 - body.find('{')));
    const auto same = lc::api::parse_request(dialects[data[0] & 3], canonical);
    if (!same || lc::kv::message_keys(*same, canonical) != lc::kv::message_keys(*view, body)) std::abort();
    return 0;
}
