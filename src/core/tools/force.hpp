// Calls and formats that a request insists on, on engines that cannot be asked for them in a chat request: llama.cpp
// lets `required` answers talk without end, does not know named functions, and refuses grammars beside tools. What
// works is its own template (/apply-template) and a completion of that prompt with the beginning of a call and a
// grammar for the rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/api/request_view.hpp"
#include "core/sse/sse.hpp"
#include "core/tools/toolset.hpp"

namespace lc::tools {

/// How a model was trained to write calls, as far as the beginning of one goes.
enum class Markup : std::uint8_t { hermes, llama3, mistral, deepseek, harmony, glm, qwen_xml };
[[nodiscard]] std::string_view name_of(Markup markup);

/// Pure. By the markers in a prompt that was rendered with tools.
[[nodiscard]] Markup markup_of(std::string_view rendered);

enum class Wanted : std::uint8_t {
    nothing,  ///< the engine can take the request as it is
    call,     ///< some call: tool_choice `required`
    named,    ///< a call of one tool
    text,     ///< a text that a grammar or schema allows, with tools in the prompt
};

/// Pure. What a chat request insists on beyond what llama.cpp does by itself.
[[nodiscard]] Wanted wanted(const api::RequestView& view, std::string_view body);

struct Force {
    Wanted what = Wanted::nothing;
    Markup markup = Markup::hermes;
    std::string name;         ///< the tool, when there is only one
    std::string opener;       ///< follows the rendered prompt
    std::string json_schema;  ///< one of these two for what follows
    std::string grammar;
    bool thinks = false;  ///< the prompt ends where the model begins to think
};

/// Pure. Errors (bad_request): a named tool that was not offered; `required` without tools; a grammar or format of a
/// wrong type.
[[nodiscard]] Result<Force> plan_force(const ToolSet& tools, const api::RequestView& view, std::string_view body,
                                       std::string_view rendered);

/// Pure. The body of the completion request: the client's sampling fields, our prompt and grammar, always streamed.
[[nodiscard]] std::string completion_body(const api::RequestView& view, std::string_view body, const Force& force,
                                          std::string_view rendered);

/// Pure. A schema in which every number has bounds (a grammar without them writes digits for ever), for llama.cpp's
/// grammar maker: what that cannot read is left out. Valid by the result is valid by the original, as far as that was
/// not left out.
[[nodiscard]] std::string bounded_schema(std::string_view schema);

/// Pure. GBNF for a call in XML (Qwen3-Coder's or GLM's), without the tags that the opener has.
[[nodiscard]] std::string xml_grammar(const ToolSet& tools, std::string_view only, Markup markup);

/// Turns the completion's stream into a chat stream. A value, no I/O.
struct ForcedStream {
    Force force;
    std::string id, model;     ///< of the chunks; `id` is unique
    std::int64_t created = 0;  ///< unix seconds
    bool include_usage = false;
    std::string text;        ///< of the completion so far
    std::size_t passed = 0;  ///< how much of it went on
    bool begun = false;      ///< the client knows the name
    bool whole = false;      ///< the arguments are complete
    int depth = 0;
    bool in_string = false, escaped = false, started = false;
};
[[nodiscard]] std::vector<sse::Frame> translate(const ToolSet& tools, ForcedStream& stream, const sse::Frame& frame);

}  // namespace lc::tools
