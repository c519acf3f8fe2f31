#include "core/log/redact.hpp"

#include <algorithm>
#include <cstddef>

#include "base/text.hpp"

namespace lc::log {

namespace {

constexpr std::string_view mark = "[redacted]";

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}
bool is_alnum(char c) {
    return is_word(c) && c != '_' && c != '-';
}
bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

std::size_t word_end(std::string_view text, std::size_t at) {
    while (at < text.size() && is_word(text[at])) ++at;
    return at;
}

/// Names whose value is a secret, whole or with anything before a '_' or '-' (ZAI_API_KEY).
constexpr std::string_view names[] = {
    "authorization", "x-api-key",    "api-key",    "api_key",       "apikey",      "admin_key",   "admin-key",
    "cookie",        "set-cookie",   "password",   "passwd",        "secret",      "secret_key",  "client_secret",
    "access_token",  "access-token", "auth_token", "refresh_token", "private_key", "signing_key", "hf_token",
};

bool names_secret(std::string_view word) {
    // Nearly every word is none: told by its length and its last letter.
    constexpr std::size_t shortest = 6;
    if (word.size() < shortest) return false;
    switch (word.back() | 0x20) {
        case 'd':
        case 'e':
        case 'n':
        case 't':
        case 'y': break;
        default: return false;
    }
    return std::any_of(std::begin(names), std::end(names), [&](std::string_view name) {
        if (word.size() < name.size() || !iequals(word.substr(word.size() - name.size()), name)) return false;
        if (word.size() == name.size()) return true;
        const char before = word[word.size() - name.size() - 1];
        return before == '_' || before == '-';
    });
}

struct Kind {
    std::string_view prefix;
    std::size_t min_tail;  ///< shorter words with that beginning are taken for ordinary ones
};
constexpr Kind kinds[] = {
    {"sk-", 16},   {"sk_", 16},   {"pk_live_", 10}, {"rk_live_", 10}, {"hf_", 16},    {"ghp_", 16},
    {"gho_", 16},  {"ghu_", 16},  {"ghs_", 16},     {"ghr_", 16},     {"glpat-", 16}, {"github_pat_", 16},
    {"xoxb-", 10}, {"xoxp-", 10}, {"xoxa-", 10},    {"xoxr-", 10},    {"AKIA", 16},   {"ASIA", 16},
    {"AIza", 30},  {"gsk_", 16},  {"xai-", 16},     {"nvapi-", 16},   {"npm_", 30},   {"pypi-", 30},
    {"r8_", 30},   {"tvly-", 16}, {"lc-", 24},
};

/// End of a key that begins at `at` (a word's beginning), or `at`.
std::size_t key_end(std::string_view text, std::size_t at) {
    const std::size_t end = word_end(text, at);
    const std::string_view word = text.substr(at, end - at);
    if (word.size() < 10) return at;  // shorter than any of them
    for (const auto& kind : kinds) {
        if (word.starts_with(kind.prefix) && word.size() >= kind.prefix.size() + kind.min_tail) return end;
    }
    // JSON web token: three base64 words joined by dots, the first an object.
    if (word.starts_with("eyJ") && word.size() >= 10 && end < text.size() && text[end] == '.') {
        std::size_t last = word_end(text, end + 1);
        if (last < text.size() && text[last] == '.') last = word_end(text, last + 1);
        if (last > end + 10) return last;
    }
    // GLM: 32 hexadecimal digits, a dot, 16 letters and digits.
    if (word.size() == 32 && std::all_of(word.begin(), word.end(), is_hex) && end < text.size() && text[end] == '.') {
        const std::size_t last = word_end(text, end + 1);
        if (last == end + 17 && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(end) + 1,
                                            text.begin() + static_cast<std::ptrdiff_t>(last), is_alnum)) {
            return last;
        }
    }
    return at;
}

/// The value behind a name at `at`: [begin, end). Empty when what follows is no assignment.
struct Value {
    std::size_t begin = 0, end = 0;
};

Value value_after(std::string_view text, std::size_t at, bool whole_line) {
    const auto skip = [&](std::string_view set) {
        while (at < text.size() && set.find(text[at]) != std::string_view::npos) ++at;
    };
    if (text.substr(at).starts_with("\\\""))
        at += 2;  // JSON within JSON
    else if (at < text.size() && (text[at] == '"' || text[at] == '\''))
        ++at;
    skip(" \t");
    if (at >= text.size() || (text[at] != ':' && text[at] != '=')) return {};
    ++at;
    skip(" \t");
    std::string_view stop = whole_line ? "\r\n\"" : "\r\n\"',;}";
    if (text.substr(at).starts_with("\\\"")) {
        at += 2;
        stop = "\\\"\r\n";
    } else if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
        stop = text[at] == '"' ? "\"\r\n" : "'\r\n";
        ++at;
    }
    for (const std::string_view scheme : {"Bearer ", "Basic ", "Digest ", "Token "}) {
        if (starts_with_ignoring_case(text.substr(at), scheme)) {
            at += scheme.size();
            break;
        }
    }
    const std::size_t end = text.find_first_of(stop, at);
    return {at, end == std::string_view::npos ? text.size() : end};
}

/// `scheme://user:password@`: the range of the password, when `at` is behind "://".
Value url_password(std::string_view text, std::size_t at) {
    const std::size_t end = std::min(text.find_first_of("/?# \t\r\n\"'<>", at), text.size());
    const std::size_t host = text.substr(at, end - at).rfind('@');
    if (host == std::string_view::npos) return {};
    const std::size_t colon = text.substr(at, host).find(':');
    if (colon == std::string_view::npos) return {};
    return {at + colon + 1, at + host};
}

}  // namespace

std::string redact(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    std::size_t at = 0;
    while (at < text.size()) {
        if (text[at] == '-' && text.substr(at).starts_with("-----BEGIN ")) {
            const std::size_t line_end = std::min(text.find("-----", at + 11), text.size());
            const std::string_view label = text.substr(at, line_end - at);
            if (label.size() < 60 && label.ends_with("PRIVATE KEY")) {
                const std::size_t end = text.find("-----END ", line_end);
                const std::size_t tail = end == std::string_view::npos ? end : text.find("-----", end + 9);
                out.append(mark);
                at = tail == std::string_view::npos ? text.size() : tail + 5;
                continue;
            }
        }
        if (text[at] == ':' && text.substr(at).starts_with("://")) {
            out.append("://");
            at += 3;
            if (const Value password = url_password(text, at); password.end > password.begin) {
                out.append(text.substr(at, password.begin - at)).append(mark);
                at = password.end;
            }
            continue;
        }
        if (!is_word(text[at])) {
            out.push_back(text[at++]);
            continue;
        }
        const std::size_t end = word_end(text, at);
        if (const std::size_t secret_end = key_end(text, at); secret_end > at) {
            out.append(mark);
            at = secret_end;
            continue;
        }
        const std::string_view word = text.substr(at, end - at);
        out.append(word);
        at = end;
        if (iequals(word, "bearer") && at < text.size() && text[at] == ' ') {
            const std::size_t token = at + 1;
            const std::size_t token_end = std::min(text.find_first_of(" \t\r\n\"',;\\", token), text.size());
            if (token_end - token >= 8) {
                out.append(" ").append(mark);
                at = token_end;
            }
        } else if (names_secret(word)) {
            const bool header =
                iequals(word, "authorization") || iequals(word, "cookie") || iequals(word, "set-cookie");
            const Value value = value_after(text, at, header);
            if (value.end > value.begin && value.begin < text.size() && text[value.begin] != '[' &&
                text[value.begin] != '{') {
                out.append(text.substr(at, value.begin - at)).append(mark);
                at = value.end;
            }
        }
    }
    return out;
}

}  // namespace lc::log
