// Inside of read(): one reader per family of dialects, and what they share.
#pragma once

#include <string_view>
#include <vector>

#include "core/api/json_dom.hpp"
#include "core/api/stream_event.hpp"

namespace lc::api {

using Events = std::vector<StreamEvent>;

void read_openai_chunk(StreamReader& reader, Json chunk, Events& out);  ///< chat, completions, fim, infill
void read_messages_event(StreamReader& reader, std::string_view event, Json data, Events& out);
void read_responses_event(StreamReader& reader, std::string_view event, Json data, Events& out);
void read_messages_whole(StreamReader& reader, Json body, Events& out);
void read_responses_whole(StreamReader& reader, Json body, Events& out);

/// Chat's word for a finish reason of messages or llama.cpp.
[[nodiscard]] std::string finish_reason(std::string_view wire);

/// Index of the call with that number or key, or -1. A negative number and an empty key match nothing.
[[nodiscard]] int find_tool(const StreamReader& reader, int choice, std::int64_t wire, std::string_view key);
/// Begins a call; -1 when there are too many.
int begin_tool(StreamReader& reader, int choice, std::int64_t wire, std::string_view key, std::string_view id,
               std::string_view name, Events& out);
void tool_arguments(StreamReader& reader, int index, std::string_view text, Events& out);
void end_tool(StreamReader& reader, int index, Events& out);
void end_tools(StreamReader& reader, int choice, Events& out);
void read_timings(Json object, Events& out);   ///< member `timings`
void read_progress(Json object, Events& out);  ///< member `prompt_progress`
/// The arguments of a whole call: a text, or an object to be written as one.
[[nodiscard]] std::string arguments_text(Json value);

}  // namespace lc::api
