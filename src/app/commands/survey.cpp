#include "app/commands/survey.hpp"

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "app/engines/program.hpp"
#include "shell/process/child.hpp"

namespace lc::commands {

using namespace std::chrono_literals;

namespace {

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, std::min(text.find('\n'), text.size())));
}

/// Output of a program of this machine; empty when it is not there or fails.
std::string output_of(const std::string& name, const std::vector<std::string>& args) {
    process::Spec spec;
    spec.program = sys::find_program(sys::process_env(), name);
    if (spec.program.empty()) return {};
    spec.args = args;
    const auto done = process::run(spec, 10s);
    return done && done->exit.status == 0 && done->exit.signal == 0 ? done->output : std::string();
}

}  // namespace

std::vector<sys::Card> survey_cards() {
    auto out = sys::cards();
    const auto text =
        output_of("nvidia-smi", {"--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"});
    if (text.empty()) return out;
    // The driver's folder may be hidden (containers): what nvidia-smi lists counts.
    std::erase_if(out, [](const sys::Card& card) { return card.kind == "cuda"; });
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto second = line.rfind(','), first = second == std::string::npos ? second : line.rfind(',', second - 1);
        if (first == std::string::npos) continue;
        sys::Card card;
        card.name = line.substr(0, first);
        card.kind = "cuda";
        card.memory = std::atoll(line.c_str() + first + 1) << 20;
        card.memory_free = std::atoll(line.c_str() + second + 1) << 20;
        out.push_back(std::move(card));
    }
    return out;
}

doctor::Engine survey_engine(const std::string& configured) {
    doctor::Engine out;
    const auto self = sys::executable_path();
    const auto program = engines::find_engine(sys::process_env(), self.value_or(""), configured);
    if (!program) {
        out.error = program.error().detail;
        return out;
    }
    out.path = program->path;
    out.ours = program->ours;
    process::Spec spec;
    spec.program = program->path;
    spec.keep_env = engines::engine_inherits;
    spec.args = {"--version"};
    const auto version = process::run(spec, 20s);
    if (!version) {
        out.status = 1;
        out.version = version.error().detail;
        return out;
    }
    out.status = version->exit.status;
    out.signal = version->exit.signal;
    out.version = first_line(version->output);
    if (out.status != 0 || out.signal != 0) return out;
    spec.args = {"--list-devices"};
    std::int64_t free_bytes = 0;
    if (const auto devices = process::run(spec, 20s)) out.devices = devices_of(devices->output, free_bytes);
    return out;
}

std::vector<std::string> devices_of(std::string_view output, std::int64_t& free_bytes) {
    std::vector<std::string> out;
    free_bytes = 0;
    const auto begin = output.find("Available devices:");
    if (begin == std::string_view::npos) return out;
    std::istringstream lines{std::string(output.substr(begin))};
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        // "  CUDA0: NVIDIA X (24564 MiB, 23000 MiB free)"
        const auto name = line.find_first_not_of(' ');
        const auto colon = line.find(": ");
        if (name != 2 || colon == std::string::npos) continue;
        out.push_back(line.substr(2));
        const auto comma = line.rfind(", ");
        if (comma != std::string::npos && line.ends_with(" MiB free)"))
            free_bytes += std::atoll(line.c_str() + comma + 2) << 20;
    }
    return out;
}

std::int64_t free_on(const std::vector<std::string>& devices) {
    std::string text = "Available devices:\n";
    for (const auto& device : devices) text += "  " + device + "\n";
    std::int64_t out = 0;
    (void)devices_of(text, out);
    return out;
}

}  // namespace lc::commands
