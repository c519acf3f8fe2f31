// `doctor`: looks at everything that a working set-up needs.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>

#include "app/commands/cli.hpp"
#include "app/commands/load_config.hpp"
#include "app/commands/once.hpp"
#include "app/commands/options.hpp"
#include "app/commands/reach.hpp"
#include "app/commands/survey.hpp"
#include "app/commands/text.hpp"
#include "app/engines/prepare.hpp"
#include "app/hub/fetch.hpp"
#include "app/secrets.hpp"
#include "core/clients/jsonc.hpp"
#include "shell/sys/fd.hpp"
#include "shell/sys/machine.hpp"

namespace lc::commands {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace std::chrono_literals;

struct Options {
    config::CliOptions cli;
    bool json = false;
};

/// The folder itself, or the nearest one above it that is there.
fs::path existing(fs::path path) {
    std::error_code ec;
    while (!path.empty() && path != path.root_path() && !fs::exists(path, ec)) path = path.parent_path();
    return path;
}

doctor::Folder folder(std::string what, const std::string& path) {
    doctor::Folder out{std::move(what), path, "", -1};
    const auto there = existing(path);
    std::error_code ec;
    struct stat info {};
    if (!fs::is_directory(there, ec)) {
        out.error =
            there.string() + " is no folder" + (there == fs::path(path) ? "" : ", so " + path + " cannot be made");
    } else if (::access(there.c_str(), W_OK | X_OK) != 0) {
        out.error = "you may not write to " + there.string() + ": " + sys::errno_text(errno);
    } else if (there == fs::path(path) && ::stat(there.c_str(), &info) == 0 && info.st_uid != ::getuid()) {
        out.error = path + " belongs to another user (number " + std::to_string(info.st_uid) + ")";
    }
    struct statvfs space {};
    if (::statvfs(there.c_str(), &space) == 0) {
        out.free_bytes = static_cast<std::int64_t>(space.f_bavail) * static_cast<std::int64_t>(space.f_frsize);
    }
    return out;
}

void look_at_models(const config::Config& config, const sys::Paths& paths, doctor::Facts& facts) {
    for (const auto& model : config.models) {
        doctor::Model out;
        out.name = model.name;
        out.hf = model.hf;
        auto resolved = model;
        if (model.path.empty()) {
            const auto here = hub::find_model(model.hf, paths.cache_dir);
            out.here = here.has_value();
            if (here) resolved.path = here->path;
        }
        out.path = resolved.path;
        if (out.here) {
            if (const auto header = engines::read_header(resolved, nullptr)) {
                out.bytes = (*header)->file_bytes;
                out.context = (*header)->info.context_train;
            } else {
                out.error = header.error().detail;
            }
        }
        facts.models.push_back(std::move(out));
    }
}

void look_at_backends(const config::Config& config, doctor::Facts& facts) {
    for (const auto& backend : config.backends) {
        doctor::Backend out{backend.name, backend.url, "", ""};
        std::string key;
        if (!backend.key.empty()) {
            if (auto secret = resolve_secret(backend.key)) {
                key = std::move(*secret);
            } else {
                out.key_error = secret.error().detail;
            }
        }
        auto target = net::parse_url(backend.url);
        if (target && out.key_error.empty()) {
            target->ca_file = backend.ca_file;
            net::Request request;
            request.method = "GET";
            request.target = "/models";
            if (!key.empty()) request.fields.push_back({"authorization", "Bearer " + key});
            for (const auto& [name, value] : backend.headers) request.fields.push_back({name, value});
            const auto answer = fetch_once(*target, std::move(request), 10s);
            // Servers without a list of models are fine; those that refuse the key are not.
            if (!answer) {
                out.error = answer.error().detail;
            } else if (answer->status == 401 || answer->status == 403) {
                out.error = "it refuses the key (" + std::to_string(answer->status) + ")";
            } else if (answer->status >= 500) {
                out.error = "it answers " + std::to_string(answer->status);
            }
        }
        facts.backends.push_back(std::move(out));
    }
}

const json::value* at(const json::value* from, std::string_view key) {
    const auto* object = from != nullptr ? from->if_object() : nullptr;
    return object != nullptr ? object->if_contains(key) : nullptr;
}

std::string opencode_file() {
    const auto env = sys::process_env();
    std::error_code ec;
    std::vector<fs::path> folders{fs::current_path(ec)};
    if (const auto config = env("XDG_CONFIG_HOME")) {
        folders.push_back(fs::path(*config) / "opencode");
    } else if (const auto home = env("HOME")) {
        folders.push_back(fs::path(*home) / ".config" / "opencode");
    }
    for (const auto& folder : folders) {
        for (const char* name : {"opencode.jsonc", "opencode.json"}) {
            if (fs::exists(folder / name, ec)) return (folder / name).string();
        }
    }
    return {};
}

void look_at_opencode(const Reach* reach, doctor::OpenCode& out) {
    out.program = sys::find_program(sys::process_env(), "opencode");
    out.file = opencode_file();
    if (out.file.empty()) return;
    const auto text = sys::read_file(out.file, 1 << 20);
    const auto document = text ? clients::read_jsonc(*text) : tl::unexpected(text.error());
    if (!document) {
        out.error = document.error().detail;
        return;
    }
    const auto* ours = at(at(&*document, "provider"), "localcode");
    const auto* options = at(ours, "options");
    out.has_provider = ours != nullptr;
    if (const auto* url = at(options, "baseURL"); url != nullptr && url->is_string())
        out.base_url = url->as_string().c_str();
    for (const char* name : {"headerTimeout", "chunkTimeout"}) {
        const auto* value = at(options, name);
        out.timeouts_off = out.timeouts_off && value != nullptr && value->is_bool() && !value->as_bool();
    }
    if (reach == nullptr || !reach->running) return;
    const auto setup = setup_of(*reach);
    if (!setup) return;
    for (const auto& model : setup->models) {
        const auto* written = at(at(at(at(ours, "models"), model.id), "limit"), "context");
        if (written == nullptr || !written->is_number() || model.context <= 0) continue;
        if (const auto context = written->to_number<std::int64_t>(); context != model.context) {
            out.wrong_contexts.push_back(model.id + ": " + std::to_string(context) + ", not " +
                                         std::to_string(model.context));
        }
    }
}

std::int64_t program_made() {
    const auto self = sys::executable_path();
    struct stat info {};
    return self && ::stat(self->c_str(), &info) == 0 ? info.st_mtim.tv_sec : 0;
}

doctor::Facts gather(const Options& options) {
    doctor::Facts facts;
    facts.cores = sys::cores();
    facts.cpu_flags = sys::cpu_flags();
#if !defined(__x86_64__)
    facts.x86 = false;
#endif
    facts.memory = sys::memory_available().value_or(0);
    facts.now = static_cast<std::int64_t>(std::time(nullptr));
    facts.program_made = program_made();
    for (const auto& card : survey_cards()) facts.gpus.push_back({card.name, card.kind, card.device, card.can_open});

    const auto loaded = load_config(options.cli);
    config::Config config;
    auto paths = sys::paths_from(sys::process_env(), ::getuid(), {options.cli.state_dir, options.cli.config_file})
                     .value_or(sys::Paths{});
    facts.config_file = paths.config_file;
    if (loaded) {
        config = loaded->config;
        facts.config_found = loaded->from_file;
        facts.nothing_to_serve = config::nothing_to_serve(config).value_or("");
        for (const auto& key : config.auth.keys) {
            if (auto secret = resolve_secret(key.key); !secret)
                facts.secrets.push_back("auth key '" + key.name + "': " + secret.error().detail);
        }
        if (!config.auth.admin_key.empty()) {
            if (auto secret = resolve_secret(config.auth.admin_key); !secret)
                facts.secrets.push_back("auth.admin_key: " + secret.error().detail);
        }
    } else {
        facts.config_error = loaded.error().detail;
    }
    if (!config.models.empty() || config.backends.empty()) {
        facts.engine = survey_engine(config.server.engine);
        facts.gpu_memory = free_on(facts.engine->devices);
    }
    look_at_models(config, paths, facts);
    look_at_backends(config, facts);

    const auto reach = find_gateway(options.cli);
    if (reach) {
        facts.port_number = reach->port;
        facts.url = reach->url;
        facts.port = reach->running ? doctor::Port::localcode : doctor::Port::free;
    } else {
        facts.port_number = config.server.port;
        facts.url = "http://127.0.0.1:" + std::to_string(config.server.port);
        facts.port = reach.error().detail.find("another program") != std::string::npos ? doctor::Port::other
                                                                                       : doctor::Port::unknown;
        facts.port_error = reach.error().detail;
    }
    facts.folders = {folder("state", paths.state_dir), folder("downloads", paths.cache_dir),
                     folder("sockets", paths.runtime_dir)};
    facts.folders.back().free_bytes = -1;  // tmpfs: sockets need none
    look_at_opencode(reach ? &*reach : nullptr, facts.opencode);
    return facts;
}

std::string_view colour_of(doctor::Level level) {
    switch (level) {
        case doctor::Level::ok: return "32";
        case doctor::Level::note: return "2";
        case doctor::Level::warning: return "33";
        case doctor::Level::broken: return "31";
    }
    return "";
}

int run_doctor(const Options& options) {
    const auto findings = doctor::examine(gather(options));
    const int result = doctor::exit_status(findings);
    if (options.json) {
        json::array checks;
        for (const auto& f : findings) {
            checks.push_back(
                {{"level", doctor::name_of(f.level)}, {"check", f.check}, {"text", f.text}, {"command", f.command}});
        }
        std::cout << json::serialize(json::value{{"ok", result == 0}, {"checks", std::move(checks)}}) << '\n';
        return result;
    }
    const bool colour = colour_on();
    int broken = 0, warnings = 0;
    for (const auto& f : findings) {
        broken += f.level == doctor::Level::broken;
        warnings += f.level == doctor::Level::warning;
        std::string level(doctor::name_of(f.level)), check = f.check;
        level.resize(9, ' ');
        check.resize(std::max<std::size_t>(check.size() + 1, 11), ' ');
        std::string text;
        for (std::size_t begin = 0; begin <= f.text.size();) {  // `clean` is for one line
            const auto end = std::min(f.text.find('\n', begin), f.text.size());
            const auto line = clean(std::string_view(f.text).substr(begin, end - begin));
            text += begin == 0 ? line : "\n" + std::string(20, ' ') + line;
            begin = end + 1;
        }
        std::cout << paint(level, colour_of(f.level), colour) << check << text << '\n';
        if (!f.command.empty())
            std::cout << std::string(20, ' ') << paint("-> " + clean(f.command), "1", colour) << '\n';
    }
    const auto count = [](int n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); };
    std::cout << (broken == 0 && warnings == 0 ? "everything is fine"
                                               : count(broken, "fault") + ", " + count(warnings, "warning"))
              << '\n';
    return result;
}

}  // namespace

void add_doctor(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("doctor", "Say what is wrong with this set-up, and what mends it");
    const auto options = std::make_shared<Options>();
    add_place_options(*command, options->cli);
    add_state_option(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer(
        "Looks at configuration, engine, processor, GPU, models and memory, backends, port, folders, disk, clock and\n"
        "OpenCode's configuration. Exit status: 0 nothing is broken, 1 something is.\n\n"
        "Examples:\n  localcode doctor\n  localcode doctor --json");
    command->callback([options, &status] { status = run_doctor(*options); });
}

}  // namespace lc::commands
