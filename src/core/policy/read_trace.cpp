#include "core/policy/read_trace.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "core/api/json_dom.hpp"
#include "core/policy/mix.hpp"

namespace lc::policy {

namespace {

constexpr std::size_t max_blocks_of_one = 1u << 20;
constexpr std::int64_t max_ms = std::int64_t{1} << 53;

using policy::mix;
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    return mix(mix(a) + b);
}

/// FNV-1a; 0 only for the empty text.
std::uint64_t hash_of(std::string_view text) {
    if (text.empty()) return 0;
    std::uint64_t h = 0xcbf2'9ce4'8422'2325;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
    return h | 1;
}

std::uint64_t id_at(api::Json object, std::string_view key) {
    const auto value = api::member(object, key);
    if (!value) return 0;
    if (const auto number = api::integer_of(*value)) return mix(static_cast<std::uint64_t>(*number)) | 1;
    return hash_of(api::text_of(*value));
}

Result<std::uint32_t> length_at(api::Json object, std::string_view key) {
    const auto value = api::member(object, key);
    if (!value) return 0u;
    const auto number = api::integer_of(*value);
    if (!number || *number < 0 || *number > 1'000'000'000) {
        return fail(Errc::bad_request, std::string(key) + " is no number of tokens");
    }
    return static_cast<std::uint32_t>(*number);
}

Result<void> read_object(Trace& trace, api::Json object) {
    if (api::type_name(object) != "object") return fail(Errc::bad_request, "no JSON object");
    const auto ids = api::member(object, "hash_ids");
    if (!ids || api::type_name(*ids) != "array") return fail(Errc::bad_request, "no array hash_ids");
    const auto stamp = api::member(object, "timestamp");
    const auto at = stamp ? api::number_of(*stamp) : std::nullopt;
    if (!at || !(*at >= 0) || *at > static_cast<double>(max_ms)) return fail(Errc::bad_request, "no timestamp in ms");
    const auto input = length_at(object, "input_length"), output = length_at(object, "output_length");
    if (!input) return tl::unexpected(input.error());
    if (!output) return tl::unexpected(output.error());
    TraceRequest r;
    r.at_ms = static_cast<std::int64_t>(*at);
    r.first_block = trace.blocks.size();
    r.input = *input;
    r.output = *output;
    r.session = id_at(object, "session");
    r.parent = id_at(object, "parent");
    const auto kind = api::text_at(object, "kind");
    r.kind = kind.empty() ? Kind::main : kind_named(kind);
    const auto cancelled = api::member(object, "cancelled");
    r.finish =
        finish_named(api::text_at(object, "finish_reason"), cancelled && cancelled->is_bool() && bool(*cancelled));
    std::uint64_t name = 0;
    for (const api::Json id : ids->get_array()) {
        const auto number = id.type() == simdjson::dom::element_type::DOUBLE ? std::nullopt : api::integer_of(id);
        if (!number) return fail(Errc::bad_request, "hash_ids has something else than whole numbers");
        if (trace.blocks.size() - r.first_block >= max_blocks_of_one)
            return fail(Errc::bad_request, "too many hash_ids");
        name = mix(name, static_cast<std::uint64_t>(*number));
        trace.blocks.push_back(name);
    }
    r.n_blocks = static_cast<std::uint32_t>(trace.blocks.size() - r.first_block);
    const auto took = api::member(object, "prefill_ms");
    const auto ms = took ? api::number_of(*took) : std::nullopt;
    if (ms && *ms > 0 && *ms < 1e9 && r.n_blocks > 0) {
        r.prefill_ms_per_block = static_cast<float>(*ms / r.n_blocks);
    }
    if (r.n_blocks > 0) trace.requests.push_back(r);
    return {};
}

}  // namespace

Kind kind_named(std::string_view name) {
    if (name == "main") return Kind::main;
    if (name == "subagent") return Kind::subagent;
    if (name == "title") return Kind::title;
    if (name == "compaction") return Kind::compaction;
    return Kind::other;
}

Finish finish_named(std::string_view name, bool cancelled) {
    if (cancelled) return Finish::gone;
    if (name == "stop" || name == "end_turn" || name == "stop_sequence" || name == "completed") return Finish::stop;
    if (name == "tool_calls" || name == "tool_use" || name == "function_call") return Finish::tool_calls;
    if (name == "length" || name == "max_tokens" || name == "incomplete") return Finish::length;
    return Finish::unknown;
}

Result<void> read_line(Trace& trace, std::string_view line, std::size_t number) {
    const auto at = [number](std::string what) {
        return fail(Errc::bad_request, "line " + std::to_string(number) + ": " + std::move(what));
    };
    if (trim(line).empty()) return {};
    if (line.size() > max_trace_line) return at("longer than " + std::to_string(max_trace_line) + " bytes");
    if (trace.requests.size() >= max_trace_requests) return at("too many requests");
    if (trace.blocks.size() >= max_trace_blocks) return at("too many blocks");
    const auto json = api::parse_json(line, 16);
    if (!json) return at("no JSON: " + json.error().detail);
    const auto before = trace.blocks.size();
    if (const auto done = read_object(trace, json->root); !done) {
        trace.blocks.resize(before);
        return at(done.error().detail);
    }
    return {};
}

void finish(Trace& trace) {
    std::stable_sort(trace.requests.begin(), trace.requests.end(),
                     [](const TraceRequest& a, const TraceRequest& b) { return a.at_ms < b.at_ms; });
    std::size_t best = 0;
    for (std::uint32_t size = 16; size <= 8192; size *= 2) {
        const auto fits = static_cast<std::size_t>(
            std::count_if(trace.requests.begin(), trace.requests.end(), [size](const TraceRequest& r) {
                return r.input > 0 && (std::uint64_t{r.input} + size - 1) / size == r.n_blocks;
            }));
        if (fits <= best) continue;
        best = fits;
        trace.block_tokens = size;
    }
}

Trace trace_of(const std::vector<LoggedRequest>& log, std::uint32_t block_tokens) {
    Trace trace;
    trace.block_tokens = block_tokens;
    double tokens = 0, bytes = 0;
    for (const auto& r : log) {
        std::uint64_t own = 0;
        for (const auto& [key, n] : r.prefix) own += n;
        if (r.prompt == 0 || own == 0) continue;
        tokens += r.prompt;
        bytes += static_cast<double>(own);
    }
    const double per_byte = bytes > 0 ? tokens / bytes : 0.25;
    for (const auto& logged : log) {
        TraceRequest r;
        r.at_ms = logged.at_ms;
        r.first_block = trace.blocks.size();
        r.output = logged.output;
        r.session = hash_of(logged.session);
        r.parent = hash_of(logged.parent);
        r.kind = kind_named(logged.kind);
        r.finish = finish_named(logged.finish_reason, logged.cancelled);
        const auto scope = mix(hash_of(logged.model), hash_of(logged.name_space));
        double at = 0;
        std::uint64_t n = 0, last = 0;
        for (const auto& [key, piece] : logged.prefix) {
            at += piece * per_byte;
            last = mix(scope, key);
            for (; static_cast<double>((n + 1) * block_tokens) <= at && n < max_blocks_of_one; ++n) {
                trace.blocks.push_back(mix(last, n));
            }
        }
        r.input = static_cast<std::uint32_t>(std::min(std::llround(at), 1'000'000'000ll));
        if (at > static_cast<double>(n * block_tokens) && n < max_blocks_of_one) trace.blocks.push_back(mix(last, ~n));
        r.n_blocks = static_cast<std::uint32_t>(trace.blocks.size() - r.first_block);
        if (logged.prefill_ms > 0 && logged.prefilled > 0) {
            r.prefill_ms_per_block = static_cast<float>(logged.prefill_ms * block_tokens / logged.prefilled);
        }
        if (r.n_blocks > 0) trace.requests.push_back(r);
    }
    std::stable_sort(trace.requests.begin(), trace.requests.end(),
                     [](const TraceRequest& a, const TraceRequest& b) { return a.at_ms < b.at_ms; });
    return trace;
}

}  // namespace lc::policy
