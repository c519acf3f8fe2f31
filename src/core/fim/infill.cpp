#include "core/fim/infill.hpp"

#include "core/api/json_dom.hpp"
#include "core/api/json_scan.hpp"
#include "core/api/splice.hpp"

namespace lc::fim {

namespace {

std::string_view raw(const api::RequestView& view, std::string_view body, std::string_view key) {
    const auto* member = api::find(view, key);
    const auto text = member ? api::slice(body, member->value) : std::string_view();
    return text == "null" ? std::string_view() : text;
}

/// The dialect's chunk with these choices, as a frame.
sse::Frame chunk(const Stream& stream, const std::string& choices, const std::string& more) {
    const bool chat = stream.dialect == api::Dialect::fim;
    sse::Frame out;
    out.has_data = true;
    out.data = R"({"id":)" + api::json_quote(stream.id) + R"(,"object":")" + (chat ? "chat.completion.chunk" : "text_completion") +
               R"(","created":)" + std::to_string(stream.created) + R"(,"model":)" + api::json_quote(stream.model) +
               R"(,"choices":[)" + choices + "]" + more + "}";
    out.raw = "data: " + out.data + "\n\n";
    return out;
}

std::string choice(const Stream& stream, std::string_view text, std::string_view finish) {
    const std::string end = finish.empty() ? "null" : api::json_quote(finish);
    if (stream.dialect == api::Dialect::fim) {
        const std::string delta = text.empty() && !finish.empty() ? "{}" : R"({"role":"assistant","content":)" + api::json_quote(text) + "}";
        return R"({"index":0,"delta":)" + delta + R"(,"finish_reason":)" + end + "}";
    }
    return R"({"index":0,"text":)" + api::json_quote(text) + R"(,"logprobs":null,"finish_reason":)" + end + "}";
}

std::string usage_text(const api::Usage& usage) {
    std::string out = R"("usage":{"prompt_tokens":)" + std::to_string(usage.prompt) + R"(,"completion_tokens":)" +
                      std::to_string(usage.completion) + R"(,"total_tokens":)" + std::to_string(usage.total);
    if (usage.cached) out += R"(,"prompt_tokens_details":{"cached_tokens":)" + std::to_string(*usage.cached) + "}";
    return out + "}";
}

std::string timings_of(const sse::Frame& frame) {
    const auto parsed = api::parse_json(frame.data);
    const auto timings = parsed ? api::member(parsed->root, "timings") : std::nullopt;
    return timings ? R"(,"timings":)" + std::string(simdjson::minify(*timings)) : std::string();
}

}  // namespace

bool asks_infill(const api::RequestView& view, std::string_view body) {
    if (view.dialect == api::Dialect::fim) return true;
    if (view.dialect != api::Dialect::completions) return false;
    const auto suffix = raw(view, body, "suffix");
    return !suffix.empty() && suffix != "\"\"";
}

Result<std::string> to_infill(const api::RequestView& view, std::string_view body) {
    const auto prompt = raw(view, body, "prompt"), suffix = raw(view, body, "suffix");
    if (prompt.empty() || prompt.front() != '"') return fail(Errc::bad_request, "'prompt' must be a text where there is a suffix");
    if (!suffix.empty() && suffix.front() != '"') return fail(Errc::bad_request, "'suffix' must be a text");
    if (raw(view, body, "echo") == "true") return fail(Errc::unsupported, "'echo' is not possible together with a suffix");
    for (const auto* key : {"n", "best_of"}) {
        const auto count = raw(view, body, key);
        if (!count.empty() && count != "1") return fail(Errc::unsupported, "'" + std::string(key) + "' must be 1 where there is a suffix");
    }
    std::vector<api::Splice> splices;
    for (const auto* key : {"prompt", "suffix", "echo", "n", "best_of", "random_seed", "min_tokens"}) {
        if (api::find(view, key)) api::remove_member(view, body, key, splices);
    }
    api::set_member(view, body, "input_prefix", prompt, splices);
    api::set_member(view, body, "input_suffix", suffix.empty() ? "\"\"" : suffix, splices);
    if (const auto seed = raw(view, body, "random_seed"); !seed.empty()) api::set_member(view, body, "seed", seed, splices);
    return api::apply(body, std::move(splices));
}

std::vector<sse::Frame> translate(Stream& stream, const sse::Frame& frame) {
    if (!frame.has_data || api::is_progress_only(frame)) return {frame};
    stream.reader.dialect = api::Dialect::infill;
    std::vector<sse::Frame> out;
    std::string finish;
    api::Usage usage;
    bool done = false;
    for (const auto& event : api::read(stream.reader, frame)) {
        if (std::holds_alternative<api::StreamFailure>(event)) return {frame};
        if (const auto* text = std::get_if<api::TextDelta>(&event); text && !text->text.empty()) {
            out.push_back(chunk(stream, choice(stream, text->text, {}), {}));
        }
        if (const auto* end = std::get_if<api::Finish>(&event)) finish = end->reason;
        if (const auto* counted = std::get_if<api::Usage>(&event)) usage = *counted;
        done = done || std::holds_alternative<api::Done>(event);
    }
    if (!done) return out;
    // Mistral's last chunk has the usage in it; OpenAI's comes in one of its own, for who asked.
    const bool inside = stream.dialect == api::Dialect::fim;
    std::string more = timings_of(frame);
    if (inside) more += "," + usage_text(usage);
    out.push_back(chunk(stream, choice(stream, {}, finish), more));
    if (!inside && stream.include_usage) out.push_back(chunk(stream, {}, "," + usage_text(usage)));
    sse::Frame last;
    last.has_data = true;
    last.data = "[DONE]";
    last.raw = "data: [DONE]\n\n";
    out.push_back(std::move(last));
    return out;
}

}  // namespace lc::fim
