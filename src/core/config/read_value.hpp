// One value of the config file into one member, mistakes reported with their place. Internal to core/config.
#pragma once

#include <toml++/toml.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/text.hpp"
#include "core/config/check.hpp"
#include "core/config/parse.hpp"
#include "core/config/schema.hpp"

namespace lc::config {

using Problems = std::vector<Problem>;

inline void report(Problems& out, const toml::source_region& at, std::string message) {
    out.push_back({static_cast<int>(at.begin.line), static_cast<int>(at.begin.column), std::move(message)});
}

inline Position position(const toml::node& node, bool broken = false) {
    return {static_cast<int>(node.source().begin.line), static_cast<int>(node.source().begin.column), broken};
}

inline std::string quoted(std::string_view text) {
    return "'" + preview(text, 80) + "'";
}

inline std::string_view type_name(const toml::node& node) {
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

inline std::string expected(std::string_view name, std::string_view what, const toml::node& node) {
    return quoted(name) + " must be " + std::string(what) + ", got " + std::string(type_name(node));
}

/// Control characters have no place in names, paths and keys; a NUL would cut them short unseen.
inline bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

inline bool read_string(const toml::node& node, std::string_view name, std::string& to, Problems& out) {
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

/// Whether `value` is one of the words that `entry` allows; if not, that is reported.
template <class T>
bool allowed(const toml::node& node, const Entry<T>& entry, const std::string& value, Problems& out) {
    if (entry.one_of.empty() || std::ranges::find(entry.one_of, value) != entry.one_of.end()) return true;
    std::string message = quoted(entry.name) + " must be one of";
    for (const std::string_view word : entry.one_of) {
        message += (word == entry.one_of.front() ? " " : ", ") + std::string(word);
    }
    message += "; got " + quoted(value);
    report(out, node.source(), std::move(message));
    return false;
}

template <class T>
void read_value(const toml::node& node, const Entry<T>& entry, std::string& to, Problems& out) {
    std::string value;
    if (read_string(node, entry.name, value, out) && allowed(node, entry, value, out)) to = std::move(value);
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
        if (read_string(element, entry.name, value, out) && allowed(element, entry, value, out)) {
            values.push_back(std::move(value));
        }
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
void read_value(const toml::node& node, const Entry<T>& entry, std::map<std::string, double>& to, Problems& out) {
    const auto* table = node.as_table();
    if (table == nullptr) {
        report(out, node.source(), expected(entry.name, "a table of numbers", node));
        return;
    }
    for (const auto& [key, value] : *table) {
        const auto number = value.template value<double>();
        const std::string name = std::string(entry.name) + "." + std::string(key.str());
        if (!value.is_number()) {
            report(out, value.source(), expected(name, "a number", value));
        } else if (!(*number >= 0.001 && *number <= 1000)) {
            report(out, value.source(), quoted(name) + " must be from 0.001 to 1000");
        } else {
            to.emplace(key.str(), *number);
        }
    }
}

/// One glob or a list of them.
inline void read_globs(const toml::node& node, std::string_view name, std::vector<std::string>& to, Problems& out) {
    const auto* list = node.as_array();
    std::string value;
    if (list == nullptr) {
        if (!node.is_string()) {
            report(out, node.source(), expected(name, "a string or a list of strings", node));
        } else if (read_string(node, name, value, out)) {
            to = {value};
        }
        return;
    }
    for (const auto& element : *list) {
        if (read_string(element, name, value, out)) to.push_back(value);
    }
    if (list->empty()) report(out, node.source(), quoted(name) + " is an empty list: nothing could match");
}

}  // namespace lc::config
