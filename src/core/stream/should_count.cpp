#include "core/stream/should_count.hpp"

#include <algorithm>

#include "core/api/stream_event.hpp"

namespace lc::stream {

namespace {
constexpr std::int64_t template_tokens = 1024;  // what a template with tools says itself
}

bool should_count(const CountQuestion& q) {
    if (q.context <= 0) return false;
    // A message's wrapping in JSON is longer than the tokens that a template wraps it into, so the body is a bound too.
    const std::int64_t at_most = std::max(q.body_bytes, q.prompt_bytes) + template_tokens;
    if (at_most < q.context) return false;
    const bool overflow_likely = q.prompt_bytes * 2 / 7 >= q.context;
    return q.busy || overflow_likely;
}

std::optional<std::int64_t> counted_tokens(std::string_view answer) {
    for (const auto& event : api::read_whole(api::Dialect::messages, answer)) {
        if (const auto* usage = std::get_if<api::Usage>(&event); usage != nullptr && usage->prompt > 0)
            return usage->prompt;
    }
    return std::nullopt;
}

}  // namespace lc::stream
