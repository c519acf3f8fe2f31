#include "core/gguf/gguf.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <variant>

#include "core/gguf/reader.hpp"
#include "core/gguf/types.hpp"

namespace lc::gguf {

namespace {

// Sane limits: far above every real model, far below what could hurt us.
constexpr std::uint64_t max_metadata = 1 << 20;
constexpr std::uint64_t max_tensors = 1 << 20;
constexpr std::uint64_t max_key_bytes = 65535;  // the format's own
constexpr std::uint64_t max_string_bytes = 64u << 20;
constexpr std::uint64_t max_kept_array = 65536;  // arrays per layer; vocabularies are only counted
constexpr std::int64_t max_layers = 65536;
constexpr std::int64_t max_dimension = std::int64_t{1} << 40;

enum class Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

std::uint64_t width(Type type) {
    switch (type) {
        case Type::u8:
        case Type::i8:
        case Type::boolean: return 1;
        case Type::u16:
        case Type::i16: return 2;
        case Type::u32:
        case Type::i32:
        case Type::f32: return 4;
        case Type::u64:
        case Type::i64:
        case Type::f64: return 8;
        case Type::string:
        case Type::array: return 0;
    }
    return 0;
}

/// A metadata value as far as it matters here; integers of every width become i64.
using Value = std::variant<std::int64_t, double, std::string_view, std::vector<std::int64_t>>;
using Metadata = std::map<std::string_view, Value, std::less<>>;

struct Tokens {
    std::uint64_t count = 0;
    bool fim = false;
};

/// Texts by which llama.cpp finds the token that begins the part before the hole.
bool is_fim_prefix(std::string_view token) {
    static constexpr std::array<std::string_view, 8> texts = {"<|fim_prefix|>",  "<fim-prefix>", "<fim_prefix>",
                                                              "<｜fim▁begin｜>", "<PRE>",        "▁<PRE>",
                                                              "<|code_prefix|>", "<|prefix|>"};
    return std::find(texts.begin(), texts.end(), token) != texts.end();
}

Value scalar(Reader& in, Type type) {
    switch (type) {
        case Type::u8: return std::int64_t{in.number<std::uint8_t>()};
        case Type::i8: return std::int64_t{in.number<std::int8_t>()};
        case Type::boolean: return std::int64_t{in.number<std::uint8_t>() != 0};
        case Type::u16: return std::int64_t{in.number<std::uint16_t>()};
        case Type::i16: return std::int64_t{in.number<std::int16_t>()};
        case Type::u32: return std::int64_t{in.number<std::uint32_t>()};
        case Type::i32: return std::int64_t{in.number<std::int32_t>()};
        case Type::f32: return double{in.number<float>()};
        case Type::f64: return in.number<double>();
        case Type::i64: return in.number<std::int64_t>();
        case Type::u64: {
            const auto value = in.number<std::uint64_t>();
            return static_cast<std::int64_t>(
                std::min<std::uint64_t>(value, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
        }
        case Type::string: return in.string(max_string_bytes, "a text");
        case Type::array: break;
    }
    in.damaged("unknown value type");
    return std::int64_t{0};
}

bool known(std::uint32_t type) {
    return type <= static_cast<std::uint32_t>(Type::f64);
}

/// Arrays of numbers up to `max_kept_array` are kept, others skipped; string arrays are counted and searched.
Value array(Reader& in, std::string_view key, Tokens& tokens) {
    const auto element = in.number<std::uint32_t>();
    const auto count = in.number<std::uint64_t>();
    std::vector<std::int64_t> kept;
    if (!in.ok()) return kept;
    if (!known(element) || static_cast<Type>(element) == Type::array) {
        in.damaged("array of unknown type " + std::to_string(element) + " in " + std::string(key));
        return kept;
    }
    const auto type = static_cast<Type>(element);
    const bool vocabulary = key == "tokenizer.ggml.tokens";
    if (vocabulary) tokens.count = count;
    if (type == Type::string) {
        // Each turn consumes eight bytes or fails, so a huge count ends where the bytes end.
        for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
            const std::string_view text = in.string(max_string_bytes, "a text");
            if (vocabulary && is_fim_prefix(text)) tokens.fim = true;
        }
    } else if (count <= max_kept_array && type != Type::f32 && type != Type::f64) {
        for (std::uint64_t i = 0; i < count && in.ok(); ++i) kept.push_back(std::get<std::int64_t>(scalar(in, type)));
    } else if (count > std::numeric_limits<std::uint64_t>::max() / width(type)) {
        in.damaged("array of " + std::to_string(count) + " values in " + std::string(key));
    } else {
        in.take(count * width(type));
    }
    return kept;
}

std::optional<std::int64_t> integer(const Metadata& meta, std::string_view key) {
    const auto it = meta.find(key);
    if (it == meta.end()) return std::nullopt;
    if (const auto* value = std::get_if<std::int64_t>(&it->second)) return *value;
    return std::nullopt;
}

double real(const Metadata& meta, std::string_view key) {
    const auto it = meta.find(key);
    if (it == meta.end()) return 0;
    if (const auto* value = std::get_if<double>(&it->second)) return *value;
    if (const auto* value = std::get_if<std::int64_t>(&it->second)) return static_cast<double>(*value);
    return 0;
}

constexpr std::size_t max_name_bytes = 300;

/// Length of the well-formed UTF-8 character at the beginning, 0 when there is none.
std::size_t character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return 0;
    }
    const unsigned second = byte(1);
    const bool bad = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90) ||
                     (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
    return bad ? 0 : size;
}

/// For people and for JSON: what is not UTF-8 becomes '?', control characters become spaces.
std::string readable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t size = character(text);
        const auto c = static_cast<unsigned char>(text.front());
        if (size == 0) {
            out += '?';
        } else if (size == 1 && (c < 0x20 || c == 0x7f)) {
            out += ' ';
        } else {
            out += text.substr(0, size);
        }
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

std::string text(const Metadata& meta, std::string_view key) {
    const auto it = meta.find(key);
    if (it == meta.end()) return {};
    const auto* value = std::get_if<std::string_view>(&it->second);
    return value == nullptr ? std::string() : std::string(*value);
}

/// A value given once for all layers or as one per layer; `fallback` where the file is silent.
std::vector<std::int64_t> per_layer(const Metadata& meta, const std::string& key, std::int64_t layers,
                                    std::int64_t fallback) {
    std::vector<std::int64_t> out(static_cast<std::size_t>(layers), fallback);
    const auto it = meta.find(key);
    if (it == meta.end()) return out;
    if (const auto* one = std::get_if<std::int64_t>(&it->second)) {
        std::fill(out.begin(), out.end(), *one);
    } else if (const auto* many = std::get_if<std::vector<std::int64_t>>(&it->second)) {
        std::copy_n(many->begin(), std::min(many->size(), out.size()), out.begin());
    }
    return out;
}

/// A count or size: negative or absurd values are damage, not something to compute with.
std::int64_t sane(std::int64_t value, std::int64_t most, const std::string& what, std::string& problem) {
    if (value >= 0 && value <= most) return value;
    if (problem.empty()) problem = what + " is " + std::to_string(value);
    return 0;
}

std::vector<bool> window_layers(const Metadata& meta, Info& info, const std::string& prefix) {
    const auto layers = static_cast<std::size_t>(info.layers);
    std::vector<bool> out(layers, false);
    WindowPattern pattern = window_pattern(info.architecture, info.layers);
    const auto it = meta.find(prefix + "attention.sliding_window_pattern");
    const auto* flags = it == meta.end() ? nullptr : std::get_if<std::vector<std::int64_t>>(&it->second);
    if (it != meta.end() && flags == nullptr && std::holds_alternative<std::int64_t>(it->second)) {
        pattern.period = std::get<std::int64_t>(it->second);
    }
    if (info.sliding_window == 0) info.sliding_window = pattern.window;
    if (info.sliding_window == 0) return out;
    for (std::size_t i = 0; i < layers; ++i) {
        if (flags != nullptr) {
            out[i] = i < flags->size() && (*flags)[i] != 0;
        } else if (pattern.period > 0) {
            const auto at = static_cast<std::int64_t>(i) % pattern.period;
            out[i] = pattern.full_first ? at != 0 : at < pattern.period - 1;
        }
    }
    if (std::find(out.begin(), out.end(), true) == out.end()) info.sliding_window = 0;
    return out;
}

bool is_recurrent(const Metadata& meta, const std::string& prefix) {
    for (const auto& [key, value] : meta) {
        if (!key.starts_with(prefix)) continue;
        const std::string_view rest = key.substr(prefix.size());
        for (const std::string_view mark : {"ssm.", "wkv.", "shortconv.", "kda.", "linear_attn."}) {
            if (rest.starts_with(mark)) return true;
        }
    }
    return false;
}

void read_model(const Metadata& meta, Info& info, std::string& problem) {
    const std::string prefix = info.architecture + ".";
    const auto count = [&](const char* key, std::int64_t most) {
        return sane(integer(meta, prefix + key).value_or(0), most, prefix + key, problem);
    };
    info.context_train = count("context_length", max_dimension);
    info.layers = count("block_count", max_layers);
    info.embedding = count("embedding_length", max_dimension);
    info.heads = per_layer(meta, prefix + "attention.head_count", std::max<std::int64_t>(info.layers, 1), 0).front();
    info.heads = sane(info.heads, max_dimension, prefix + "attention.head_count", problem);
    info.layer_heads_kv = per_layer(meta, prefix + "attention.head_count_kv", info.layers, info.heads);
    for (const auto heads : info.layer_heads_kv) {
        info.heads_kv =
            std::max(info.heads_kv, sane(heads, max_dimension, prefix + "attention.head_count_kv", problem));
    }
    const std::int64_t head = info.heads > 0 ? info.embedding / info.heads : 0;
    info.key_length =
        integer(meta, prefix + "attention.key_length") ? count("attention.key_length", max_dimension) : head;
    info.value_length =
        integer(meta, prefix + "attention.value_length") ? count("attention.value_length", max_dimension) : head;
    // Latent attention: the rows of K hold everything, there is no V.
    if (count("attention.kv_lora_rank", max_dimension) > 0 && count("attention.key_length_mla", max_dimension) > 0) {
        info.value_length = 0;
    }
    info.recurrent = is_recurrent(meta, prefix);
    const std::int64_t interval = count("full_attention_interval", max_layers);
    if (info.recurrent && interval > 1) {
        for (std::int64_t i = 0; i < info.layers; ++i) {
            if ((i + 1) % interval != 0) info.layer_heads_kv[static_cast<std::size_t>(i)] = 0;
        }
    }
    info.sliding_window = count("attention.sliding_window", max_dimension);
    info.layer_window = window_layers(meta, info, prefix);
    info.causal = integer(meta, prefix + "attention.causal").value_or(1) != 0;
    switch (integer(meta, prefix + "pooling_type").value_or(0)) {
        case 1: info.pooling = "mean"; break;
        case 2: info.pooling = "cls"; break;
        case 3: info.pooling = "last"; break;
        case 4: info.pooling = "rank"; break;
        default: break;
    }
    info.rope_scaling = text(meta, prefix + "rope.scaling.type");
    if (info.rope_scaling == "none") info.rope_scaling.clear();
    info.rope_scaling_factor = real(meta, prefix + "rope.scaling.factor");
    info.context_original = count("rope.scaling.original_context_length", max_dimension);
    info.projects_images = integer(meta, prefix + "vision.projection_dim").has_value();
    info.projects_audio = integer(meta, prefix + "audio.projection_dim").has_value();
    info.projection = integer(meta, prefix + "vision.projection_dim") ? count("vision.projection_dim", max_dimension)
                                                                      : count("audio.projection_dim", max_dimension);
    info.rope = uses_rope(info.architecture);
}

std::string quantisation_of(const Metadata& meta, const std::map<std::uint32_t, std::int64_t>& elements_by_type) {
    if (const auto id = integer(meta, "general.file_type")) {
        if (const auto name = file_type(*id); !name.empty()) return std::string(name);
    }
    const auto most = std::max_element(elements_by_type.begin(), elements_by_type.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == elements_by_type.end() ? std::string() : std::string(tensor_type(most->first).name);
}

constexpr std::uint64_t max_data_bytes = std::uint64_t{1} << 50;

/// Shape, type and place of one tensor; returns where its data ends, counted from the start of the data.
std::uint64_t tensor(Reader& in, Info& info, std::map<std::uint32_t, std::int64_t>& elements_by_type) {
    const std::string name(in.string(max_key_bytes, "a tensor's name"));
    const auto dimensions = in.number<std::uint32_t>();
    if (in.ok() && dimensions > 4) in.damaged("tensor " + name + " has " + std::to_string(dimensions) + " dimensions");
    std::uint64_t elements = 1, row = 1;
    for (std::uint32_t d = 0; d < dimensions && in.ok(); ++d) {
        const auto size = in.number<std::uint64_t>();
        if (size == 0 || size > max_data_bytes || elements > max_data_bytes / size) {
            if (in.ok()) in.damaged("tensor " + name + " has an impossible shape");
            return 0;
        }
        elements *= size;
        if (d == 0) row = size;
    }
    const auto id = in.number<std::uint32_t>();
    const auto offset = in.number<std::uint64_t>();
    if (!in.ok()) return 0;
    const TensorType type = tensor_type(id);
    if (offset > max_data_bytes) in.damaged("tensor " + name + " lies outside every file");
    info.parameters += static_cast<std::int64_t>(elements);
    if (info.parameters > static_cast<std::int64_t>(max_data_bytes)) in.damaged("more parameters than any model has");
    elements_by_type[id] += static_cast<std::int64_t>(elements);
    // A type that is newer than this table: the engine may know it; only the size of the file stays unchecked.
    if (type.name.empty()) return offset;
    if (row % static_cast<std::uint64_t>(type.block) != 0)
        in.damaged("tensor " + name + " has rows that are not whole blocks");
    return offset + elements / static_cast<std::uint64_t>(type.block) * static_cast<std::uint64_t>(type.bytes);
}

}  // namespace

Result<Info> parse(std::string_view header) {
    constexpr std::string_view magic = "GGUF";
    if (!header.starts_with(magic.substr(0, std::min(header.size(), magic.size())))) {
        return fail(Errc::bad_request, "not a GGUF file (it does not begin with 'GGUF')");
    }
    Reader in(header);
    in.take(magic.size());
    Info info;
    info.version = in.number<std::uint32_t>();
    if (in.ok() && (info.version & 0xffff) == 0 && info.version != 0) {
        return fail(Errc::bad_request, "a big-endian GGUF file; convert it for this machine");
    }
    if (in.ok() && info.version != 2 && info.version != 3) {
        return fail(Errc::bad_request,
                    "GGUF version " + std::to_string(info.version) + " is not supported (2 and 3 are)");
    }
    const auto n_tensors = in.number<std::uint64_t>();
    const auto n_metadata = in.number<std::uint64_t>();
    if (in.ok() && n_tensors > max_tensors) in.damaged(std::to_string(n_tensors) + " tensors");
    if (in.ok() && n_metadata > max_metadata) in.damaged(std::to_string(n_metadata) + " metadata values");

    Metadata meta;
    Tokens tokens;
    for (std::uint64_t i = 0; i < n_metadata && in.ok(); ++i) {
        const std::string_view key = in.string(max_key_bytes, "a key");
        const auto type = in.number<std::uint32_t>();
        if (!in.ok()) break;
        if (!known(type)) {
            in.damaged("value of unknown type " + std::to_string(type) + " for " + std::string(key.substr(0, 100)));
            break;
        }
        const bool is_array = static_cast<Type>(type) == Type::array;
        Value value = is_array ? array(in, key, tokens) : scalar(in, static_cast<Type>(type));
        if (!meta.emplace(key, std::move(value)).second)
            in.damaged("key " + std::string(key.substr(0, 100)) + " twice");
    }
    std::uint64_t data_end = 0;
    std::map<std::uint32_t, std::int64_t> elements_by_type;
    for (std::uint64_t i = 0; i < n_tensors && in.ok(); ++i) {
        data_end = std::max(data_end, tensor(in, info, elements_by_type));
    }
    if (!in.ok()) return tl::unexpected(in.error());

    info.architecture = text(meta, "general.architecture");
    if (info.architecture.empty()) return fail(Errc::bad_request, "damaged GGUF: it names no general.architecture");
    if (info.architecture != readable(info.architecture)) {
        return fail(Errc::bad_request, "damaged GGUF: its general.architecture is no text");
    }
    info.name = readable(text(meta, "general.name").substr(0, max_name_bytes));
    info.quantisation = quantisation_of(meta, elements_by_type);
    info.chat_template = text(meta, "tokenizer.chat_template");
    info.chat_template_tools = text(meta, "tokenizer.chat_template.tool_use");
    info.split_count = std::max<std::int64_t>(1, integer(meta, "split.count").value_or(1));
    info.fim = tokens.fim || meta.contains("tokenizer.ggml.fim_pre_token_id") ||
               meta.contains("tokenizer.ggml.prefix_token_id");
    std::string problem;
    read_model(meta, info, problem);
    info.vocabulary = sane(static_cast<std::int64_t>(std::min<std::uint64_t>(tokens.count, 1ULL << 62)), 1 << 28,
                           "the vocabulary", problem);
    const std::int64_t alignment =
        sane(integer(meta, "general.alignment").value_or(32), 1 << 20, "general.alignment", problem);
    if (!problem.empty()) return fail(Errc::bad_request, "damaged GGUF: " + problem);
    if (alignment == 0) return fail(Errc::bad_request, "damaged GGUF: general.alignment is 0");
    const auto unit = static_cast<std::uint64_t>(alignment);
    info.file_bytes = static_cast<std::int64_t>((in.position() + unit - 1) / unit * unit + data_end);
    if (n_tensors == 0) info.file_bytes = static_cast<std::int64_t>(in.position());
    return info;
}

namespace {

std::int64_t bytes_of_layers(const Info& info, bool window) {
    // Saturates: the counts were checked one by one, their product was not.
    constexpr auto most = static_cast<double>(std::int64_t{1} << 62);
    double total = 0;
    for (std::size_t i = 0; i < info.layer_heads_kv.size(); ++i) {
        const bool has_window = i < info.layer_window.size() && info.layer_window[i];
        if (has_window != window) continue;
        total += 2.0 * static_cast<double>(info.layer_heads_kv[i]) *
                 static_cast<double>(info.key_length + info.value_length);
    }
    return static_cast<std::int64_t>(std::min(total, most));
}

}  // namespace

std::int64_t kv_bytes_per_token(const Info& info) {
    return bytes_of_layers(info, false);
}
std::int64_t window_bytes_per_token(const Info& info) {
    return bytes_of_layers(info, true);
}

}  // namespace lc::gguf
