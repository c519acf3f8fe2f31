// Tool calls that a model writes in its text, in the markup of its own training, because nobody parsed them for it.
//
// A text counts as calls only when calls are the last of it: markup at the beginning of a line or after a sentence,
// outside of fences and of `code`, with the name of a tool that was offered, and nothing but more calls and space
// behind it. Everything else stays text, byte for byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tools/repair.hpp"
#include "core/tools/toolset.hpp"

namespace lc::tools {

enum class Format : std::uint8_t {
    json,      ///< <tool_call>{"name": ..., "arguments": ...}</tool_call>: Qwen, Hermes, and tags like it
    glm,       ///< <tool_call>NAME<arg_key>..</arg_key><arg_value>..</arg_value></tool_call>
    qwen_xml,  ///< <function=NAME><parameter=KEY>..</parameter></function>: Qwen3-Coder
    invoke,    ///< <invoke name="NAME"><parameter name="KEY">..</parameter></invoke>
    mistral,   ///< [TOOL_CALLS][{...}], [TOOL_CALLS]NAME[ARGS]{...}
    deepseek,  ///< <｜tool▁calls▁begin｜>...
    harmony,   ///< <|channel|>commentary to=functions.NAME ... <|message|>{...}<|call|>: gpt-oss
    kimi,      ///< <|tool_calls_section_begin|>...
    fenced,    ///< a fence with a call in JSON, the whole text
    bare,      ///< a call in JSON, the whole text
};
[[nodiscard]] std::string_view name_of(Format format);

struct TextCall {
    Format format = Format::json;
    std::string name;       ///< as it was written
    std::string arguments;  ///< JSON
    std::vector<Fix> fixes;
};

/// A scan under way. A value: copyable, no I/O; how the text is split never changes the outcome.
struct TextScan {
    std::string held;  ///< may be calls, from the first byte that may be
    bool bare = true;  ///< whole texts that are JSON may be calls (not when the client asked for JSON)
    // Where `held` begins.
    bool anything = false;  ///< some text that is not space came before
    bool in_fence = false;
    bool in_code = false;    ///< between backticks of this line
    bool line_start = true;  ///< only space before on this line
    char before = '\n';      ///< last character that is not space
    int marks = 0;           ///< backticks or tildes at the beginning of this line
    // Inside of `held`.
    std::size_t settled = 0;  ///< bytes of whole regions (and the space behind them)
    std::size_t looked = 0;   ///< how far the closer of the open region was searched
    bool open = false;        ///< a region is open at `settled`: it waits for its closer

    static constexpr std::size_t max_held = 4 << 20;
};

/// Adds `chunk` and returns the text that cannot be part of a call and goes on.
[[nodiscard]] std::string step(const ToolSet& tools, TextScan& scan, std::string_view chunk);

struct TextEnd {
    std::vector<TextCall> calls;
    std::string text;  ///< what was held: as text when there are no calls, else what the calls were read from
};

/// The text is over; `cut`: not by the model (then nothing is a call that is not whole).
[[nodiscard]] TextEnd finish(const ToolSet& tools, TextScan& scan, bool cut);

}  // namespace lc::tools
