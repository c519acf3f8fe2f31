// Makes a broken tool call whole where its meaning is plain, and leaves it alone where it is not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/tools/parse.hpp"
#include "core/tools/toolset.hpp"

namespace lc::tools {

struct Call {
    std::string name;
    std::string arguments;  ///< as they came: should be the JSON text of an object
    bool cut = false;  ///< the answer ended before the model did (`length`, a lost stream): nothing may be completed
};

enum class Verdict : std::uint8_t {
    valid,      ///< as it came
    repaired,   ///< as it came but for `fixes`
    hopeless,   ///< `why`; must not be changed, may be asked for again
    unchecked,  ///< nothing is known of the tool (none were offered, or its input is not JSON)
};
[[nodiscard]] std::string_view name_of(Verdict verdict);

struct Outcome {
    Verdict verdict = Verdict::valid;
    std::string name, arguments;  ///< what should go to the client
    std::vector<Fix> fixes;
    std::string why;  ///< of hopeless, for people and for the model
};

/// Pure. Never changes a call that is valid, never makes up an argument, never closes a string that was cut, never
/// completes a call that was cut.
[[nodiscard]] Outcome repair(const ToolSet& tools, const Call& call);

}  // namespace lc::tools
