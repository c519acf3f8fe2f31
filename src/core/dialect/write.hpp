// Answers in the dialect of the client: the neutral events of any answer, written as messages or responses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/stream_event.hpp"
#include "core/dialect/to_chat.hpp"

namespace lc::dialect {

/// An answer being written. A value, no I/O; one choice. Holds the text of the whole answer.
struct Writer {
    enum class Block : std::uint8_t { none, reasoning, text, call };

    api::Dialect dialect = api::Dialect::messages;
    std::string id;            ///< unique: all ids of the answer are made of it
    std::string model;         ///< as the client asked for it
    std::int64_t created = 0;  ///< unix seconds
    std::vector<ToolName> names;

    bool opened = false, ended = false;
    Block block = Block::none;
    int blocks = 0;             ///< begun so far: the open one is the last
    std::int64_t sequence = 0;  ///< responses: number of the next event
    std::string text;           ///< of the open block; of a call its arguments
    std::string call_id, call_name;
    int call_index = -1;
    std::vector<std::string> items;  ///< blocks or items that are whole, as JSON
    std::string reason = "stop";     ///< in chat's words
    std::optional<api::Usage> usage;
    std::int64_t prompt = 0, cached = 0;  ///< as progress told it, before there is a usage
};

/// Pure but for `writer`. The frames that an event becomes; none for many. After Done nothing more comes.
[[nodiscard]] std::string write(Writer& writer, const api::StreamEvent& event);
[[nodiscard]] std::string write(Writer& writer, const std::vector<api::StreamEvent>& events);

/// Pure. The body of an answer that is not streamed.
[[nodiscard]] std::string write_whole(Writer writer, const std::vector<api::StreamEvent>& events);

}  // namespace lc::dialect
