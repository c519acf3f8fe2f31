#include "core/engine/argv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <string_view>

namespace lc::engine {

namespace {

constexpr std::int64_t wanted_context = 16'384;  // OpenCode's first request takes 7,722 tokens of a small model
constexpr std::int64_t least_context = 2'048;    // below it no chat is worth starting
constexpr std::int64_t granularity = 256;        // llama.cpp pads contexts to this
constexpr std::int64_t batch = 512;

bool has_flag(const std::vector<std::string>& args, std::initializer_list<std::string_view> flags) {
    return std::any_of(args.begin(), args.end(), [&](const std::string& arg) {
        return std::find(flags.begin(), flags.end(), std::string_view(arg).substr(0, arg.find('='))) != flags.end();
    });
}

double bytes_per_value(std::string_view cache_type) {
    static constexpr struct {
        std::string_view name;
        double bytes;
    } table[] = {{"f32", 4},          {"q8_0", 34.0 / 32}, {"q5_1", 24.0 / 32},  {"q5_0", 22.0 / 32},
                 {"q4_1", 20.0 / 32}, {"q4_0", 18.0 / 32}, {"iq4_nl", 18.0 / 32}};
    for (const auto& row : table) {
        if (row.name == cache_type) return row.bytes;
    }
    return 2;  // f16, bf16
}

/// How much smaller (or larger) than f16 the configured cache types make a row of K and V.
double cache_scale(const config::Model& model, const gguf::Info& info) {
    const auto k = static_cast<double>(info.key_length), v = static_cast<double>(info.value_length);
    if (k + v <= 0) return 1;
    return (k * bytes_per_value(model.cache_type_k) + v * bytes_per_value(model.cache_type_v)) / (2 * (k + v));
}

/// Working memory: logits and activations of one batch, and what the program itself takes.
std::int64_t working_memory(const gguf::Info& info) {
    return (std::int64_t{96} << 20) + batch * 4 * info.vocabulary + batch * 4 * 16 * info.embedding;
}

std::string gigabytes(std::int64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
    return text;
}

bool has_role(const config::Model& model, std::string_view role) {
    return std::find(model.roles.begin(), model.roles.end(), role) != model.roles.end();
}

constexpr std::int64_t fim_batch = 1'024;  // llama.cpp cuts the text around the cursor to one batch
constexpr std::int64_t embedding_context = 8'192;  // of models that need it in one batch

/// How the vectors of the tokens become one, where neither the file nor the configuration says it.
std::string pooling_of(const config::Model& model, const gguf::Info& info) {
    if (!info.pooling.empty() || has_flag(model.args, {"--pooling"})) return {};
    return info.causal ? "last" : "mean";
}

/// Whether a text may be decoded in pieces. The others must fit into one batch.
bool splits_texts(const config::Model& model, const gguf::Info& info, Purpose purpose) {
    if (purpose == Purpose::generate) return true;
    const bool last = info.pooling == "last" || pooling_of(model, info) == "last";
    return purpose == Purpose::embed && info.causal && last && !has_flag(model.args, {"--pooling"});
}

struct Stretch {
    double factor = 1;          ///< over what the model was trained for
    std::int64_t original = 0;  ///< tokens before any stretching
    double scale = 1;           ///< --rope-scale: original x scale = context
};

/// llama.cpp caps a slot at original / (1 / scale): rounded up, so that the cap is never a token too low.
Stretch stretch_to(const gguf::Info& info, std::int64_t context) {
    Stretch out;
    if (info.context_train <= 0 || context <= info.context_train) return out;
    out.original = info.context_train;
    if (!info.rope_scaling.empty() && info.context_original > 0) out.original = info.context_original;
    out.scale = std::ceil(static_cast<double>(context) / static_cast<double>(out.original) * 100 - 1e-9) / 100;
    out.factor = static_cast<double>(context) / static_cast<double>(info.context_train);
    return out;
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

/// llama.cpp's flag for a value of config::sampling_names.
std::string sampling_flag(std::string_view name) {
    if (name == "temperature") return "--temp";
    if (name == "typical_p") return "--typical";
    std::string flag = "--" + std::string(name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    return flag;
}

/// A whole number in full (seeds have up to ten digits), others as `number`.
std::string sampling_text(double value) {
    const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
    return whole ? std::to_string(static_cast<std::int64_t>(value)) : number(value);
}

/// Tokens per slot to aim for when the config names none.
std::int64_t automatic_context(const gguf::Info& info, bool may_stretch, bool splits) {
    const std::int64_t train = info.context_train > 0 ? info.context_train : 4096;
    if (!splits) return std::min(train, embedding_context);
    return may_stretch ? std::max(train, wanted_context) : train;
}

struct Memory {
    std::int64_t available = 0;
    std::int64_t fixed = 0;  ///< weights and working memory
    std::int64_t cache = 0;  ///< left for the KV cache
};

Memory memory_of(const gguf::Info& info, std::int64_t file_bytes, const Machine& machine, bool use_device) {
    Memory out;
    out.available = machine.memory_available + (use_device ? machine.device_memory : 0);
    out.fixed = file_bytes + working_memory(info);
    out.cache = out.available - out.fixed;
    return out;
}

std::string breakdown(const config::Model& model, const gguf::Info& info, std::int64_t file_bytes, std::int64_t context,
                      std::int64_t slots) {
    const std::int64_t needed = memory_needed(model, info, file_bytes, context, slots);
    const std::int64_t work = working_memory(info);
    return "about " + gigabytes(needed) + " (weights " + gigabytes(file_bytes) + ", KV cache of " +
           std::to_string(slots) + " x " + std::to_string(context) + " tokens " +
           gigabytes(needed - file_bytes - work) + ", working memory " + gigabytes(work) + ")";
}

/// The largest context up to `wanted` whose cache fits into `bytes`; 0 when not even the least does.
std::int64_t fitting_context(const config::Model& model, const gguf::Info& info, std::int64_t slots,
                             std::int64_t wanted, std::int64_t bytes) {
    const auto cache = [&](std::int64_t context) {
        return memory_needed(model, info, 0, context, slots) - working_memory(info);
    };
    if (cache(wanted) <= bytes) return wanted;
    std::int64_t low = 0, high = wanted / granularity;  // in steps; cache(low) fits, cache(high + 1) does not
    while (low < high) {
        const std::int64_t middle = (low + high + 1) / 2;
        if (cache(middle * granularity) <= bytes) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low * granularity;
}

struct Context {
    std::int64_t per_slot = 0;
    std::vector<std::string> notes;
};

Result<Context> choose_context(const config::Model& model, const gguf::Info& info, std::int64_t file_bytes,
                               const Machine& machine, std::int64_t slots, bool may_stretch, bool splits) {
    Context out;
    const Memory memory = memory_of(info, file_bytes, machine, model.gpu_layers != 0);
    const std::string too_little = "model '" + model.name + "' does not fit: it needs ";
    const std::string have = ", but " + gigabytes(memory.available) + " of memory are available";
    if (model.context > 0) {
        // Rounded up, never below what was configured.
        out.per_slot = (model.context + granularity - 1) / granularity * granularity;
        if (memory_needed(model, info, file_bytes, out.per_slot, slots) > memory.available) {
            return fail(Errc::model_load_failed,
                        too_little + breakdown(model, info, file_bytes, out.per_slot, slots) + have +
                            "; lower its context or slots, or set cache_type_k and cache_type_v to \"q8_0\"");
        }
        return out;
    }
    const std::int64_t wanted = automatic_context(info, may_stretch, splits);
    // What is left after the weights is shared with the engines that have yet to start.
    const std::int64_t share = memory.cache <= 0 ? 0 : memory.cache / (1 + std::max(0, machine.to_come));
    out.per_slot = fitting_context(model, info, slots, wanted, share);
    const std::int64_t least = std::min(wanted, least_context);
    if (out.per_slot < least) {
        out.per_slot = least;
        if (memory_needed(model, info, file_bytes, least, slots) > memory.available) {
            return fail(Errc::model_load_failed, too_little + breakdown(model, info, file_bytes, least, slots) + have +
                                                     "; use a smaller model, or one with a stronger quantisation");
        }
    }
    if (out.per_slot < wanted) {
        out.notes.push_back("context cut from " + std::to_string(wanted) + " to " + std::to_string(out.per_slot) +
                            " tokens per slot to fit into memory (" + gigabytes(memory.available) + " available" +
                            (machine.to_come > 0 ? ", shared with engines that have yet to start" : "") +
                            "); set `context` to choose yourself");
    }
    return out;
}

}  // namespace

Purpose purpose_of(const config::Model& model, const gguf::Info& info) {
    if (has_role(model, "rerank")) return Purpose::rerank;
    if (has_role(model, "embed")) return Purpose::embed;
    if (has_flag(model.args, {"--rerank", "--reranking"})) return Purpose::rerank;
    if (has_flag(model.args, {"--embedding", "--embeddings"})) return Purpose::embed;
    if (info.pooling == "rank") return Purpose::rerank;
    return !info.pooling.empty() || !info.causal ? Purpose::embed : Purpose::generate;
}

bool has_fim(const config::Model& model, const gguf::Info& info) {
    return info.fim || std::any_of(model.args.begin(), model.args.end(), [](const std::string& arg) {
        return arg.find("tokenizer.ggml.fim_pre_token_id") != std::string::npos;
    });
}

std::int64_t memory_needed(const config::Model& model, const gguf::Info& info, std::int64_t file_bytes,
                           std::int64_t context_per_slot, std::int64_t slots) {
    const double scale = cache_scale(model, info);
    const auto full = static_cast<double>(context_per_slot) * static_cast<double>(gguf::kv_bytes_per_token(info));
    const std::int64_t window_tokens = std::min(context_per_slot, info.sliding_window + batch);
    const auto window = static_cast<double>(window_tokens) * static_cast<double>(gguf::window_bytes_per_token(info));
    const double cache = (full + window) * static_cast<double>(slots) * scale;
    constexpr auto most = static_cast<double>(std::int64_t{1} << 61);
    return file_bytes + working_memory(info) + static_cast<std::int64_t>(std::min(cache, most));
}

std::int64_t free_device_memory(std::string_view text) {
    // "  CUDA0: NVIDIA L4 (22478 MiB, 22170 MiB free)"
    constexpr std::string_view mark = " MiB free)";
    std::int64_t total = 0;
    for (std::size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
        std::size_t begin = at;
        while (begin > 0 && text[begin - 1] >= '0' && text[begin - 1] <= '9') --begin;
        std::int64_t mib = 0;
        const auto [end, ec] = std::from_chars(text.data() + begin, text.data() + at, mib);
        if (ec == std::errc() && mib < (std::int64_t{1} << 30)) total += mib << 20;
    }
    return total;
}

Result<Plan> plan(const config::Model& model, const gguf::Info& info, std::int64_t file_bytes, const Machine& machine,
                  const std::string& socket, const std::string& template_file, bool ours) {
    if (socket.size() > max_socket_path) {
        return fail(Errc::model_load_failed, "the engine's socket path has " + std::to_string(socket.size()) +
                                                 " bytes, " + std::to_string(max_socket_path) + " are possible: " +
                                                 socket + "; set XDG_RUNTIME_DIR to a shorter folder");
    }
    if (!socket.ends_with(".sock")) return fail(Errc::internal, "an engine's socket must end with .sock: " + socket);
    if (model.slots < 1) return fail(Errc::bad_request, "model '" + model.name + "': slots must be at least 1");

    Plan out;
    out.slots = model.slots;
    const Purpose purpose = purpose_of(model, info);
    const bool embeddings = purpose != Purpose::generate;
    const bool splits = splits_texts(model, info, purpose);
    const bool own_rope = has_flag(
        model.args, {"--rope-scaling", "--rope-scale", "--rope-freq-base", "--rope-freq-scale", "--yarn-orig-ctx"});
    // A model that was stretched by its makers stays as they made it unless the config asks for more.
    const bool may_stretch = info.rope && !embeddings && !own_rope && info.rope_scaling.empty();
    auto context = choose_context(model, info, file_bytes, machine, out.slots, may_stretch, splits);
    if (!context) return tl::unexpected(context.error());
    out.notes = std::move(context->notes);
    out.context_per_slot = context->per_slot;

    const Stretch stretch = own_rope ? Stretch{} : stretch_to(info, out.context_per_slot);
    if (stretch.factor > 1 && !info.rope) {
        return fail(Errc::bad_request,
                    "model '" + model.name + "' was trained for " + std::to_string(info.context_train) +
                        " tokens and cannot be stretched (its positions are not rotary); lower its context");
    }
    out.memory_needed = memory_needed(model, info, file_bytes, out.context_per_slot, out.slots);

    const auto add = [&](std::initializer_list<std::string> more) { out.args.insert(out.args.end(), more); };
    add({"--host", socket, "--model", model.path, "--no-webui", "--offline"});
    if (model.name.find(',') == std::string::npos) add({"--alias", model.name});  // a comma would make it two aliases
    add({"-c", std::to_string(out.context_per_slot * out.slots), "-np", std::to_string(out.slots), "--no-kv-unified"});
    if (stretch.factor > 1) {
        out.yarn_factor = stretch.factor;
        add({"--rope-scaling", "yarn", "--rope-scale", number(stretch.scale), "--yarn-orig-ctx",
             std::to_string(stretch.original)});
        out.notes.push_back("context stretched from " + std::to_string(info.context_train) + " (trained) to " +
                            std::to_string(out.context_per_slot) + " tokens per slot by YaRN, factor " +
                            number(stretch.factor));
    }
    std::int64_t batch_size = splits ? batch : std::max(batch, out.context_per_slot);
    std::int64_t step = batch_size;
    if (has_role(model, "fim")) batch_size = std::max(batch_size, fim_batch);
    add({"-b", std::to_string(batch_size), "-ub", std::to_string(step)});
    add({"-fa", model.flash_attention.empty() ? std::string("on") : model.flash_attention});
    add({"--cont-batching", "--no-cache-idle-slots", "--cache-ram", "0"});
    const std::int64_t threads =
        model.threads > 0 ? model.threads : std::max(1, machine.cores / std::max(1, machine.engines));
    add({"-t", std::to_string(threads), "-tb", std::to_string(threads)});
    if (model.gpu_layers >= 0) add({"-ngl", std::to_string(model.gpu_layers)});
    if (model.n_cpu_moe > 0) add({"--n-cpu-moe", std::to_string(model.n_cpu_moe)});
    if (!model.tensor_split.empty()) add({"--tensor-split", model.tensor_split});
    for (const auto& [name, value] : model.sampling.all) add({sampling_flag(name), sampling_text(value)});
    if (model.thinking.all) add({"--reasoning", *model.thinking.all ? "on" : "off"});
    if (!model.cache_type_k.empty()) add({"-ctk", model.cache_type_k});
    if (!model.cache_type_v.empty()) add({"-ctv", model.cache_type_v});
    if (purpose == Purpose::rerank) add({"--reranking"});
    if (purpose == Purpose::embed) {
        add({"--embeddings"});
        if (const auto pooling = pooling_of(model, info); !pooling.empty()) {
            add({"--pooling", pooling});
            out.notes.push_back("pooling " + pooling + ": neither the file nor `args` (--pooling) says how vectors are made");
        }
    }
    add({"--jinja"});
    if (!template_file.empty()) add({"--chat-template-file", template_file});
    if (!model.mmproj.empty()) add({"--mmproj", model.mmproj});
    add({"--metrics", "--slots"});
    out.args.insert(out.args.end(), model.args.begin(), model.args.end());
    if (!ours) out.notes.emplace_back("a stock llama-server: what only localcode-engine can do is absent");
    return out;
}

}  // namespace lc::engine
