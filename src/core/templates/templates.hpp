// Which chat template an engine gets. llama.cpp drops tools silently when a template does not render them
// (reference: tool-calls.md), so such a model is given a tool-capable one of its family for requests with tools.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lc::templates {

enum class Family : std::uint8_t {
    chatml,
    llama3,
    llama2,
    mistral,
    gemma,
    phi,
    deepseek,
    glm,
    command_r,
    granite,
    unknown
};
[[nodiscard]] std::string_view name_of(Family family);

/// By the markers that the template writes (<|im_start|>, <|start_header_id|>, [INST], <start_of_turn>, ...).
[[nodiscard]] Family family_of(std::string_view chat_template);

/// Whether the template's text renders `tools` at all. Conservative: only what surely ignores them is false.
[[nodiscard]] bool renders_tools(std::string_view chat_template);

/// Whether the template's text knows of thinking before the answer: a switch for it, its tags, or the name of its field.
[[nodiscard]] bool renders_reasoning(std::string_view chat_template);

/// File name (below the installed templates folder; they come with llama.cpp) of a tool-capable template of that
/// family; empty when there is none.
[[nodiscard]] std::string_view tool_template_of(Family family);

/// A template text of our own for a family for which llama.cpp ships none with tools; empty: there is none.
[[nodiscard]] std::string_view builtin_tool_template(Family family);

/// What llama.cpp renders when a model brings no template at all: plain ChatML.
[[nodiscard]] std::string_view fallback_template();

/// `own` for requests without tools, byte for byte as before; `with_tools` for those with tools.
[[nodiscard]] std::string compose(std::string_view own, std::string_view with_tools);

}  // namespace lc::templates
