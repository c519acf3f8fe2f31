// Who is asking: session, parent and client, from headers and body.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/api/request_view.hpp"

namespace lc::api {

struct HeaderField {
    std::string name, value;
};

/// Value of the first header of that name (ASCII case-insensitive), or empty.
[[nodiscard]] std::string_view header(std::span<const HeaderField> headers, std::string_view name);

struct Session {
    std::string id;      ///< empty: none was sent (callers then use the prompt-prefix hash)
    std::string parent;  ///< set for subagents
    std::string client;  ///< opencode | claude | codex | qwen | cline | continue | aider | zed | llama.vim | other
};

/// First found wins: `localcode.session`, body `session_id` or `prompt_cache_key`, then the session headers of the
/// known clients. A thread or agent id beside it makes a session of its own, "SESSION/THREAD", with that parent. Ids
/// are cut at 128 bytes, control characters dropped.
[[nodiscard]] Session session_of(const RequestView& view, std::span<const HeaderField> headers);

/// First guess at the request kind by structure: "title", "compaction", "main", "subagent", "embedding", "rerank",
/// "fim", "other"; or what the request itself says in `localcode.kind` (then borrowed from `view`). The routing work
/// replaces this by the full classifier.
[[nodiscard]] std::string_view kind_of(const RequestView& view, const Session& session);

}  // namespace lc::api
