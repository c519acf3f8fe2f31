#include "core/prefix/compaction.hpp"

#include <algorithm>

#include "core/api/json_scan.hpp"

namespace lc::prefix {

namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::string_view user = "[User]: ", assistant = "[Assistant]: ", call = "[Assistant tool call]: ",
                           result = "[Tool result]: ";
constexpr std::string_view open = "<conversation>\n", close = "\n</conversation>";
constexpr std::size_t beginning_bytes = 160, max_pieces = 4096;

Piece piece(std::string_view marker, std::string_view text) {
    return {std::string(marker) + std::string(text.substr(0, beginning_bytes)), marker.size() + text.size()};
}

/// Where `what` begins a line.
std::size_t line_with(std::string_view text, std::string_view what, std::size_t from) {
    for (auto at = text.find(what, from); at != npos; at = text.find(what, at + 1)) {
        if (at == 0 || text[at - 1] == '\n') return at;
    }
    return npos;
}

/// Where the next entry begins; the end when there is none.
std::size_t next_entry(std::string_view text, std::size_t from) {
    std::size_t next = text.size();
    for (const auto marker : {user, assistant, call, result}) next = std::min(next, line_with(text, marker, from));
    return next;
}

/// What of the conversation is not among the session's messages; nothing: it is another history.
std::optional<std::string> rest_of(std::string_view conversation, const std::vector<Piece>& pieces) {
    std::size_t first = 0;  // what was compacted before is not told again
    while (first < pieces.size() && !conversation.starts_with(pieces[first].beginning)) ++first;
    if (first == pieces.size()) return std::nullopt;
    std::size_t at = 0, end = 0;
    for (auto i = first; i < pieces.size(); ++i) {
        at = line_with(conversation, pieces[i].beginning, at);
        if (at == npos) return std::nullopt;
        const auto whole = at + pieces[i].length;
        const bool all_there = whole == conversation.size() || (whole < conversation.size() && conversation[whole] == '\n');
        end = all_there ? whole : next_entry(conversation, at + pieces[i].beginning.size());
        at += 1;
    }
    while (end < conversation.size() && conversation[end] == '\n') ++end;
    return std::string(conversation.substr(end));
}

/// An answer and nothing else.
std::optional<std::string> only_answer(std::string_view rest) {
    if (!rest.starts_with(assistant)) return std::nullopt;
    rest.remove_prefix(assistant.size());
    if (next_entry(rest, 0) != rest.size()) return std::nullopt;
    return std::string(rest);
}

std::string all_texts(const Input& in, std::size_t message) {
    std::string out;
    for (const auto text : texts_of(in, message)) {
        if (!out.empty()) out += '\n';
        out += plain(api::slice(in.body, text));
    }
    return out;
}

std::string message(std::string_view role, std::string_view text) {
    return R"({"role":")" + std::string(role) + R"(","content":)" + api::json_quote(text) + "}";
}

}  // namespace

std::vector<Piece> pieces_of(const Input& in) {
    std::vector<Piece> pieces;
    for (auto i = leading_system(in.view); i < in.view.messages.size(); ++i) {
        const auto& one = in.view.messages[i];
        std::string text;
        for (const auto range : texts_of(in, i)) {
            if (!is_reminder(api::slice(in.body, range))) {
                text = plain(api::slice(in.body, range));
                break;
            }
        }
        if (one.role == api::Role::user) pieces.push_back(piece(user, text));
        if (one.role == api::Role::assistant && !text.empty()) pieces.push_back(piece(assistant, text));
        for (const auto& name : one.calls) pieces.push_back({std::string(call) + name + "(", 0});
        if (one.role == api::Role::tool) pieces.push_back(piece(result, text));
        if (pieces.size() > max_pieces) return {};
    }
    return pieces;
}

LastPrompt last_prompt(const Input& in, std::vector<Piece> pieces) {
    LastPrompt last;
    last.pieces = std::move(pieces);
    for (const auto& member : in.view.members) {
        const auto value = api::slice(in.body, member.value);
        if (member.key == "messages") last.messages = value;
        if (member.key == "tools" && value != "null") last.tools = value;
        if (member.key == "chat_template_kwargs" || member.key == "reasoning_effort") {
            last.options += "," + std::string(api::slice(in.body, member.whole));
        }
    }
    return last;
}

std::optional<std::string> compaction_body(const Input& in, const LastPrompt& last, std::int64_t context) {
    const auto& view = in.view;
    const bool form = view.dialect == api::Dialect::chat && view.tools.empty() && leading_system(view) == 1 &&
                      view.messages.size() == 2 && view.messages[1].role == api::Role::user && view.media == 0;
    if (!form || last.messages.size() < 2 || last.pieces.empty() || api::find(view, "response_format")) return std::nullopt;
    const std::string asked = all_texts(in, 1);
    const auto begin = asked.find(open);
    const auto end = asked.rfind(close);
    if (begin == npos || end == npos || end < begin + open.size()) return std::nullopt;
    const auto conversation = std::string_view(asked).substr(begin + open.size(), end - begin - open.size());
    auto rest = rest_of(conversation, last.pieces);
    if (!rest) return std::nullopt;

    std::string messages = last.messages.substr(0, last.messages.size() - 1);
    std::string inside = "(This conversation, from its beginning up to here.)";
    if (const auto answer = only_answer(*rest)) {
        messages += "," + message("assistant", *answer);
    } else if (!rest->empty()) {
        inside += "\n\nIt went on:\n\n" + *rest;
    }
    const std::string instructions = all_texts(in, 0) + "\n\n" + asked.substr(0, begin + open.size()) + inside + asked.substr(end);
    messages += "," + message("user", instructions) + "]";

    constexpr std::int64_t bytes_a_token = 3, least_answer = 512;
    const auto fresh = static_cast<std::int64_t>(messages.size() - last.messages.size()) / bytes_a_token;
    const auto room = context - static_cast<std::int64_t>(last.tokens) - fresh;
    if (context > 0 && (last.tokens == 0 || room < std::max(least_answer, view.max_tokens.value_or(0)))) return std::nullopt;

    std::vector<api::Splice> splices;
    api::set_member(view, in.body, "messages", messages, splices);
    if (!last.tools.empty()) {
        api::set_member(view, in.body, "tools", last.tools, splices);
        api::set_member(view, in.body, "tool_choice", "\"none\"", splices);
        if (!api::find(view, "grammar")) {
            api::set_member(view, in.body, "grammar", api::json_quote(grammar_without("<tool_call>")), splices);
        }
    }
    std::string body = api::apply(in.body, std::move(splices));
    if (!last.options.empty()) body.insert(body.rfind('}'), last.options);
    return body;
}

std::string grammar_without(std::string_view word) {
    // One rule for each beginning of the word that may just have been written. No beginning of it ends in its first
    // character again, so every other character leads back to the first rule, or to the second.
    const auto in_class = [](char c) { return std::string(c == '\\' || c == ']' || c == '^' || c == '-' ? "\\" : "") + c; };
    std::string out = "root ::= s0\n";
    for (std::size_t i = 0; i < word.size(); ++i) {
        out += "s" + std::to_string(i) + " ::= \"\"";
        if (i + 1 < word.size()) out += " | [" + in_class(word[i]) + "] s" + std::to_string(i + 1);
        if (i > 0) out += " | [" + in_class(word[0]) + "] s1";
        out += " | [^" + in_class(word[i]) + (i > 0 ? in_class(word[0]) : "") + "] s0\n";
    }
    return out;
}

}  // namespace lc::prefix
