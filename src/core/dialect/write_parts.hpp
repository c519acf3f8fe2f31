// Inside of write(): one form per dialect for the same steps.
#pragma once

#include "core/api/splice.hpp"
#include "core/dialect/write.hpp"

namespace lc::dialect {

using api::json_quote;

/// The way the client calls a tool; null: as the model does.
[[nodiscard]] const ToolName* named(const Writer& writer, std::string_view model);

namespace messages {
std::string open(Writer& writer);
std::string begin(Writer& writer);                         ///< the block that writer.block says
std::string piece(Writer& writer, std::string_view text);  ///< more of it
std::string close(Writer& writer);
std::string end(Writer& writer);
std::string whole(const Writer& writer);
}  // namespace messages

namespace responses {
std::string open(Writer& writer);
std::string begin(Writer& writer);
std::string piece(Writer& writer, std::string_view text);
std::string close(Writer& writer);
std::string end(Writer& writer);
std::string whole(const Writer& writer);
}  // namespace responses

}  // namespace lc::dialect
