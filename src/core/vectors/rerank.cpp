#include "core/vectors/rerank.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/api/json_dom.hpp"
#include "core/api/json_scan.hpp"
#include "core/api/splice.hpp"
#include "core/vectors/embeddings.hpp"

namespace lc::vectors {

namespace {

/// A text, or the last `text` of an object; an empty range: neither.
api::Range text_in(std::string_view body, api::Range value) {
    if (body[value.begin] == '"') return value;
    api::Range found;
    if (body[value.begin] != '{') return found;
    api::scan_members(body, value.begin, [&](api::Range key, api::Range inner) {
        if (api::slice(body, key) == "\"text\"") found = body[inner.begin] == '"' ? inner : api::Range{};
    });
    return found;
}

Result<void> read_options(const api::RequestView& view, std::string_view body, RerankAsk& out) {
    out.top_n = out.documents.size();
    for (const auto* name : {"top_n", "top_k"}) {  // top_k: Voyage's name
        const auto* member = api::find(view, name);
        const auto text = member ? api::slice(body, member->value) : std::string_view();
        if (text.empty() || text == "null") continue;
        std::int64_t wanted = 0;
        const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), wanted);
        if (ec != std::errc{} || end != text.data() + text.size() || wanted < 1) {
            return fail(Errc::bad_request, "'" + std::string(name) + "' must be a number of at least 1");
        }
        out.top_n = std::min(out.top_n, static_cast<std::size_t>(wanted));
        break;
    }
    if (const auto* member = api::find(view, "return_documents")) {
        const auto text = api::slice(body, member->value);
        if (text != "true" && text != "false" && text != "null") {
            return fail(Errc::bad_request, "'return_documents' must be true or false");
        }
        out.return_documents = text == "true";
    }
    return {};
}

}  // namespace

Result<RerankAsk> parse_rerank(const api::RequestView& view, std::string_view body) {
    RerankAsk out;
    const auto* query = api::find(view, "query");
    if (query == nullptr) return fail(Errc::bad_request, "'query' is missing");
    out.query = text_in(body, query->value);
    if (out.query.empty()) return fail(Errc::bad_request, "'query' must be a text");
    const auto* documents = api::find(view, "documents");
    if (documents == nullptr) return fail(Errc::bad_request, "'documents' is missing");
    if (body[documents->value.begin] != '[') return fail(Errc::bad_request, "'documents' must be a list");
    std::size_t wrong = std::string_view::npos;
    api::scan_elements(body, documents->value.begin, [&](api::Range element) {
        const auto text = text_in(body, element);
        if (text.empty() && wrong == std::string_view::npos) wrong = out.documents.size();
        out.documents.push_back(text);
    });
    if (out.documents.empty()) return fail(Errc::bad_request, "'documents' is empty");
    if (wrong != std::string_view::npos) {
        return fail(Errc::bad_request, "'documents[" + std::to_string(wrong) + "]' must be a text, or an object with 'text'");
    }
    if (out.documents.size() > max_inputs) {
        return fail(Errc::bad_request, "'documents' has " + std::to_string(out.documents.size()) + " entries; " +
                                           std::to_string(max_inputs) + " are possible in one request");
    }
    if (auto ok = read_options(view, body, out); !ok) return tl::unexpected(ok.error());
    return out;
}

Result<RerankBatch> read_rerank(std::string_view body, std::size_t wanted) {
    const auto nonsense = [](std::string what) { return fail(Errc::upstream_error, "the engine's ranking makes no sense: " + what); };
    const auto parsed = api::parse_json(body);
    if (!parsed) return nonsense(parsed.error().detail);
    const auto results = api::member(parsed->root, "results");
    simdjson::dom::array list;
    if (!results || results->get(list) != simdjson::SUCCESS) return nonsense("no results");
    RerankBatch out;
    std::vector<bool> seen(wanted, false);
    for (const api::Json entry : list) {
        const auto index = api::integer_at(entry, "index", -1);
        const auto score = api::member(entry, "relevance_score");
        const auto value = score ? api::number_of(*score) : std::nullopt;
        if (index < 0 || static_cast<std::size_t>(index) >= wanted || seen[static_cast<std::size_t>(index)]) {
            return nonsense("an index is wrong");
        }
        if (!value || !std::isfinite(*value)) return nonsense("a score is no number; is it a model for reranking?");
        seen[static_cast<std::size_t>(index)] = true;
        out.scores.push_back({static_cast<std::size_t>(index), *value});
    }
    if (out.scores.size() != wanted) return nonsense(std::to_string(out.scores.size()) + " scores for " + std::to_string(wanted) + " documents");
    if (const auto usage = api::member(parsed->root, "usage")) out.tokens = api::integer_at(*usage, "prompt_tokens");
    return out;
}

std::vector<Score> best(std::vector<Score> scores, std::size_t top_n) {
    std::sort(scores.begin(), scores.end(), [](const Score& a, const Score& b) {
        return a.value != b.value ? a.value > b.value : a.index < b.index;
    });
    if (scores.size() > top_n) scores.resize(top_n);
    return scores;
}

std::string encode(const RerankAnswer& about, const RerankAsk& ask, std::string_view body, const std::vector<Score>& results) {
    std::string out = R"({"id":)" + api::json_quote(about.id) + R"(,"object":"list","model":)" + api::json_quote(about.model) +
                      R"(,"results":[)";
    char text[40];
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (i > 0) out.push_back(',');
        out += R"({"index":)" + std::to_string(results[i].index) + R"(,"relevance_score":)";
        out.append(text, std::to_chars(text, text + sizeof text, results[i].value).ptr);
        if (ask.return_documents) {
            out += R"(,"document":{"text":)";
            out += api::slice(body, ask.documents[results[i].index]);
            out.push_back('}');
        }
        out.push_back('}');
    }
    const std::string tokens = std::to_string(about.tokens);
    return out + R"(],"usage":{"prompt_tokens":)" + tokens + R"(,"total_tokens":)" + tokens + "}}";
}

}  // namespace lc::vectors
