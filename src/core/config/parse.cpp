#include "core/config/parse.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "base/text.hpp"
#include "core/config/check.hpp"
#include "core/config/read_value.hpp"
#include "core/config/schema.hpp"

namespace lc::config {

namespace {

/// A table of the file: its title in messages, and its name in the list of planned keys.
struct Section {
    std::string_view title, name;
};
constexpr Section root{"the top level", ""};
constexpr Section server_section{"[server]", "server"};
constexpr Section tls_section{"[server.tls]", "server.tls"};
constexpr Section limits_section{"[server.limits]", "server.limits"};
constexpr Section auth_section{"[auth]", "auth"};
constexpr Section auth_keys_section{"[[auth.keys]]", "auth.keys"};
constexpr Section log_section{"[log]", "log"};
constexpr Section kv_section{"[kv]", "kv"};
constexpr Section tools_section{"[tools]", "tools"};
constexpr Section prefix_section{"[prefix]", "prefix"};
constexpr Section prefix_rule_section{"[[prefix.rule]]", "prefix.rule"};
constexpr Section model_section{"[[model]]", "model"};
constexpr Section backend_section{"[[backend]]", "backend"};
constexpr Section route_section{"[[route]]", "route"};
constexpr Section match_section{"match of a [[route]]", "route.match"};

/// The nearest of `known` as " did you mean ...", or nothing.
std::string near_miss(std::string_view name, std::span<const std::string_view> known) {
    const auto near = nearest(name, known);
    return near.empty() ? std::string() : "; did you mean " + quoted(near) + "?";
}

void read_sampling_value(const toml::key& key, const toml::node& node, Sampling::Values& to, Problems& out) {
    const std::string_view name = key.str();
    const auto number = node.value<double>();
    if (std::ranges::find(sampling_names, name) == sampling_names.end()) {
        report(out, key.source(), "unknown sampling value " + quoted(name) + near_miss(name, sampling_names));
    } else if (!node.is_number() || !number || !std::isfinite(*number)) {
        report(out, node.source(), expected(name, "a number", node));
    } else {
        to.emplace(name, *number);
    }
}

bool known_kind(const toml::key& key, Problems& out) {
    if (std::ranges::find(request_kinds, key.str()) != request_kinds.end()) return true;
    report(out, key.source(), "unknown kind of requests " + quoted(key.str()) + near_miss(key.str(), request_kinds));
    return false;
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, Sampling& to, Problems& out) {
    const auto* table = node.as_table();
    if (table == nullptr) return report(out, node.source(), expected(entry.name, "a table of sampling values", node));
    for (const auto& [key, value] : *table) {
        const auto* of_kind = value.as_table();
        if (of_kind == nullptr) {
            read_sampling_value(key, value, to.all, out);
        } else if (known_kind(key, out)) {
            auto& values = to.by_kind[std::string(key.str())];
            for (const auto& [name, number] : *of_kind) read_sampling_value(name, number, values, out);
        }
    }
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, Thinking& to, Problems& out) {
    if (const auto* all = node.as_boolean()) {
        to.all = all->get();
        return;
    }
    const auto* table = node.as_table();
    if (table == nullptr) return report(out, node.source(), expected(entry.name, "true, false or a table of them", node));
    for (const auto& [key, value] : *table) {
        const auto* thinks = value.as_boolean();
        if (thinks == nullptr) {
            report(out, value.source(), expected(key.str(), "true or false", value));
        } else if (key.str() == "all") {
            to.all = thinks->get();
        } else if (known_kind(key, out)) {
            to.by_kind.emplace(key.str(), thinks->get());
        }
    }
}

template <class T>
bool holds(Entries<T> keys, std::string_view name) {
    return std::ranges::any_of(keys, [&](const Entry<T>& e) { return e.name == name; });
}

/// The section that a misplaced key belongs to; empty when no section knows it.
std::string_view home_of(std::string_view name) {
    if (holds(server_keys(), name)) return server_section.title;
    if (holds(limits_keys(), name)) return limits_section.title;
    if (holds(log_keys(), name)) return log_section.title;
    if (holds(model_keys(), name)) return model_section.title;
    if (holds(backend_keys(), name)) return backend_section.title;
    return {};
}

void unknown(const toml::key& key, const Section& section, std::span<const std::string_view> known, Problems& out) {
    const std::string where = section.name.empty() ? " at the top level" : " in " + std::string(section.title);
    if (planned(section.name, key.str())) {
        report(out, key.source(),
               quoted(key.str()) + where + " is not known to this version of LocalCode (a later one will have it)");
        return;
    }
    std::string message = "unknown key " + quoted(key.str()) + where;
    if (const auto near = nearest(key.str(), known); !near.empty()) {
        message += "; did you mean " + quoted(near) + "?";
    } else if (const auto home = home_of(key.str()); !home.empty()) {
        message += "; it belongs to " + std::string(home);
    }
    report(out, key.source(), std::move(message));
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, RouteMatch& to, Problems& out) {
    static constexpr std::array<std::string_view, 9> known = {"kind",       "model",      "client", "language", "header",
                                                              "min_tokens", "max_tokens", "media",  "tools"};
    const auto* table = node.as_table();
    if (table == nullptr) {
        report(out, node.source(), expected(entry.name, "a table of conditions", node));
        return;
    }
    for (const auto& [key, value] : *table) {
        const std::string_view name = key.str();
        if (name == "kind" || name == "model" || name == "client" || name == "language") {
            auto& globs = name == "kind" ? to.kind : name == "model" ? to.model : name == "client" ? to.client : to.language;
            read_globs(value, name, globs, out);
        } else if (name == "header") {
            const Entry<RouteMatch> header{"header", &RouteMatch::header, "", ""};
            read_value(value, header, to.header, out);
        } else if (name == "min_tokens" || name == "max_tokens") {
            const Entry<RouteMatch> limit{name, {}, "", "", 0, std::int64_t{1} << 40};
            std::int64_t number = -1;
            read_value(value, limit, number, out);
            if (number >= 0) (name == "min_tokens" ? to.min_tokens : to.max_tokens) = number;
        } else if (name == "media" || name == "tools") {
            const Entry<RouteMatch> flag{name, {}, "", ""};
            bool yes = false;
            read_value(value, flag, yes, out);
            (name == "media" ? to.media : to.tools) = yes;
        } else {
            unknown(key, match_section, known, out);
        }
    }
}

/// Reads all keys of `table` into `to`. `further`: names that the caller reads itself.
template <class T>
void read_table(const toml::table& table, const Section& section, Entries<T> keys, T& to, Problems& out,
                std::span<const std::string_view> further = {}) {
    std::vector<std::string_view> known(further.begin(), further.end());
    for (const auto& entry : keys) known.push_back(entry.name);
    for (const auto& [key, node] : table) {
        const std::string_view name = key.str();
        const auto entry = std::ranges::find_if(keys, [name](const Entry<T>& e) { return e.name == name; });
        if (entry != keys.end()) {
            const auto& value = node;
            std::visit([&](auto member) { read_value(value, *entry, to.*member, out); }, entry->member);
        } else if (std::ranges::find(further, name) == further.end()) {
            unknown(key, section, known, out);
        }
    }
}

/// The table `name` of `parent`; null when it is absent, or not a table (which is reported).
const toml::table* table_at(const toml::table& parent, std::string_view name, std::string_view title, Problems& out) {
    const toml::node* node = parent.get(name);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) {
        report(out, node->source(), expected(name, "a table, " + std::string(title), *node));
    }
    return node->as_table();
}

/// Reads a list of tables ([[section]]) and notes where each stands.
template <class T>
void read_list(const toml::table& parent, std::string_view name, const Section& section, Entries<T> keys,
               std::vector<T>& to, std::vector<Position>& at, Problems& out) {
    const toml::node* node = parent.get(name);
    if (node == nullptr) return;
    if (!node->is_array()) {
        report(out, node->source(), expected(name, "a list of tables, " + std::string(section.title), *node));
        return;
    }
    for (const auto& element : *node->as_array()) {
        if (!element.is_table()) {
            report(out, element.source(),
                   "each " + std::string(section.title) + " must be a table, got " + std::string(type_name(element)));
            continue;
        }
        const std::size_t before = out.size();
        read_table(*element.as_table(), section, keys, to.emplace_back(), out);
        at.push_back(position(element, out.size() != before));
    }
}

void read_root(const toml::table& file, Config& config, Positions& at, Problems& out) {
    static constexpr std::array<std::string_view, 9> tables = {"server", "auth",  "log",     "kv",   "tools",
                                                               "prefix", "model", "backend", "route"};
    static constexpr std::array<std::string_view, 2> in_server = {"tls", "limits"};
    static constexpr std::array<std::string_view, 1> in_auth = {"keys"};
    static constexpr std::array<std::string_view, 1> in_prefix = {"rule"};
    for (const auto& [key, node] : file) {
        if (std::ranges::find(tables, key.str()) == tables.end()) unknown(key, root, tables, out);
    }
    if (const auto* server = table_at(file, "server", server_section.title, out)) {
        read_table(*server, server_section, server_keys(), config.server, out, in_server);
        if (const auto* tls = table_at(*server, "tls", tls_section.title, out)) {
            const std::size_t before = out.size();
            read_table(*tls, tls_section, tls_keys(), config.server.tls, out);
            at.tls = position(*tls, out.size() != before);
        }
        if (const auto* limits = table_at(*server, "limits", limits_section.title, out)) {
            read_table(*limits, limits_section, limits_keys(), config.server.limits, out);
        }
    }
    if (const auto* auth = table_at(file, "auth", auth_section.title, out)) {
        read_table(*auth, auth_section, auth_keys(), config.auth, out, in_auth);
        read_list(*auth, "keys", auth_keys_section, auth_key_keys(), config.auth.keys, at.keys, out);
    }
    if (const auto* log = table_at(file, "log", log_section.title, out)) {
        read_table(*log, log_section, log_keys(), config.log, out);
    }
    if (const auto* kv = table_at(file, "kv", kv_section.title, out)) {
        read_table(*kv, kv_section, kv_keys(), config.kv, out);
    }
    if (const auto* tools = table_at(file, "tools", tools_section.title, out)) {
        read_table(*tools, tools_section, tools_keys(), config.tools, out);
    }
    if (const auto* prefix = table_at(file, "prefix", prefix_section.title, out)) {
        read_table(*prefix, prefix_section, prefix_keys(), config.prefix, out, in_prefix);
        read_list(*prefix, "rule", prefix_rule_section, prefix_rule_keys(), config.prefix.rules, at.prefix_rules, out);
    }
    read_list(file, "model", model_section, model_keys(), config.models, at.models, out);
    read_list(file, "backend", backend_section, backend_keys(), config.backends, at.backends, out);
    read_list(file, "route", route_section, route_keys(), config.routes, at.routes, out);
}

}  // namespace

Parsed parse(std::string_view toml_text) {
    Parsed parsed;
    toml::table file;
    try {
        file = toml::parse(toml_text);
    } catch (const toml::parse_error& error) {
        // The only exception of the library's parser; it stops at the first fault of syntax.
        report(parsed.problems, error.source(), std::string(error.description()));
        return parsed;
    }
    Positions at;
    read_root(file, parsed.config, at, parsed.problems);
    check_tables(parsed.config, at, parsed.problems);
    std::ranges::stable_sort(parsed.problems, [](const Problem& a, const Problem& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    return parsed;
}

std::string describe(std::string_view file, const std::vector<Problem>& problems) {
    std::string out;
    for (const Problem& problem : problems) {
        out += file;
        if (problem.line > 0) out += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
        out += ": " + problem.message + "\n";
    }
    return out;
}

std::string to_json(const Config& config) {
    std::ostringstream out;
    out << toml::json_formatter(toml::parse(to_toml(config)));
    return std::move(out).str();
}

std::vector<Problem> validate(const Config& config) {
    std::vector<Problem> problems;
    check_tables(config, {}, problems);
    check_whole(config, problems);
    return problems;
}

}  // namespace lc::config
