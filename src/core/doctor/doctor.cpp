#include "core/doctor/doctor.hpp"

#include <algorithm>
#include <cstdio>

namespace lc::doctor {

namespace {

using Findings = std::vector<Finding>;

constexpr std::int64_t gigabyte = 1'000'000'000;
constexpr std::int64_t day = 24 * 3600;

std::string size(std::int64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof text, bytes < gigabyte ? "%.0f MB" : "%.1f GB",
                  static_cast<double>(bytes) / (bytes < gigabyte ? 1e6 : 1e9));
    return text;
}

bool has(const std::vector<std::string>& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

void config(const Facts& f, Findings& out) {
    if (!f.config_error.empty()) {
        out.push_back({Level::broken, "config", f.config_error, "localcode config example"});
    } else if (!f.nothing_to_serve.empty()) {
        out.push_back({Level::broken, "config", f.nothing_to_serve, "localcode recommend --write"});
    } else {
        out.push_back({Level::ok, "config", f.config_found ? f.config_file : "no file; none is needed", ""});
    }
    for (const auto& secret : f.secrets) out.push_back({Level::broken, "keys", secret, "localcode config show"});
}

void engine(const Facts& f, Findings& out) {
    if (!f.engine) return;
    const auto& e = *f.engine;
    if (e.path.empty()) {
        out.push_back({Level::broken, "engine", e.error, "make install"});
    } else if (e.signal == 4) {  // SIGILL
        out.push_back({Level::broken, "engine",
                       e.path + " was built for another processor (it ends with an illegal instruction)",
                       "LOCALCODE_PORTABLE=1 make install"});
    } else if (e.signal != 0 || e.status != 0) {
        const auto how = e.signal != 0 ? "signal " + std::to_string(e.signal) : "status " + std::to_string(e.status);
        out.push_back({Level::broken, "engine",
                       e.path + " does not run (" + how + ")" + (e.version.empty() ? "" : ": " + e.version),
                       "make install"});
    } else {
        out.push_back({Level::ok, "engine", e.path + (e.version.empty() ? "" : ", " + e.version), ""});
        if (!e.ours) {
            out.push_back({Level::note, "engine",
                           "it is a stock llama-server: control vectors and complete states are not available",
                           "make install"});
        }
    }
}

std::string build_flag(std::string_view kind) {
    if (kind == "cuda") return "-DGGML_CUDA=ON";
    return kind == "hip" ? "-DGGML_HIP=ON" : "-DGGML_VULKAN=ON";
}

void hardware(const Facts& f, Findings& out) {
    const auto cores = std::to_string(f.cores) + (f.cores == 1 ? " core" : " cores");
    if (!f.x86) {
        out.push_back({Level::ok, "cpu", cores, ""});
    } else if (!has(f.cpu_flags, "avx2")) {
        out.push_back({Level::warning, "cpu", cores + " without AVX2: local models will be slow", ""});
    } else {
        std::string features = "AVX2";
        for (const auto& [flag, name] :
             {std::pair{"f16c", "F16C"}, {"avx512f", "AVX-512"}, {"avx512_bf16", "BF16"}, {"amx_int8", "AMX"}}) {
            if (has(f.cpu_flags, flag)) features += std::string(", ") + name;
        }
        out.push_back({Level::ok, "cpu", cores + ", " + features, ""});
    }
    for (const auto& gpu : f.gpus) {
        if (!gpu.can_open) {
            out.push_back({Level::warning, "gpu", gpu.name + ": you may not open " + gpu.device,
                           "sudo usermod -aG render,video $USER   # then log in again"});
        } else if (!f.engine || f.engine->path.empty()) {
            out.push_back({Level::ok, "gpu", gpu.name, ""});
        } else if (f.engine->devices.empty()) {
            out.push_back({Level::warning, "gpu", gpu.name + " is not used: the engine was built without it",
                           "LOCALCODE_GGML=\"" + build_flag(gpu.kind) + "\" make install"});
        }
    }
    if (f.engine) {
        for (const auto& device : f.engine->devices) out.push_back({Level::ok, "gpu", device, ""});
    }
    if (f.gpus.empty() && (!f.engine || f.engine->devices.empty()))
        out.push_back({Level::ok, "gpu", "none; models run on the processor", ""});
}

void models(const Facts& f, Findings& out) {
    const std::int64_t room = f.memory + f.gpu_memory;
    for (const auto& m : f.models) {
        if (!m.here) {
            out.push_back({Level::warning, "model",
                           m.name + ": " + m.hf + " is not here yet; it is downloaded when `serve` starts",
                           "localcode pull " + m.hf});
        } else if (!m.error.empty()) {
            out.push_back({Level::broken, "model", m.name + ": " + m.error,
                           m.hf.empty() ? "localcode pull ORG/REPO:QUANT" : "localcode pull --refresh " + m.hf});
        } else if (f.memory > 0 && m.bytes > room) {
            out.push_back({Level::broken, "memory",
                           m.name + " has " + size(m.bytes) + ", and " + size(room) + " of memory are free",
                           "localcode recommend"});
        } else if (f.memory > 0 && m.bytes + m.bytes / 4 > room) {
            out.push_back({Level::warning, "memory",
                           m.name + " has " + size(m.bytes) + " of the " + size(room) +
                               " that are free: little is left for contexts",
                           "localcode recommend"});
        } else {
            out.push_back({Level::ok, "model",
                           m.name + ": " + size(m.bytes) +
                               (m.context > 0 ? ", trained for " + std::to_string(m.context) + " tokens" : ""),
                           ""});
        }
    }
    for (const auto& b : f.backends) {
        if (!b.key_error.empty()) {
            out.push_back({Level::broken, "backend", b.name + ": " + b.key_error, "localcode config show"});
        } else if (!b.error.empty()) {
            out.push_back(
                {Level::broken, "backend", b.name + " (" + b.url + "): " + b.error, "curl -sS " + b.url + "/models"});
        } else {
            out.push_back({Level::ok, "backend", b.name + ": " + b.url, ""});
        }
    }
}

void places(const Facts& f, Findings& out) {
    const auto number = std::to_string(f.port_number);
    switch (f.port) {
        case Port::free: out.push_back({Level::ok, "port", number + " is free; no gateway is running", ""}); break;
        case Port::localcode: out.push_back({Level::ok, "port", "a gateway is running on " + number, ""}); break;
        case Port::other:
            out.push_back({Level::broken, "port", number + " is used by another program",
                           "localcode serve --port " + std::to_string(f.port_number + 1)});
            break;
        case Port::unknown:
            out.push_back({Level::warning, "port", number + ": " + f.port_error, "localcode status"});
            break;
    }
    for (const auto& folder : f.folders) {
        if (!folder.error.empty()) {
            out.push_back({Level::broken, folder.what, folder.error, "ls -ld " + folder.path});
        } else if (folder.free_bytes >= 0 && folder.free_bytes < gigabyte / 10) {
            out.push_back(
                {Level::broken, "disk",
                 "only " + size(folder.free_bytes) + " are free for " + folder.what + " (" + folder.path + ")",
                 "du -sh " + folder.path});
        } else if (folder.free_bytes >= 0 && folder.free_bytes < 2 * gigabyte) {
            out.push_back(
                {Level::warning, "disk",
                 "only " + size(folder.free_bytes) + " are free for " + folder.what + " (" + folder.path + ")",
                 "du -sh " + folder.path});
        } else {
            out.push_back({Level::ok, folder.what,
                           folder.path + (folder.free_bytes > 0 ? ", " + size(folder.free_bytes) + " free" : ""), ""});
        }
    }
    if (f.program_made > 0 && f.now < f.program_made - day) {
        out.push_back({Level::broken, "clock",
                       "the clock is wrong: this program is from its future (certificates will be refused)",
                       "sudo timedatectl set-ntp true"});
    } else {
        out.push_back({Level::ok, "clock", "plausible", ""});
    }
}

void opencode(const Facts& f, Findings& out) {
    const auto& o = f.opencode;
    const auto add = [&](Level level, std::string text, std::string command) {
        out.push_back({level, "opencode", std::move(text), std::move(command)});
    };
    if (!o.error.empty()) {
        add(Level::broken, o.file + ": " + o.error, "localcode launch opencode --version");
    } else if (!o.has_provider) {
        add(Level::note,
            o.program.empty() ? "not installed" : "not set up for good; `localcode launch opencode` works without that",
            o.program.empty() ? "npm install -g opencode-ai" : "localcode init opencode");
    } else if (o.base_url != f.url + "/v1") {
        add(Level::warning, o.file + " points to " + o.base_url + ", the gateway is " + f.url + "/v1",
            "localcode init opencode");
    } else if (!o.wrong_contexts.empty()) {
        std::string all;
        for (const auto& one : o.wrong_contexts) all += (all.empty() ? "" : "; ") + one;
        add(Level::warning, o.file + " has wrong context sizes, so it compacts too late or too early: " + all,
            "localcode init opencode");
    } else if (!o.timeouts_off) {
        add(Level::warning, o.file + " has headerTimeout or chunkTimeout on: a long prefill is given up",
            "localcode init opencode");
    } else {
        add(Level::ok, o.file, "");
    }
}

}  // namespace

std::string_view name_of(Level level) {
    switch (level) {
        case Level::ok: return "ok";
        case Level::note: return "note";
        case Level::warning: return "warning";
        case Level::broken: return "broken";
    }
    return {};
}

Findings examine(const Facts& facts) {
    Findings out;
    config(facts, out);
    engine(facts, out);
    hardware(facts, out);
    models(facts, out);
    places(facts, out);
    opencode(facts, out);
    return out;
}

int exit_status(const Findings& findings) {
    return std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.level == Level::broken; }) ? 1
                                                                                                                    : 0;
}

}  // namespace lc::doctor
