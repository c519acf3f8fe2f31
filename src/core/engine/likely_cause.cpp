#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <string_view>

#include "core/engine/argv.hpp"

namespace lc::engine {

namespace {

/// What stands between single quotes after `mark`; empty when there is nothing.
std::string_view quoted_after(std::string_view text, std::string_view mark) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) return {};
    const std::size_t open = text.find('\'', at);
    if (open == std::string_view::npos) return {};
    const std::size_t close = text.find('\'', open + 1);
    return close == std::string_view::npos ? std::string_view() : text.substr(open + 1, close - open - 1);
}

/// The rest of the line after `mark`.
std::string_view rest_after(std::string_view text, std::string_view mark) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = text.substr(at + mark.size());
    return rest.substr(0, rest.find('\n'));
}

struct Known {
    std::string_view mark;  ///< in the engine's output
    std::string_view cause;
};

// In this order: a cause stands before its consequences.
constexpr std::array<Known, 21> known = {{
    {"No such file or directory", "a file of the model is missing; check its path"},
    {"Permission denied", "a file of the model may not be read; check its permissions"},
    {"invalid magic characters", "the model file is not a GGUF; convert it, or download it again"},
    {"bad magic", "the model file is not a GGUF; convert it, or download it again"},
    {"data is not within the file bounds", "the model file is truncated or damaged; download it again"},
    {"failed to read key-value pairs", "the model file is truncated or damaged; download it again"},
    {"failed to read tensor info", "the model file is truncated or damaged; download it again"},
    {"corrupted or incomplete", "the model file is truncated or damaged; download it again"},
    {"unknown pre-tokenizer type", "the model's tokenizer is newer than this llama.cpp; update the engine"},
    {"cudaMalloc failed", "the GPU has too little free memory; lower gpu_layers, context or slots"},
    {"ErrorOutOfDeviceMemory", "the GPU has too little free memory; lower gpu_layers, context or slots"},
    {"insufficient memory", "there is too little memory; lower context or slots, or use a smaller model"},
    {"failed to allocate", "there is too little memory; lower context or slots, or use a smaller model"},
    {"unable to allocate", "there is too little memory; lower context or slots, or use a smaller model"},
    {"std::bad_alloc", "there is too little memory; lower context or slots, or use a smaller model"},
    {"failed to initialize chat template", "the chat template has a fault; check chat_template"},
    {"failed to apply template", "the chat template has a fault; check chat_template"},
    {"supplied chat template is not supported", "the chat template has a fault; check chat_template"},
    {"couldn't bind HTTP server socket",
     "its socket could not be made; check the folder of the sockets (XDG_RUNTIME_DIR)"},
    {"error while loading shared libraries", "the engine program lacks a shared library; build or install it again"},
    {"wrong number of tensors", "the model file does not fit its architecture; download it again or update the engine"},
}};

std::string by_signal(int signal) {
    switch (signal) {
        case SIGKILL:
            return "it was killed (SIGKILL), most likely because memory ran out; lower context or slots, or use a "
                   "smaller model";
        case SIGILL:
            return "the engine program uses instructions that this processor lacks; build it for this machine or "
                   "portable";
        case SIGSEGV:
        case SIGBUS:
        case SIGABRT:
        case SIGFPE: return "the engine program crashed (signal " + std::to_string(signal) + ")";
        case SIGTERM: return "it was told to stop (SIGTERM)";
        case SIGINT: return "it was interrupted (SIGINT)";
        default: return "it was ended by signal " + std::to_string(signal);
    }
}

}  // namespace

std::string likely_cause(std::string_view output, int exit_status, int term_signal) {
    if (const auto name = quoted_after(output, "unknown model architecture:"); !name.empty()) {
        return "this llama.cpp does not know the model architecture '" + std::string(name) + "'; update the engine";
    }
    if (const auto flag = rest_after(output, "error: invalid argument: "); !flag.empty()) {
        return "the engine program does not know the argument " + std::string(flag) +
               "; check `args`, or use llama.cpp v0.5.0";
    }
    if (const auto flag = rest_after(output, "error while handling argument "); !flag.empty()) {
        return "the engine program refused the argument " + std::string(flag) + "; check `args`";
    }
    for (const auto& row : known) {
        if (output.find(row.mark) != std::string_view::npos) return std::string(row.cause);
    }
    if (term_signal != 0) return by_signal(term_signal);
    if (exit_status == 0) return "it ended by itself before it was ready";
    return "it ended with status " + std::to_string(exit_status);
}

}  // namespace lc::engine
