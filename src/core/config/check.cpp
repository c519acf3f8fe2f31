#include "core/config/check.hpp"

#include <algorithm>
#include <charconv>
#include <array>
#include <map>

#include "base/text.hpp"
#include "core/access/host.hpp"
#include "core/config/presets.hpp"

namespace lc::config {

namespace {

using Problems = std::vector<Problem>;

Position place(const std::vector<Position>& at, std::size_t i) {
    return i < at.size() ? at[i] : Position{};
}

void report(Problems& out, const Position& at, std::string message) {
    out.push_back({at.line, at.column, std::move(message)});
}

std::string quoted(std::string_view text) {
    return "'" + preview(text, 80) + "'";
}

bool in(std::string_view set, char c) {
    return set.find(c) != std::string_view::npos;
}
bool alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Names stand in file names, headers and "backend/model", so they are kept simple.
bool simple_name(std::string_view name) {
    return !name.empty() && name.size() <= 128 && alnum(name.front()) &&
           std::ranges::all_of(name, [](char c) { return alnum(c) || in("._-+:@", c); });
}

constexpr std::string_view simple_name_rule =
    " must begin with a letter or digit and hold only letters, digits and . _ - + : @";

bool header_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) { return alnum(c) || in("!#$%&'*+-.^_`|~", c); });
}

/// "org/repo" or "org/repo:quant".
bool hf_name(std::string_view name) {
    const std::string_view repo = name.substr(0, name.find(':'));
    const auto slash = repo.find('/');
    const bool quant = repo.size() == name.size() || repo.size() + 1 < name.size();
    return quant && slash != std::string_view::npos && slash > 0 && slash + 1 < repo.size() &&
           std::ranges::all_of(name, [](char c) { return alnum(c) || in("._-/:", c); }) &&
           std::ranges::count(repo, '/') == 1;
}

/// "3,1": what each GPU gets, or nothing.
bool shares(std::string_view text) {
    while (!text.empty()) {
        double share = 0;
        const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), share);
        if (ec != std::errc{} || share < 0 || share > 1e9) return false;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.empty()) return true;
        if (text.front() != ',' || text.size() == 1) return false;
        text.remove_prefix(1);
    }
    return true;
}

bool web_url(std::string_view url) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!url.starts_with(scheme)) continue;
        const std::string_view rest = url.substr(scheme.size());
        if (rest.find_first_of(" \t\"<>\\^`{|}?#") != std::string_view::npos) return false;
        std::string_view host = rest.substr(0, rest.find('/'));
        // A password in a URL would be shown wherever the URL is: keys have a setting of their own.
        if (host.find('@') != std::string_view::npos) return false;
        const auto colon = host.rfind(':');
        if (colon == std::string_view::npos || host.ends_with(']')) return !host.empty();
        const std::string_view port = host.substr(colon + 1);
        int number = 0;
        const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
        const bool whole = ec == std::errc{} && end == port.data() + port.size();
        return colon > 0 && whole && number > 0 && number <= 65'535;
    }
    return url.starts_with("unix:/");
}

bool origin(std::string_view text) {
    if (text == "*" || text == "null") return true;
    const auto scheme = text.find("://");
    return scheme != std::string_view::npos && scheme > 0 && scheme + 3 < text.size() &&
           text.substr(scheme + 3).find('/') == std::string_view::npos;
}

void check_roles(const Model& model, const Position& here, Problems& out) {
    bool alone = false;
    for (const std::string& role : model.roles) alone = alone || role == "embed" || role == "rerank";
    if (alone && model.roles.size() > 1) {
        report(out, here, "model " + quoted(model.name) + " has the role embed or rerank, which stands alone: an engine does only "
                          "that; give the same file a second [[model]] table for the rest");
    }
}

void check_models(const Config& config, const Positions& at, Problems& out) {
    std::map<std::string, std::string, std::less<>> taken;  // name -> what has it
    for (std::size_t i = 0; i < config.models.size(); ++i) {
        const Model& model = config.models[i];
        const Position here = place(at.models, i);
        if (here.broken) continue;
        if (model.name.empty()) {
            report(out, here, "a [[model]] needs a name");
        } else if (!simple_name(model.name)) {
            report(out, here, "model name " + quoted(model.name) + std::string(simple_name_rule));
        } else if (const auto [it, fresh] = taken.try_emplace(model.name, "model " + quoted(model.name)); !fresh) {
            report(out, here, "the name " + quoted(model.name) + " is already taken by " + it->second);
        }
        if (model.path.empty() && model.hf.empty()) {
            report(out, here, "model " + quoted(model.name) + " needs path = \"FILE.gguf\" or hf = \"org/repo:quant\"");
        } else if (!model.path.empty() && !model.hf.empty()) {
            report(out, here, "model " + quoted(model.name) + " has both path and hf; give one of them");
        } else if (!model.hf.empty() && !hf_name(model.hf)) {
            report(out, here, "hf must look like \"org/repo:quant\", got " + quoted(model.hf));
        }
        if (!shares(model.tensor_split)) {
            report(out, here, "tensor_split must be numbers with commas between, such as \"3,1\", got " + quoted(model.tensor_split));
        }
    }
    for (std::size_t i = 0; i < config.models.size(); ++i) check_roles(config.models[i], place(at.models, i), out);
    for (std::size_t i = 0; i < config.models.size(); ++i) {
        for (const std::string& alias : config.models[i].aliases) {
            const Position here = place(at.models, i);
            if (alias.empty()) {
                report(out, here, "an alias of model " + quoted(config.models[i].name) + " is empty");
            } else if (const auto [it, fresh] =
                           taken.try_emplace(alias, "an alias of model " + quoted(config.models[i].name));
                       !fresh) {
                report(out, here, "the alias " + quoted(alias) + " is already taken by " + it->second);
            }
        }
    }
}

void check_headers(const Backend& backend, const Position& here, Problems& out) {
    static constexpr std::array<std::string_view, 6> ours = {"host",       "content-length",    "connection",
                                                             "keep-alive", "transfer-encoding", "upgrade"};
    for (const auto& [name, value] : backend.headers) {
        if (!header_name(name)) {
            report(out, here, quoted(name) + " is not a header name");
        } else if (std::ranges::find(ours, to_lower(name)) != ours.end()) {
            report(out, here, "the header " + quoted(name) + " is set by LocalCode itself");
        }
    }
}

void check_backends(const Config& config, const Positions& at, Problems& out) {
    std::vector<std::string_view> seen;
    for (std::size_t i = 0; i < config.backends.size(); ++i) {
        const Backend& backend = config.backends[i];
        const Position here = place(at.backends, i);
        if (here.broken) continue;
        if (backend.name.empty()) {
            report(out, here, "a [[backend]] needs a name");
        } else if (!simple_name(backend.name)) {
            report(out, here, "backend name " + quoted(backend.name) + std::string(simple_name_rule));
        } else if (std::ranges::find(seen, backend.name) != seen.end()) {
            report(out, here, "two backends have the name " + quoted(backend.name));
        }
        seen.push_back(backend.name);
        if (backend.preset.empty() && backend.url.empty()) {
            report(out, here, "backend " + quoted(backend.name) + " needs url = \"https://...\" or a preset");
        }
        if (!backend.preset.empty() && find_preset(backend.preset) == nullptr) {
            std::string message = "there is no preset " + quoted(backend.preset) + "; known:";
            for (const auto name : preset_names()) message += " " + std::string(name);
            report(out, here, std::move(message));
        }
        if (!backend.url.empty() && !web_url(backend.url)) {
            report(out, here, "url must begin with http:// or https:// and name a host, without user, query or fragment, got " + quoted(backend.url));
        }
        check_headers(backend, here, out);
    }
}

void check_keys(const Config& config, const Positions& at, Problems& out) {
    std::vector<std::string_view> seen;
    for (std::size_t i = 0; i < config.auth.keys.size(); ++i) {
        const Key& key = config.auth.keys[i];
        const Position here = place(at.keys, i);
        if (here.broken) continue;
        if (key.name.empty()) report(out, here, "each of [[auth.keys]] needs a name");
        if (key.key.empty()) report(out, here, "the key of " + quoted(key.name) + " is empty");
        if (!key.name.empty() && std::ranges::find(seen, key.name) != seen.end()) {
            report(out, here, "two of [[auth.keys]] have the name " + quoted(key.name));
        }
        seen.push_back(key.name);
    }
}

/// A place that a route may name: "auto", a local model, "backend/model" of a backend that is known.
bool known_place(const Config& config, std::string_view name) {
    if (name == "auto") return true;
    for (const Model& model : config.models) {
        if (model.name == name || std::ranges::find(model.aliases, name) != model.aliases.end()) return true;
    }
    for (const Backend& backend : config.backends) {
        if (name.size() > backend.name.size() + 1 && name.starts_with(backend.name) && name[backend.name.size()] == '/') {
            return true;
        }
        if (std::ranges::find(backend.models, name) != backend.models.end()) return true;
    }
    return false;
}

void check_place(const Config& config, std::string_view what, std::string_view name, const Position& here, Problems& out) {
    if (known_place(config, name)) return;
    std::vector<std::string> places;
    for (const Model& model : config.models) places.push_back(model.name);
    for (const Backend& backend : config.backends) {
        for (const auto& model : backend.models) places.push_back(backend.name + "/" + model);
    }
    const std::vector<std::string_view> names(places.begin(), places.end());
    std::string message = std::string(what) + " names " + quoted(name) + ", which is neither a [[model]] nor \"backend/model\"";
    if (const auto near = nearest(name, names); !near.empty()) message += "; did you mean " + quoted(near) + "?";
    report(out, here, std::move(message));
}

void check_routes(const Config& config, const Positions& at, Problems& out) {
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        const Route& route = config.routes[i];
        const Position here = place(at.routes, i);
        if (here.broken) continue;
        if (route.use.empty()) {
            report(out, here, "a [[route]] needs use = \"model\" or \"backend/model\"");
        } else {
            check_place(config, "use", route.use, here, out);
        }
        for (const std::string& name : route.fallback) check_place(config, "fallback", name, here, out);
        for (const auto& [name, weight] : route.weights) {
            if (name != "local" && name != "remote") check_place(config, "weights", name, here, out);
        }
        const auto& match = route.match;
        if (match.min_tokens && match.max_tokens && *match.min_tokens > *match.max_tokens) {
            report(out, here, "min_tokens is greater than max_tokens: nothing could match");
        }
    }
}

bool known_model(const Config& config, std::string_view name) {
    return std::ranges::any_of(config.models, [&](const Model& m) {
        return m.name == name || std::ranges::find(m.aliases, name) != m.aliases.end();
    });
}

void check_prefix_rules(const Config& config, const Positions& at, Problems& out) {
    for (std::size_t i = 0; i < config.prefix.rules.size(); ++i) {
        const PrefixRule& rule = config.prefix.rules[i];
        const Position here = place(at.prefix_rules, i);
        if (here.broken) continue;
        const bool backend = rule.backend.empty() || std::ranges::any_of(config.backends, [&](const Backend& b) {
                                 return b.name == rule.backend;
                             });
        if (!backend) {
            report(out, here, "a [[prefix.rule]] names " + quoted(rule.backend) + ", which is no [[backend]]");
        } else if (rule.backend.empty() && !rule.model.empty() &&
                   std::ranges::none_of(config.models, [&](const Model& m) { return m.name == rule.model; })) {
            report(out, here, "a [[prefix.rule]] names " + quoted(rule.model) +
                                  ", which is no [[model]]; for a backend's model name the backend, too");
        }
    }
}

}  // namespace

void check_tables(const Config& config, const Positions& at, Problems& out) {
    const Tls& tls = config.server.tls;
    if (!at.tls.broken && tls.certificate.empty() != tls.key.empty()) {
        report(out, at.tls, "[server.tls] needs both certificate and key");
    }
    for (const std::string& text : config.server.cors_origins) {
        if (!origin(text)) {
            report(out, {},
                   "cors_origins: " + quoted(text) + " is not an origin such as https://chat.example or \"*\"");
        }
    }
    if (config.server.host.empty()) report(out, {}, "server.host is empty; use \"127.0.0.1\", \"0.0.0.0\" or \"::\"");
    check_keys(config, at, out);
    check_models(config, at, out);
    check_backends(config, at, out);
    check_routes(config, at, out);
    check_prefix_rules(config, at, out);
}

void check_whole(const Config& config, Problems& out) {
    if (!access::loopback(config.server.host) && config.auth.keys.empty()) {
        report(out, {},
               "listening on " + quoted(config.server.host) +
                   ", beyond loopback, needs an API key: add [[auth.keys]] to the config file, or start with "
                   "--api-key env:NAME");
    }
    // sun_path of a Unix socket has 108 bytes, one of them for the final NUL.
    if (config.server.unix_socket.size() > 107) {
        report(out, {}, "server.unix_socket is longer than the 107 bytes a socket's path may have");
    }
    for (const std::string& name : config.server.preload) {
        if (known_model(config, name)) continue;
        std::vector<std::string_view> names;
        for (const Model& model : config.models) names.push_back(model.name);
        std::string message = "server.preload names " + quoted(name) + ", which is no [[model]]";
        if (const auto near = nearest(name, names); !near.empty()) message += "; did you mean " + quoted(near) + "?";
        report(out, {}, std::move(message));
    }
}

}  // namespace lc::config
