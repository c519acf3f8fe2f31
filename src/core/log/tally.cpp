#include "core/log/tally.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "core/log/describe.hpp"
#include "core/log/redact.hpp"

namespace lc::log {

namespace {

constexpr std::size_t max_text = 8 * preview_chars;  // enough for redaction to see whole keys

void append(std::string& to, std::string_view piece, std::size_t limit) {
    if (to.size() < limit) to.append(cut_utf8(piece, limit - to.size()));
}

struct Feed {
    ResponseTally& tally;

    ToolCallSummary* call(int index) const {
        const auto i = static_cast<std::size_t>(std::max(index, 0));
        return i < tally.calls.size() ? &tally.calls[i] : nullptr;
    }

    void operator()(const api::TextDelta& delta) const {
        tally.text_bytes += delta.text.size();
        if (delta.choice == 0) append(tally.text, delta.text, max_text);
    }
    void operator()(const api::ReasoningDelta& delta) const {
        tally.reasoning_bytes += delta.text.size();
        if (delta.choice == 0) append(tally.reasoning, delta.text, max_text);
    }
    void operator()(const api::ToolBegin& begin) const {
        ++tally.calls_seen;
        if (tally.calls.size() == max_logged_calls) return;
        tally.calls.push_back({printable(begin.id, 100), printable(begin.name, 100), {}, false, false});
    }
    void operator()(const api::ToolArguments& piece) const {
        ToolCallSummary* known = call(piece.index);
        if (known == nullptr) return;
        known->truncated = known->truncated || known->arguments.size() + piece.text.size() > max_arguments_bytes;
        append(known->arguments, piece.text, max_arguments_bytes);
        known->complete = false;
    }
    void operator()(const api::ToolEnd& end) const {
        if (ToolCallSummary* known = call(end.index)) known->complete = true;
    }
    void operator()(const api::Usage& usage) const {
        tally.usage = UsageSummary{usage.prompt, usage.completion, usage.total, usage.cached, usage.reasoning};
    }
    void operator()(const api::Timings& timings) const { tally.timings = timings; }
    void operator()(const api::Progress&) const {}
    void operator()(const api::Finish& finish) const {
        if (finish.choice == 0 || tally.finish_reason.empty()) tally.finish_reason = printable(finish.reason, 40);
    }
    void operator()(const api::StreamFailure& failure) const {
        if (!tally.error) tally.error = failure.error;
    }
    void operator()(const api::Done&) const {}
};

std::optional<double> speed(const ResponseTally& tally, const RequestRecord& record) {
    if (tally.timings && tally.timings->predicted_ms > 0 && tally.timings->predicted_n > 0) {
        return static_cast<double>(tally.timings->predicted_n) * 1000 / tally.timings->predicted_ms;
    }
    if (!record.usage || record.usage->completion < 2 || !record.ms.total || !record.ms.first_token)
        return std::nullopt;
    const double generating = *record.ms.total - *record.ms.first_token;
    if (generating <= 0) return std::nullopt;
    return static_cast<double>(record.usage->completion - 1) * 1000 / generating;  // the first token began the time
}

}  // namespace

void feed(ResponseTally& tally, const api::StreamEvent& event) {
    std::visit(Feed{tally}, event);
}

void conclude(const ResponseTally& tally, RequestRecord& record) {
    record.response_preview = safe_preview(tally.text);
    record.reasoning_preview = safe_preview(tally.reasoning);
    record.calls = tally.calls;
    for (auto& call : record.calls) {
        std::string clean = redact(call.arguments);
        if (clean.size() > max_arguments_bytes) clean = cut_utf8(clean, max_arguments_bytes);
        call.arguments = std::move(clean);
    }
    if (!tally.finish_reason.empty()) record.finish_reason = tally.finish_reason;
    record.usage = tally.usage;
    if (!record.usage && tally.timings) {
        const auto& t = *tally.timings;
        const std::int64_t prompt = t.cache_n + t.prompt_n;
        record.usage = UsageSummary{prompt, t.predicted_n, prompt + t.predicted_n, t.cache_n, std::nullopt};
    }
    record.tokens_per_second = speed(tally, record);
    if (tally.error && record.error_code.empty()) {
        record.error_code = name_of(tally.error->code);
        record.error_detail = redact(tally.error->detail);
    }
}

}  // namespace lc::log
