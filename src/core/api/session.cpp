#include "core/api/session.hpp"

#include <algorithm>
#include <initializer_list>

#include "base/text.hpp"

namespace lc::api {

namespace {

std::string clean_id(std::string_view text) {
    std::string out;
    for (const char c : cut_utf8(trim(text), 128)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) out.push_back(c);
    }
    return out;
}

std::string first_header(std::span<const HeaderField> headers, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        if (auto id = clean_id(header(headers, name)); !id.empty()) return id;
    }
    return {};
}

std::string_view system_text(const RequestView& view) {
    for (const auto& message : view.messages) {
        if (message.role == Role::system || message.role == Role::developer) return message.text_preview;
    }
    return {};
}

std::string client_of(const RequestView& view, std::span<const HeaderField> headers) {
    const std::string agent = to_lower(header(headers, "user-agent"));
    static constexpr std::pair<std::string_view, std::string_view> by_agent[] = {
        {"opencode", "opencode"}, {"claude-cli", "claude"}, {"claude-code", "claude"}, {"codex", "codex"},
        {"qwencode", "qwen"},     {"qwen-code", "qwen"},    {"cline", "cline"},        {"roo", "cline"},
        {"continue", "continue"}, {"aider", "aider"},       {"zed/", "zed"},           {"llama.v", "llama.vim"},
    };
    for (const auto& [mark, name] : by_agent) {
        if (agent.find(mark) != std::string::npos) return std::string(name);
    }
    if (!header(headers, "x-opencode-session").empty()) return "opencode";
    if (!header(headers, "x-claude-code-session-id").empty()) return "claude";
    // These name only their SDK (reference: clients.md), so the rest of the request has to tell.
    if (agent.starts_with("ls/js")) return "continue";
    if (agent.starts_with("ai-sdk/") || agent.find(" ai-sdk/") != std::string::npos) return "cline";
    if (system_text(view).starts_with("Act as an expert software developer")) return "aider";
    if (view.dialect == Dialect::infill && (agent.empty() || agent.starts_with("curl/"))) return "llama.vim";
    return "other";
}

/// Where the first of the words stands in `text`, any case; npos: none does.
std::size_t first_of(std::string_view text, std::initializer_list<std::string_view> words) {
    const std::string lower = to_lower(text);
    std::size_t first = std::string::npos;
    for (const std::string_view word : words) first = std::min(first, lower.find(word));
    return first;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
    return first_of(text, words) != std::string::npos;
}

}  // namespace

std::string_view header(std::span<const HeaderField> headers, std::string_view name) {
    for (const auto& field : headers) {
        if (iequals(field.name, name)) return field.value;
    }
    return {};
}

Session session_of(const RequestView& view, std::span<const HeaderField> headers) {
    Session out;
    out.client = client_of(view, headers);
    out.id = clean_id(view.extensions.session);
    if (out.id.empty()) out.id = clean_id(view.session_field);
    if (out.id.empty()) {
        out.id = first_header(headers, {"x-opencode-session", "x-session-affinity", "x-session-id",
                                        "x-claude-code-session-id", "session-id", "session_id", "x-conversation-id"});
    }
    out.parent = first_header(headers, {"x-parent-session-id", "x-codex-parent-thread-id"});

    // A thread or agent within the session is a session of its own. Its name may be unique only within its parent.
    const std::string thread = first_header(headers, {"thread-id", "x-claude-code-agent-id"});
    if (!thread.empty() && thread != out.id) {
        if (out.parent.empty()) out.parent = out.id;
        out.id = out.id.empty() ? thread : out.id + "/" + thread;
    }
    if (out.parent == out.id) out.parent.clear();
    return out;
}

std::string_view kind_of(const RequestView& view, const Session& session) {
    if (!view.extensions.kind.empty()) return view.extensions.kind;
    switch (view.dialect) {
        case Dialect::embeddings: return "embedding";
        case Dialect::rerank: return "rerank";
        case Dialect::infill:
        case Dialect::fim: return "fim";
        case Dialect::completions: return find(view, "suffix") != nullptr ? "fim" : "other";
        case Dialect::plain: return "other";
        case Dialect::chat:
        case Dialect::messages:
        case Dialect::responses: break;
    }
    if (view.tools.empty()) {
        const std::string_view system = system_text(view);
        const std::string_view last = view.messages.empty() ? std::string_view{} : view.messages.back().text_preview;
        // A prompt for titles may speak of summaries, and the other way round: what it is comes first.
        const auto title = first_of(system, {"title"});
        const auto compaction = first_of(system, {"summariz", "summaris", "compact"});
        if (title < compaction && view.prompt_bytes < 32u << 10) return "title";
        if (compaction != std::string::npos ||
            contains_any(last.substr(0, 300), {"summarize the conversation", "summary of the conversation",
                                               "create a detailed summary", "context checkpoint compaction"})) {
            return "compaction";
        }
    }
    if (!session.parent.empty()) return "subagent";
    return "main";
}

}  // namespace lc::api
