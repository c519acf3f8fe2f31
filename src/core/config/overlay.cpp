#include "core/config/overlay.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "core/config/presets.hpp"
#include "core/config/schema.hpp"

namespace lc::config {

namespace {

constexpr std::array<std::string_view, 5> names = {"LOCALCODE_HOST", "LOCALCODE_PORT", "LOCALCODE_ENGINE",
                                                   "LOCALCODE_LOG_LEVEL", zai_key_variable};
constexpr std::array<std::string_view, 4> levels = {"error", "warn", "info", "debug"};

/// Empty variables count as unset.
std::optional<std::string> variable(const Environment& environment, std::string_view name) {
    const auto found = environment.find(name);
    if (found == environment.end() || found->second.empty()) return std::nullopt;
    return found->second;
}

void set_level(Config& config, const std::string& level, std::string_view from, std::vector<Problem>& out) {
    if (std::ranges::find(levels, level) != levels.end()) {
        config.log.level = level;
    } else {
        out.push_back(
            {0, 0, std::string(from) + " must be error, warn, info or debug, got '" + preview(level, 40) + "'"});
    }
}

void from_environment(Config& config, const Environment& environment, std::vector<Problem>& out) {
    if (auto host = variable(environment, "LOCALCODE_HOST")) config.server.host = std::move(*host);
    if (auto engine = variable(environment, "LOCALCODE_ENGINE")) config.server.engine = std::move(*engine);
    if (const auto level = variable(environment, "LOCALCODE_LOG_LEVEL")) {
        set_level(config, *level, "LOCALCODE_LOG_LEVEL", out);
    }
    if (const auto port = variable(environment, "LOCALCODE_PORT")) {
        const char* end = port->data() + port->size();
        if (const auto [stop, error] = std::from_chars(port->data(), end, config.server.port);
            error != std::errc{} || stop != end) {
            out.push_back({0, 0, "LOCALCODE_PORT must be from 0 to 65535, got '" + preview(*port, 40) + "'"});
        }
    }
    const bool has_zai = std::ranges::any_of(config.backends, [](const Backend& b) { return b.preset == zai_preset; });
    const bool name_taken = std::ranges::any_of(config.backends, [](const Backend& b) { return b.name == zai_preset; });
    if (variable(environment, zai_key_variable) && !has_zai && !name_taken) {
        Backend backend;
        backend.name = zai_preset;
        backend.preset = zai_preset;
        config.backends.push_back(std::move(backend));
    }
}

/// On a command line everybody on the machine can read a secret.
bool indirect(std::string_view secret) {
    return (secret.starts_with("env:") && secret.size() > 4) || (secret.starts_with("file:") && secret.size() > 5);
}

std::string with_v1(std::string url) {
    const auto scheme = url.find("://");
    if (scheme == std::string::npos) return url;
    const auto path = url.find('/', scheme + 3);
    if (path == std::string::npos) return url + "/v1";
    return path + 1 == url.size() ? url + "v1" : url;
}

/// Puts the models of the command line in front; one with a configured name takes that entry's other keys along.
void add_models(Config& config, std::vector<Model> given) {
    for (Model& model : given) {
        const auto known = std::ranges::find(config.models, model.name, &Model::name);
        if (known == config.models.end()) continue;
        Model merged = *known;
        merged.path = model.path;
        merged.hf = model.hf;
        model = std::move(merged);
        config.models.erase(known);
    }
    config.models.insert(config.models.begin(), std::make_move_iterator(given.begin()),
                         std::make_move_iterator(given.end()));
}

void local_models(Config& config, const CliOptions& options, std::vector<Problem>& out) {
    std::vector<Model> given;
    for (const std::string& path : options.models) {
        Model model;
        model.name = model_name_of_file(path);
        model.path = path;
        given.push_back(std::move(model));
    }
    for (const std::string& hf : options.hf) {
        Model model;
        model.name = model_name_of_hf(hf);
        model.hf = hf;
        given.push_back(std::move(model));
    }
    const std::size_t count = given.size();
    add_models(config, std::move(given));

    const bool for_models = options.context || options.slots || options.chat_template || options.preload;
    if (for_models && config.models.empty()) {
        out.push_back({0, 0,
                       "--context, --slots, --chat-template and --preload are about local models, and there is none; "
                       "give one with --model FILE.gguf"});
    }
    const std::size_t concerned = count > 0 ? count : config.models.size();
    for (std::size_t i = 0; i < concerned; ++i) {
        Model& model = config.models[i];
        if (options.context) model.context = *options.context;
        if (options.slots) model.slots = *options.slots;
        if (options.chat_template) model.chat_template = *options.chat_template;
        auto& preload = config.server.preload;
        if (options.preload && std::ranges::find(preload, model.name) == preload.end()) preload.push_back(model.name);
    }
    if (count > 0 && !options.default_model) config.server.model = config.models.front().name;
}

void upstream(Config& config, const CliOptions& options, std::vector<Problem>& out) {
    if (!options.upstream) {
        if (options.upstream_key || !options.upstream_models.empty()) {
            out.push_back({0, 0, "--upstream-key and --upstream-model need --upstream URL"});
        }
        return;
    }
    Backend backend;
    backend.name = "upstream";
    backend.url = with_v1(*options.upstream);
    backend.models = options.upstream_models;
    if (options.upstream_key) {
        backend.key.spec = *options.upstream_key;
        if (!indirect(backend.key.spec)) {
            out.push_back(
                {0, 0, "--upstream-key takes env:NAME or file:PATH, since command lines can be read by others"});
        }
    }
    std::erase_if(config.backends, [&](const Backend& b) { return b.name == backend.name; });
    config.backends.insert(config.backends.begin(), std::move(backend));
}

void from_options(Config& config, const CliOptions& options, std::vector<Problem>& out) {
    if (options.host) config.server.host = *options.host;
    if (options.port) {
        if (*options.port < 0 || *options.port > 65535) {
            out.push_back({0, 0, "--port must be from 0 to 65535, got " + std::to_string(*options.port)});
        } else {
            config.server.port = static_cast<std::uint16_t>(*options.port);
        }
    }
    if (options.unix_socket) config.server.unix_socket = *options.unix_socket;
    if (options.engine) config.server.engine = *options.engine;
    if (options.default_model) config.server.model = *options.default_model;
    if (options.log_level) set_level(config, *options.log_level, "--log-level", out);
    if (options.log_format) {
        if (*options.log_format != "text" && *options.log_format != "json") {
            out.push_back({0, 0, "--log-format must be text or json"});
        } else {
            config.log.format = *options.log_format;
        }
    }
    if (options.quiet) config.log.requests = false;
    if (options.api_key) {
        if (!indirect(*options.api_key)) {
            out.push_back({0, 0, "--api-key takes env:NAME or file:PATH, since command lines can be read by others"});
        }
        std::erase_if(config.auth.keys, [](const Key& key) { return key.name == "command-line"; });
        config.auth.keys.push_back({"command-line", {*options.api_key}});
    }
    local_models(config, options, out);
    upstream(config, options, out);
}

std::string tidy(std::string_view text) {
    std::string out = to_lower(text);
    for (char& c : out) {
        const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                          std::string_view("._-+:@").find(c) != std::string_view::npos;
        if (!fine) c = '-';
    }
    const auto first = out.find_first_not_of("._-+:@");
    return first == std::string::npos ? "model" : out.substr(first);
}

std::string anchor(std::string value, Anchor how, std::string_view folder, std::string_view home) {
    if (value.empty() || how == Anchor::none || value.front() == '/') return value;
    if (value == "~" || value.starts_with("~/")) {
        return home.empty() ? value : std::string(home) + value.substr(1);
    }
    if (how == Anchor::if_slash && value.find('/') == std::string::npos) return value;
    return std::string(folder) + (folder.ends_with('/') ? "" : "/") + value;
}

template <class T>
void anchor_all(T& table, Entries<T> keys, std::string_view folder, std::string_view home) {
    for (const auto& entry : keys) {
        if (const auto* text = std::get_if<std::string T::*>(&entry.member)) {
            table.** text = anchor(std::move(table.**text), entry.anchor, folder, home);
        } else if (const auto* secret = std::get_if<Secret T::*>(&entry.member)) {
            std::string& spec = (table.**secret).spec;
            if (spec.starts_with("file:")) spec = "file:" + anchor(spec.substr(5), Anchor::always, folder, home);
        }
    }
}

}  // namespace

std::span<const std::string_view> environment_names() {
    return names;
}

Overlaid overlay(Config config, const CliOptions& options, const Environment& environment) {
    Overlaid out{std::move(config), {}};
    from_environment(out.config, environment, out.problems);
    from_options(out.config, options, out.problems);
    for (Backend& backend : out.config.backends) backend = with_preset(std::move(backend));
    return out;
}

std::string model_name_of_file(std::string_view path) {
    std::string_view stem = path.substr(path.find_last_of('/') + 1);
    if (stem.size() > 5 && iequals(stem.substr(stem.size() - 5), ".gguf")) stem.remove_suffix(5);
    // "-00001-of-00003"
    constexpr std::size_t split = 15;
    if (stem.size() > split) {
        const std::string_view tail = stem.substr(stem.size() - split);
        if (tail.front() == '-' && tail.substr(6, 4) == "-of-") stem.remove_suffix(split);
    }
    return tidy(stem);
}

std::string model_name_of_hf(std::string_view hf) {
    std::string_view repo = hf.substr(0, hf.find(':'));
    repo = repo.substr(repo.find_last_of('/') + 1);
    std::string name = tidy(repo);
    if (name.size() > 5 && name.ends_with("-gguf")) name.resize(name.size() - 5);
    return name;
}

std::optional<std::string> nothing_to_serve(const Config& config) {
    if (!config.models.empty() || !config.backends.empty()) return std::nullopt;
    return "nothing to serve. Four ways to start:\n"
           "  localcode serve --model FILE.gguf           a local model\n"
           "  localcode serve --hf ORG/REPO:QUANT         a local model from Hugging Face\n"
           "  localcode serve --upstream URL              an OpenAI-compatible server\n"
           "  ZAI_API_KEY=... localcode serve             the GLM-4.7 coding API\n"
           "Or list models and backends in a config file: see `localcode config example`.";
}

Config anchored(Config config, std::string_view folder, std::string_view home) {
    anchor_all(config.server, server_keys(), folder, home);
    anchor_all(config.server.tls, tls_keys(), folder, home);
    anchor_all(config.auth, auth_keys(), folder, home);
    anchor_all(config.kv, kv_keys(), folder, home);
    for (Key& key : config.auth.keys) anchor_all(key, auth_key_keys(), folder, home);
    for (Model& model : config.models) anchor_all(model, model_keys(), folder, home);
    for (Backend& backend : config.backends) anchor_all(backend, backend_keys(), folder, home);
    return config;
}

}  // namespace lc::config
