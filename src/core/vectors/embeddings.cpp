#include "core/vectors/embeddings.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/base64.hpp"
#include "core/api/json_dom.hpp"
#include "core/api/json_scan.hpp"
#include "core/api/splice.hpp"

namespace lc::vectors {

static_assert(std::endian::native == std::endian::little, "vectors travel as little-endian floats");

namespace {

bool is_number(std::string_view json) { return !json.empty() && (json.front() == '-' || (json.front() >= '0' && json.front() <= '9')); }

Result<void> check_tokens(std::string_view body, api::Range list, const std::string& name) {
    bool good = true, any = false;
    api::scan_elements(body, list.begin, [&](api::Range element) {
        const auto text = api::slice(body, element);
        any = true;
        good = good && text.size() <= 10 && text.find_first_not_of("0123456789") == std::string_view::npos;
    });
    if (!any) return fail(Errc::bad_request, "'" + name + "' is empty");
    if (!good) return fail(Errc::bad_request, "'" + name + "' must hold token numbers only");
    return {};
}

Result<void> read_options(const api::RequestView& view, std::string_view body, EmbeddingsAsk& out) {
    if (const auto* member = api::find(view, "encoding_format")) {
        const auto text = api::slice(body, member->value);
        if (text == "\"base64\"") {
            out.base64 = true;
        } else if (text != "\"float\"" && text != "null") {
            return fail(Errc::bad_request, "'encoding_format' must be \"float\" or \"base64\"");
        }
    }
    if (const auto* member = api::find(view, "dimensions")) {
        const auto text = api::slice(body, member->value);
        if (text == "null") return {};
        const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out.dimensions);
        if (ec != std::errc{} || end != text.data() + text.size() || out.dimensions < 1) {
            return fail(Errc::bad_request, "'dimensions' must be a number of at least 1");
        }
    }
    return {};
}

}  // namespace

Result<EmbeddingsAsk> parse_embeddings(const api::RequestView& view, std::string_view body) {
    EmbeddingsAsk out;
    const auto* input = api::find(view, "input");
    if (input == nullptr) input = api::find(view, "content");  // llama.cpp's name for it
    if (input == nullptr) return fail(Errc::bad_request, "'input' is missing: a text, a list of texts, or lists of tokens");
    if (auto ok = read_options(view, body, out); !ok) return tl::unexpected(ok.error());
    const char kind = body[input->value.begin];
    if (kind == '"') {
        out.inputs.push_back(input->value);
        return out;
    }
    if (kind != '[') return fail(Errc::bad_request, "'input' must be a text, a list of texts, or lists of tokens");
    bool numbers = false;
    api::scan_elements(body, input->value.begin, [&](api::Range element) {
        numbers = numbers || is_number(api::slice(body, element));
        out.inputs.push_back(element);
    });
    if (out.inputs.empty()) return fail(Errc::bad_request, "'input' is empty");
    if (numbers) {  // one text, as tokens
        if (auto ok = check_tokens(body, input->value, "input"); !ok) return tl::unexpected(ok.error());
        out.inputs = {input->value};
        return out;
    }
    if (out.inputs.size() > max_inputs) {
        return fail(Errc::bad_request, "'input' has " + std::to_string(out.inputs.size()) + " texts; " +
                                           std::to_string(max_inputs) + " are possible in one request");
    }
    for (std::size_t i = 0; i < out.inputs.size(); ++i) {
        const char first = body[out.inputs[i].begin];
        const std::string name = "input[" + std::to_string(i) + "]";
        if (first == '"') continue;
        if (first != '[') return fail(Errc::bad_request, "'" + name + "' must be a text or a list of tokens");
        if (auto ok = check_tokens(body, out.inputs[i], name); !ok) return tl::unexpected(ok.error());
    }
    return out;
}

std::string list_of(std::string_view body, const std::vector<api::Range>& items, std::size_t begin, std::size_t end) {
    std::string out = "[";
    for (std::size_t i = begin; i < end; ++i) {
        if (i > begin) out.push_back(',');
        out += api::slice(body, items[i]);
    }
    return out + "]";
}

std::size_t batch_end(const std::vector<api::Range>& items, std::size_t begin, std::size_t max_items, std::size_t max_bytes) {
    std::size_t end = begin, bytes = 0;
    while (end < items.size() && end - begin < max_items) {
        bytes += items[end].end - items[end].begin;
        if (end > begin && bytes > max_bytes) break;
        ++end;
    }
    return end;
}

Result<EmbeddingsBatch> read_embeddings(std::string_view body, std::size_t wanted) {
    const auto nonsense = [](std::string what) { return fail(Errc::upstream_error, "the engine's embeddings make no sense: " + what); };
    const auto parsed = api::parse_json(body);
    if (!parsed) return nonsense(parsed.error().detail);
    const auto data = api::member(parsed->root, "data");
    simdjson::dom::array list;
    if (!data || data->get(list) != simdjson::SUCCESS) return nonsense("no data");
    EmbeddingsBatch out;
    out.vectors.resize(wanted);
    std::size_t count = 0;
    for (const api::Json entry : list) {
        const auto index = api::integer_at(entry, "index", -1);
        if (index < 0 || static_cast<std::size_t>(index) >= wanted || !out.vectors[static_cast<std::size_t>(index)].empty()) {
            return nonsense("an index is wrong");
        }
        const auto bytes = from_base64(api::text_at(entry, "embedding"));
        if (!bytes || bytes->empty() || bytes->size() % sizeof(float) != 0) return nonsense("a vector is damaged");
        auto& vector = out.vectors[static_cast<std::size_t>(index)];
        vector.resize(bytes->size() / sizeof(float));
        std::memcpy(vector.data(), bytes->data(), bytes->size());
        ++count;
    }
    if (count != wanted) return nonsense(std::to_string(count) + " vectors for " + std::to_string(wanted) + " texts");
    if (const auto usage = api::member(parsed->root, "usage")) out.tokens = api::integer_at(*usage, "prompt_tokens");
    return out;
}

Result<void> shorten(std::vector<float>& vector, std::int64_t dimensions) {
    if (dimensions == 0) return {};
    if (static_cast<std::uint64_t>(dimensions) > vector.size()) {
        return fail(Errc::bad_request, "'dimensions' is " + std::to_string(dimensions) + ", but the model's vectors have " +
                                           std::to_string(vector.size()));
    }
    vector.resize(static_cast<std::size_t>(dimensions));
    double sum = 0;
    for (const float value : vector) sum += static_cast<double>(value) * static_cast<double>(value);
    if (!(sum > 0)) return {};
    const double length = std::sqrt(sum);
    for (float& value : vector) value = static_cast<float>(static_cast<double>(value) / length);
    return {};
}

Result<void> add(EmbeddingsAnswer& answer, const std::vector<float>& vector) {
    auto& out = answer.data;
    if (answer.count > 0) out.push_back(',');
    out += R"({"object":"embedding","index":)" + std::to_string(answer.count++) + R"(,"embedding":)";
    for (const float value : vector) {
        if (!std::isfinite(value)) return fail(Errc::upstream_error, "the engine's vector holds what is no number");
    }
    if (answer.base64) {
        out += '"' + to_base64({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)}) + "\"}";
        return {};
    }
    out.push_back('[');
    char text[32];
    for (std::size_t i = 0; i < vector.size(); ++i) {
        if (i > 0) out.push_back(',');
        out.append(text, std::to_chars(text, text + sizeof text, vector[i]).ptr);
    }
    out += "]}";
    return {};
}

std::string finish(const EmbeddingsAnswer& answer, std::string_view model) {
    const std::string tokens = std::to_string(answer.tokens);
    return R"({"object":"list","data":[)" + answer.data + R"(],"model":)" + api::json_quote(model) + R"(,"usage":{"prompt_tokens":)" +
           tokens + R"(,"total_tokens":)" + tokens + "}}";
}

}  // namespace lc::vectors
