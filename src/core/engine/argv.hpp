// How an engine is started: pure, from the model's config, its GGUF header and the machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/config/config.hpp"
#include "core/gguf/gguf.hpp"

namespace lc::engine {

struct Machine {
    int cores = 1;
    std::int64_t memory_available = 0;  ///< bytes
    int engines = 1;                    ///< engines that share the cores
    int to_come = 0;  ///< other configured engines that do not run yet: their share of memory is left to them
    std::int64_t device_memory = 0;  ///< free bytes of accelerators the engine can use; 0: none
};

/// What an engine is started for: it does one of these.
enum class Purpose : std::uint8_t { generate, embed, rerank };
/// By the model's roles, else its arguments, else what its file says.
[[nodiscard]] Purpose purpose_of(const config::Model& model, const gguf::Info& info);

/// Whether code can be completed with it: its vocabulary has the tokens for that, or the arguments name them.
[[nodiscard]] bool has_fim(const config::Model& model, const gguf::Info& info);

struct Plan {
    std::vector<std::string> args;  ///< without the program itself
    std::int64_t context_per_slot = 0;
    std::int64_t slots = 0;
    double yarn_factor = 1;          ///< > 1: context was stretched beyond training
    std::int64_t memory_needed = 0;  ///< bytes, estimated: weights, KV cache, working memory
    std::vector<std::string> notes;  ///< what was decided and why, for the log and `models`
};

/// Flags as the issue fixes them: flash attention, continuous batching, split KV with -np and -c = slots x context, no
/// idle-slot clearing, no RAM cache, -b 512, cores shared between engines, 2 slots, context as trained but at least
/// 16,384 where memory allows (YaRN). `template_file` empty: the model's own. `socket` is the Unix socket to listen on.
/// `ours`: localcode-engine; false: a stock llama-server. `model.mmproj`: the projector's file, or empty: none;
/// `file_bytes` counts it.
[[nodiscard]] Result<Plan> plan(const config::Model& model, const gguf::Info& info, std::int64_t file_bytes,
                                const Machine& machine, const std::string& socket, const std::string& template_file,
                                bool ours);

/// Unix sockets take paths of at most this many bytes.
inline constexpr std::size_t max_socket_path = 107;

/// Estimated bytes: weights, KV cache of all slots, working memory.
[[nodiscard]] std::int64_t memory_needed(const config::Model& model, const gguf::Info& info, std::int64_t file_bytes,
                                         std::int64_t context_per_slot, std::int64_t slots);

/// Free bytes of all devices that `--list-devices` printed.
[[nodiscard]] std::int64_t free_device_memory(std::string_view list_devices_output);

/// The likely cause of a failed start from the engine's last output and exit status, in one sentence that says what to
/// do.
[[nodiscard]] std::string likely_cause(std::string_view output, int exit_status, int term_signal);

}  // namespace lc::engine
