// A config file is written by people and tools: no crash, problems have places, and what is accepted is printed so that it
// reads back as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/config/overlay.hpp"
#include "core/config/parse.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = lc::config::parse(text);
    if (!parsed.problems.empty()) {
        if (lc::config::describe("c.toml", parsed.problems).empty()) std::abort();
        return 0;
    }
    const std::string printed = lc::config::to_toml(parsed.config);
    const auto again = lc::config::parse(printed);
    if (!again.problems.empty() || lc::config::to_toml(again.config) != printed) std::abort();
    if (lc::config::to_json(parsed.config).empty()) std::abort();
    (void)lc::config::validate(lc::config::overlay(parsed.config, {}, {}).config);
    return 0;
}
