#include "core/config/parse.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <type_traits>

#include "base/text.hpp"
#include "core/config/check.hpp"
#include "core/config/schema.hpp"

namespace lc::config {

namespace {

using Problems = std::vector<Problem>;

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
constexpr Section model_section{"[[model]]", "model"};
constexpr Section backend_section{"[[backend]]", "backend"};

void report(Problems& out, const toml::source_region& at, std::string message) {
    out.push_back({static_cast<int>(at.begin.line), static_cast<int>(at.begin.column), std::move(message)});
}

Position position(const toml::node& node, bool broken = false) {
    return {static_cast<int>(node.source().begin.line), static_cast<int>(node.source().begin.column), broken};
}

std::string quoted(std::string_view text) {
    return "'" + preview(text, 80) + "'";
}

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::none: return "nothing";
        case toml::node_type::table: return "a table";
        case toml::node_type::array: return "a list";
        case toml::node_type::string: return "a string";
        case toml::node_type::integer: return "an integer";
        case toml::node_type::floating_point: return "a number with a fraction";
        case toml::node_type::boolean: return "true or false";
        case toml::node_type::date: return "a date";
        case toml::node_type::time: return "a time";
        case toml::node_type::date_time: return "a date and time";
    }
    return "something else";
}

std::string expected(std::string_view name, std::string_view what, const toml::node& node) {
    return quoted(name) + " must be " + std::string(what) + ", got " + std::string(type_name(node));
}

/// Control characters have no place in names, paths and keys; a NUL would cut them short unseen.
bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool read_string(const toml::node& node, std::string_view name, std::string& to, Problems& out) {
    const auto* value = node.as_string();
    if (value == nullptr) {
        report(out, node.source(), expected(name, "a string", node));
        return false;
    }
    if (has_control(value->get())) {
        report(out, node.source(), quoted(name) + " must not hold control characters");
        return false;
    }
    to = value->get();
    return true;
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, bool& to, Problems& out) {
    if (const auto* value = node.as_boolean()) {
        to = value->get();
    } else {
        report(out, node.source(), expected(entry.name, "true or false", node));
    }
}

template <class T, class Integer>
requires std::is_integral_v<Integer>
void read_value(const toml::node& node, const Entry<T>& entry, Integer& to, Problems& out) {
    const auto* value = node.as_integer();
    if (value == nullptr) {
        report(out, node.source(), expected(entry.name, "an integer", node));
    } else if (value->get() < entry.min || value->get() > entry.max) {
        report(out, node.source(),
               quoted(entry.name) + " must be from " + std::to_string(entry.min) + " to " + std::to_string(entry.max) +
                   ", got " + std::to_string(value->get()));
    } else {
        to = static_cast<Integer>(value->get());
    }
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, std::string& to, Problems& out) {
    std::string value;
    if (!read_string(node, entry.name, value, out)) return;
    if (!entry.one_of.empty() && std::ranges::find(entry.one_of, value) == entry.one_of.end()) {
        std::string message = quoted(entry.name) + " must be one of";
        for (const std::string_view word : entry.one_of) {
            message += (word == entry.one_of.front() ? " " : ", ") + std::string(word);
        }
        message += "; got " + quoted(value);
        report(out, node.source(), std::move(message));
        return;
    }
    to = std::move(value);
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, Secret& to, Problems& out) {
    read_string(node, entry.name, to.spec, out);
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, std::vector<std::string>& to, Problems& out) {
    const auto* list = node.as_array();
    if (list == nullptr) {
        report(out, node.source(), expected(entry.name, "a list of strings", node));
        return;
    }
    std::vector<std::string> values;
    for (const auto& element : *list) {
        std::string value;
        if (read_string(element, entry.name, value, out)) values.push_back(std::move(value));
    }
    to = std::move(values);
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, std::map<std::string, std::string>& to, Problems& out) {
    const auto* table = node.as_table();
    if (table == nullptr) {
        report(out, node.source(), expected(entry.name, "a table of strings", node));
        return;
    }
    for (const auto& [key, value] : *table) {
        std::string text;
        if (read_string(value, std::string(entry.name) + "." + std::string(key.str()), text, out)) {
            to.emplace(key.str(), std::move(text));
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
    static constexpr std::array<std::string_view, 7> tables = {"server", "auth", "log", "kv", "tools", "model", "backend"};
    static constexpr std::array<std::string_view, 2> in_server = {"tls", "limits"};
    static constexpr std::array<std::string_view, 1> in_auth = {"keys"};
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
    read_list(file, "model", model_section, model_keys(), config.models, at.models, out);
    read_list(file, "backend", backend_section, backend_keys(), config.backends, at.backends, out);
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
