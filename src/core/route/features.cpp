#include "core/route/features.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <map>

#include "base/text.hpp"

namespace lc::route {

namespace {

/// File endings and names of fences, and the language that they mean.
constexpr std::pair<std::string_view, std::string_view> languages[] = {
    {"py", "python"},     {"python", "python"}, {"js", "javascript"}, {"jsx", "javascript"},        {"javascript", "javascript"},
    {"ts", "typescript"}, {"tsx", "typescript"}, {"typescript", "typescript"}, {"rs", "rust"},       {"rust", "rust"},
    {"go", "go"},         {"golang", "go"},     {"java", "java"},     {"c", "c"},                   {"h", "c"},
    {"cc", "c++"},        {"cpp", "c++"},       {"cxx", "c++"},       {"hpp", "c++"},               {"c++", "c++"},
    {"cs", "c#"},         {"rb", "ruby"},       {"ruby", "ruby"},     {"php", "php"},               {"kt", "kotlin"},
    {"kotlin", "kotlin"}, {"swift", "swift"},   {"scala", "scala"},   {"sh", "shell"},              {"bash", "shell"},
    {"sql", "sql"},       {"html", "html"},     {"css", "css"},       {"lua", "lua"},               {"zig", "zig"},
};

std::string_view language_of(std::string_view word) {
    for (const auto& [name, language] : languages) {
        if (iequals(name, word)) return language;
    }
    return {};
}

bool word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '#';
}

struct Look {
    std::size_t bytes = 0, code = 0;
    std::map<std::string_view, int> seen;
    bool fenced = false;
};

bool looks_like_code(std::string_view line) {
    const auto text = trim(line);
    if (text.size() < 2) return text == "{" || text == "}";
    const char last = text.back();
    if (last == ';' || last == '{' || last == '}') return true;
    // Words that begin lines of code and seldom a sentence; the others need a sign of code after them.
    for (const std::string_view start : {"#include", "import ", "func ", "fn ", "#define", "@"}) {
        if (text.starts_with(start)) return true;
    }
    const bool sign = last == ':' || last == ')' || last == ',' || text.find('=') != std::string_view::npos;
    for (const std::string_view start : {"def ", "class ", "from ", "const ", "let ", "return ", "if ", "for ", "while ", "public "}) {
        if (sign && text.starts_with(start)) return true;
    }
    return false;
}

void look_at_line(Look& look, std::string_view line) {
    look.bytes += line.size();
    if (const auto fence = line.find("```"); fence != std::string_view::npos) {
        look.fenced = !look.fenced;
        auto word = line.substr(fence + 3);
        word = word.substr(0, std::find_if_not(word.begin(), word.end(), word_char) - word.begin());
        if (const auto language = language_of(word); look.fenced && !language.empty()) look.seen[language] += 3;
        return;
    }
    if (look.fenced || looks_like_code(line)) look.code += line.size();
    // Names of files: a dot with an ending that is known, after a letter.
    for (auto dot = line.find('.'); dot != std::string_view::npos && dot + 1 < line.size(); dot = line.find('.', dot + 1)) {
        if (dot == 0 || !word_char(line[dot - 1])) continue;
        auto word = line.substr(dot + 1, 12);
        word = word.substr(0, std::find_if_not(word.begin(), word.end(), word_char) - word.begin());
        if (const auto language = language_of(word); word.size() > 1 && !language.empty()) ++look.seen[language];
    }
}

/// `raw` is JSON text: its line breaks are the two characters of their escape.
void look_at(Look& look, std::string_view raw) {
    // The brackets that close the message are not its text.
    raw = raw.substr(0, raw.find_last_not_of("\"}] \t\r\n") + 1);
    std::size_t begin = 0;
    for (std::size_t i = 0; i + 1 < raw.size(); ++i) {
        if (raw[i] != '\\') continue;
        if (raw[i + 1] == 'n') {
            look_at_line(look, raw.substr(begin, i - begin));
            begin = i + 2;
        }
        ++i;  // the escaped character is no escape of its own
    }
    if (begin < raw.size()) look_at_line(look, raw.substr(begin));
    look.fenced = false;
}

}  // namespace

std::int64_t estimate_tokens(const api::RequestView& view, double tokens_per_byte) {
    // Prompts of coding agents: text, code and JSON schemas mixed have about four bytes a token; each message costs its frame.
    constexpr double usual = 0.25;
    const double each = tokens_per_byte > 0 ? tokens_per_byte : usual;
    const double frames = tokens_per_byte > 0 ? 0 : 5.0 * static_cast<double>(view.messages.size());
    return std::llround(static_cast<double>(view.prompt_bytes) * each + frames);
}

Features features_of(const api::RequestView& view, std::string_view body, const api::Session& session, std::string_view kind,
                     double tokens_per_byte) {
    Features out;
    out.kind = kind;
    out.client = session.client;
    out.session = session.id;
    out.model = view.model;
    out.tokens = estimate_tokens(view, tokens_per_byte);
    out.answer = view.max_tokens.value_or(0);
    out.tools = static_cast<std::int64_t>(view.tools.size());
    out.media = static_cast<std::int64_t>(view.media);
    out.stream = view.stream;
    if (!view.messages.empty()) out.last_role = api::name_of(view.messages.back().role);
    for (const auto& message : view.messages) out.turn += message.role == api::Role::user ? 1 : 0;

    constexpr std::size_t most = 64u << 10;
    Look look;
    for (auto it = view.messages.rbegin(); it != view.messages.rend() && look.bytes < most; ++it) {
        const bool instructions = it->role == api::Role::system || it->role == api::Role::developer;
        if (instructions && view.messages.size() > 1) continue;  // what the agent says of itself is no sign of the work
        const auto raw = body.substr(std::min(it->raw.begin, body.size()), it->raw.end - it->raw.begin);
        look_at(look, raw.substr(0, most - look.bytes));
    }
    if (look.bytes > 0) out.code_share = static_cast<double>(look.code) / static_cast<double>(look.bytes);
    int best = 0;
    for (const auto& [language, count] : look.seen) {
        if (count > best) {
            best = count;
            out.language = language;
        }
    }
    return out;
}

std::string to_json(const Features& f) {
    boost::json::object out;
    out["client"] = f.client;
    out["session"] = f.session;
    out["model"] = f.model;
    out["tokens"] = f.tokens;
    out["answer"] = f.answer;
    out["code_share"] = std::round(f.code_share * 1000) / 1000;
    out["language"] = f.language;
    out["last_role"] = f.last_role;
    out["turn"] = f.turn;
    out["tools"] = f.tools;
    out["media"] = f.media;
    out["stream"] = f.stream;
    return boost::json::serialize(out);
}

}  // namespace lc::route
