// A pattern is a stranger's and so is the text: the number of steps of the matcher is bounded.
#define BOOST_REGEX_MAX_STATE_COUNT 4000000

#include "core/tools/pattern.hpp"

#include <boost/regex.hpp>
#include <cstdint>

namespace lc::tools {

struct Pattern::Compiled {
    boost::wregex regex;
};

namespace {

constexpr std::size_t max_pattern = 4096;

std::wstring wide(std::string_view text) {
    std::wstring out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        const int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
        std::uint32_t code = more == 3 ? c & 0x07U : more == 2 ? c & 0x0fU : more == 1 ? c & 0x1fU : c;
        ++i;
        for (int k = 0; k < more && i < text.size(); ++k, ++i) {
            code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
        }
        out += static_cast<wchar_t>(code);
    }
    return out;
}

/// Where ECMA-262 and Perl write the same thing differently.
std::string to_perl(std::string_view pattern) {
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '\\' || i + 1 >= pattern.size()) {
            out += pattern[i];
            continue;
        }
        const char next = pattern[i + 1];
        if (next == 'u' && i + 5 < pattern.size()) {
            out += "\\x{" + std::string(pattern.substr(i + 2, 4)) + "}";
            i += 5;
        } else if (next == 'd') {
            out += "[0-9]";
            ++i;
        } else {
            out += pattern[i];
            out += next;
            ++i;
        }
    }
    return out;
}

/// \d inside a class stays as it is.
bool has_class_with_digits(std::string_view pattern) {
    bool inside = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\') {
            if (inside && i + 1 < pattern.size() && pattern[i + 1] == 'd') return true;
            ++i;
        } else if (pattern[i] == '[') {
            inside = true;
        } else if (pattern[i] == ']') {
            inside = false;
        }
    }
    return false;
}

}  // namespace

Pattern compile_pattern(std::string_view pattern) {
    if (pattern.size() > max_pattern) return {};
    try {
        const std::string text = has_class_with_digits(pattern) ? std::string(pattern) : to_perl(pattern);
        auto compiled = std::make_shared<Pattern::Compiled>();
        compiled->regex.assign(wide(text), boost::regex::perl);
        return {std::move(compiled)};
    } catch (const std::exception&) {
        return {};
    }
}

Match match(const Pattern& pattern, std::string_view text) {
    if (!pattern.compiled) return Match::gave_up;
    try {
        const bool found =
            boost::regex_search(wide(text), pattern.compiled->regex, boost::match_single_line | boost::match_any);
        return found ? Match::yes : Match::no;
    } catch (const std::exception&) {
        return Match::gave_up;
    }
}

}  // namespace lc::tools
