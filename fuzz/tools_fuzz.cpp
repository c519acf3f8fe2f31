// Tool calls from anywhere: parser, repairer, validator, scanner of calls in text, mender of histories.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "check.hpp"
#include "core/api/json_check.hpp"
#include "core/tools/history.hpp"
#include "core/tools/repair.hpp"
#include "core/tools/text_call.hpp"

using namespace lc;
using namespace lc::tools;

namespace {

const ToolSet& offered() {
    static const ToolSet set = tools_from_json(
        R"([{"name":"read","parameters":{"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}},"required":["path"],"additionalProperties":false}},
            {"name":"edit","parameters":{"type":"object","properties":{"edits":{"type":"array","items":{"$ref":"#/$defs/e"}},"all":{"type":"boolean","default":true}},"required":["edits","all"],
             "$defs":{"e":{"anyOf":[{"type":"object","properties":{"old":{"type":"string"}},"required":["old"]},{"type":"number"}]}}}},
            {"name":"list"}])");
    return set;
}

/// A strict parse writes back something equal; a tolerant one never takes what the strict one refuses as cut in a string.
void parses(std::string_view text) {
    const auto strict = parse(text);
    const auto tolerant = parse(text, {.tolerant = true, .close = true});
    if (strict.value) {
        CHECK(tolerant.value && tolerant.fixes.empty() && equal(*strict.value, *tolerant.value));
        const auto again = parse(write(*strict.value));
        // What is not UTF-8 is written as U+FFFD.
        const bool plain = api::find_invalid_utf8(text) == text.size();
        CHECK(again.value && (!plain || equal(*again.value, *strict.value)));
    }
    CHECK(strict.value || strict.broken != Broken::no);
    CHECK(strict.at <= text.size() && tolerant.at <= text.size());
}

/// What is repaired is valid; what is valid or hopeless is as it was; a cut call is never completed.
void repairs(std::string_view name, std::string_view arguments) {
    for (const bool cut : {false, true}) {
        const Call call{std::string(name), std::string(arguments), cut};
        const auto outcome = repair(offered(), call);
        if (outcome.verdict == Verdict::repaired) {
            CHECK(!outcome.fixes.empty());
            CHECK(repair(offered(), {outcome.name, outcome.arguments, true}).verdict == Verdict::valid);
            CHECK(!cut || parse(arguments).value || arguments.find_first_not_of(" \t\r\n") == std::string_view::npos);
        } else {
            CHECK(outcome.name == call.name && outcome.arguments == call.arguments);
        }
    }
}

/// Byte for byte and call for call the same, however the text is split.
void scans(std::string_view text, std::uint8_t seed) {
    TextScan whole_scan, split_scan;
    std::string whole = step(offered(), whole_scan, text), split;
    std::uint32_t random = seed + 1U;
    for (std::size_t at = 0; at < text.size();) {
        random = random * 1664525 + 1013904223;
        const std::size_t piece = 1 + (random >> 24) % (seed % 16 + 1U);
        split += step(offered(), split_scan, text.substr(at, piece));
        at += piece;
    }
    CHECK(whole == split);
    for (const bool cut : {false, true}) {
        TextScan a = whole_scan, b = split_scan;
        const auto left = finish(offered(), a, cut), right = finish(offered(), b, cut);
        CHECK(whole + left.text == text && left.text == right.text && left.calls.size() == right.calls.size());
        for (std::size_t i = 0; i < left.calls.size(); ++i) {
            CHECK(left.calls[i].name == right.calls[i].name && left.calls[i].arguments == right.calls[i].arguments);
        }
    }
}

/// A schema from anywhere, and a value: no crash, and both ways of asking agree.
void validates(std::string_view schema, std::string_view value) {
    const auto compiled = compile_schema(schema);
    const auto parsed = parse(value);
    if (!compiled) {
        CHECK(compiled.error().code == Errc::bad_request && !compiled.error().detail.empty());
    } else if (parsed.value && is_valid(*compiled, *parsed.value)) {
        CHECK(check(*compiled, *parsed.value).empty());
    }
}

/// What is mended is a request still, and needs no more mending.
void mends(std::string_view body) {
    const auto view = api::parse_request(api::Dialect::chat, body);
    if (!view) return;
    const std::string once = api::apply(body, mend_history(*view, body).splices);
    const auto again = api::parse_request(api::Dialect::chat, once);
    CHECK(again);
    const auto twice = mend_history(*again, once);
    CHECK(twice.splices.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::size_t middle = std::min(text.find('\n'), text.size());
    const auto front = text.substr(0, middle), back = text.substr(std::min(middle + 1, text.size()));
    switch (data[0] % 5) {
        case 0: parses(text); break;
        case 1: repairs(front, back); break;
        case 2: scans(text, data[1]); break;
        case 3: validates(front, back); break;
        default: mends(text); break;
    }
    return 0;
}
