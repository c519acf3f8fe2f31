#include "core/recommend/recommend.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

namespace lc::recommend {

namespace {

constexpr double gigabyte = 1e9;
constexpr double first_prompt_tokens = 7700;
constexpr std::int64_t least_context = 16384;  // OpenCode's first request fits, with room for some turns
constexpr std::int64_t most_context = 131072;
constexpr double efficiency = 0.6;      // of the bandwidth that decoding reaches in practice
constexpr double flops_of_core = 35e9;  // of a processor's core in prefill, as seen
constexpr double flops_of_byte = 25;    // of a card in prefill, for each byte a second of its memory
constexpr double patience_s = 300, least_speed = 4;

/// Room that a model may take there: something is left for the system and for buffers.
double room(const Machine& machine, bool gpu) {
    return gpu ? static_cast<double>(machine.gpu_memory) * 0.92 : static_cast<double>(machine.memory) * 0.8;
}

Choice measure(const Entry& entry, const Machine& machine, bool gpu) {
    Choice out;
    out.entry = entry;
    out.on_gpu = gpu;
    const double bytes_of_token = entry.gigabytes * gigabyte * entry.active / entry.parameters;
    const double bandwidth = gpu ? machine.gpu_bandwidth : machine.bandwidth;
    if (bandwidth > 0) out.tokens_per_second = efficiency * bandwidth / bytes_of_token;
    const double flops = gpu ? machine.gpu_bandwidth * flops_of_byte : machine.cores * flops_of_core;
    if (flops > 0) out.first_prompt_seconds = first_prompt_tokens * 2 * entry.active * 1e9 / flops;
    return out;
}

/// Context and slots that fit beside the weights; nothing: it does not fit.
std::optional<Choice> fitted(const Entry& entry, const Machine& machine, bool gpu) {
    auto out = measure(entry, machine, gpu);
    const double left = room(machine, gpu) - entry.gigabytes * gigabyte * 1.05;
    if (left <= 0) return std::nullopt;
    if (machine.disk > 0 && entry.gigabytes * gigabyte * 1.05 > static_cast<double>(machine.disk)) return std::nullopt;
    const bool chats = entry.role == Role::coder || entry.role == Role::small;
    const std::int64_t most = std::min(entry.context, entry.role == Role::coder ? most_context : std::int64_t{32768});
    const std::int64_t least = chats ? std::min(least_context, most) : std::min<std::int64_t>(2048, most);
    const auto tokens =
        entry.kv_bytes > 0 ? static_cast<std::int64_t>(left / static_cast<double>(entry.kv_bytes)) : most * 2;
    if (tokens < least) return std::nullopt;
    // Two slots where both get a decent context: titles and subagents need not wait.
    out.slots = chats && tokens / 2 >= 2 * least_context ? 2 : 1;
    out.context = std::min(most, tokens / out.slots) / 1024 * 1024;
    return out;
}

bool slow(const Choice& c) {
    if (c.entry.role != Role::coder) return false;
    return (c.first_prompt_seconds > patience_s) || (c.tokens_per_second > 0 && c.tokens_per_second < least_speed);
}

std::optional<Choice> best(Role role, const Machine& machine) {
    std::optional<Choice> last;
    // A smaller one on the card reads prompts many times as fast as a larger one on the processor.
    for (const bool gpu : {true, false}) {
        for (const auto& entry : table()) {
            if (entry.role != role) continue;
            auto choice = fitted(entry, machine, gpu);
            if (!choice) continue;
            if (!slow(*choice)) return choice;
            choice->too_slow = true;
            last = choice;  // the smaller ones come later and are faster
        }
    }
    return last;
}

/// What is left when that is loaded.
Machine without(Machine machine, const Choice& choice) {
    const auto bytes = static_cast<std::int64_t>(choice.entry.gigabytes * gigabyte * 1.05) +
                       choice.context * choice.slots * choice.entry.kv_bytes;
    (choice.on_gpu ? machine.gpu_memory : machine.memory) -=
        std::min(bytes, choice.on_gpu ? machine.gpu_memory : machine.memory);
    return machine;
}

/// The coder should not take the last byte when small ones are wanted beside it.
Choice modest(Choice choice, const Machine& machine) {
    const double spare = room(machine, choice.on_gpu) - choice.entry.gigabytes * gigabyte * 1.05 - 4 * gigabyte;
    if (choice.entry.kv_bytes <= 0 || spare <= 0) return choice;
    const auto tokens =
        static_cast<std::int64_t>(spare / static_cast<double>(choice.entry.kv_bytes)) / choice.slots / 1024 * 1024;
    if (tokens >= 2 * least_context) choice.context = std::min(choice.context, tokens);
    return choice;
}

std::string alias_line(Role role) {
    return role == Role::small ? "aliases = [\"small\"]\n" : "";
}

}  // namespace

std::string_view name_of(Role role) {
    switch (role) {
        case Role::coder: return "coder";
        case Role::small: return "small";
        case Role::embedding: return "embedding";
        case Role::rerank: return "rerank";
    }
    return {};
}

std::vector<Choice> recommend(const Machine& machine) {
    std::vector<Choice> out;
    Machine left = machine;
    for (const Role role : {Role::coder, Role::small, Role::embedding, Role::rerank}) {
        auto choice = best(role, left);
        if (!choice) continue;
        if (role == Role::coder) *choice = modest(*choice, left);
        left = without(left, *choice);
        if (left.disk > 0)
            left.disk -= std::min(left.disk, static_cast<std::int64_t>(choice->entry.gigabytes * gigabyte));
        out.push_back(*choice);
    }
    return out;
}

std::string config_of(const std::vector<Choice>& choices) {
    std::string out =
        "# Chosen by `localcode recommend` (table of " + std::string(table_date()) + ") for this machine.\n";
    for (const auto& c : choices) {
        char size[32];
        std::snprintf(size, sizeof size, "%.1f GB", c.entry.gigabytes);
        out += "\n# " + std::string(c.entry.name) + ", " + size + (c.on_gpu ? ", on the GPU" : ", on the processor") +
               "\n[[model]]\nname = \"" +
               (c.entry.role == Role::small ? "little" : std::string(name_of(c.entry.role))) + "\"\nhf = \"" +
               std::string(c.entry.hf) + "\"\n" + alias_line(c.entry.role) + "context = " + std::to_string(c.context) +
               "\nslots = " + std::to_string(c.slots) + "\n";
        if (!c.on_gpu) out += "gpu_layers = 0\n";
        // Embedding and reranking need their own mode of the engine.
        if (c.entry.role == Role::embedding) out += "args = [\"--embeddings\"]\n";
        if (c.entry.role == Role::rerank) out += "args = [\"--reranking\"]\n";
    }
    return out;
}

}  // namespace lc::recommend
