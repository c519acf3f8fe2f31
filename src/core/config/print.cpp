// The annotated example and the effective config as TOML text, both from the tables of schema.hpp.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

#include "base/text.hpp"
#include "core/config/parse.hpp"
#include "core/config/schema.hpp"

namespace lc::config {

namespace {

std::string basic_string(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += {'\\', c};
        } else if (byte < 0x20 || byte == 0x7f) {
            out += {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
        } else {
            out += c;
        }
    }
    return out + '"';
}

bool bare_key(std::string_view key) {
    return !key.empty() && key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
                               std::string_view::npos;
}

/// Header values may hold keys of other services.
bool may_be_secret(std::string_view header) {
    const std::string name = to_lower(header);
    for (const std::string_view word : {"auth", "key", "token", "secret", "cookie", "password"}) {
        if (name.find(word) != std::string::npos) return true;
    }
    return false;
}

constexpr std::string_view hidden = "(set)";

/// Empty: the value is empty and its line can be left out.
std::string text_of(bool value) {
    return value ? "true" : "false";
}
template <class Integer>
requires std::is_integral_v<Integer> std::string text_of(Integer value) {
    return std::to_string(value);
}
std::string text_of(const std::string& value) {
    return value.empty() ? "" : basic_string(value);
}
std::string text_of(const Secret& value) {
    return value.empty() ? "" : basic_string(hidden);
}
std::string text_of(const std::vector<std::string>& values) {
    if (values.empty()) return "";
    std::string out = "[";
    for (const std::string& value : values) out += (out.size() > 1 ? ", " : "") + basic_string(value);
    return out + "]";
}
std::string text_of(const std::map<std::string, std::string>& values) {
    if (values.empty()) return "";
    std::string out = "{ ";
    for (const auto& [key, value] : values) {
        if (out.size() > 2) out += ", ";
        out += (bare_key(key) ? key : basic_string(key)) + " = " +
               basic_string(may_be_secret(key) ? hidden : std::string_view(value));
    }
    return out + " }";
}

std::string text_of(const std::map<std::string, double>& values) {
    if (values.empty()) return "";
    std::string out = "{ ";
    for (const auto& [key, value] : values) {
        if (out.size() > 2) out += ", ";
        char number[32];
        std::snprintf(number, sizeof number, "%.6g", value);
        std::string text = number;
        if (text.find_first_of(".e") == std::string::npos) text += ".0";
        out += (bare_key(key) ? key : basic_string(key)) + " = " + text;
    }
    return out + " }";
}
std::string text_of(const RouteMatch& match) {
    std::vector<std::string> parts;
    const auto add = [&](std::string_view name, const std::string& text) {
        if (!text.empty()) parts.push_back(std::string(name) + " = " + text);
    };
    add("kind", text_of(match.kind));
    add("model", text_of(match.model));
    add("client", text_of(match.client));
    add("language", text_of(match.language));
    add("header", text_of(match.header));
    if (match.min_tokens) add("min_tokens", text_of(*match.min_tokens));
    if (match.max_tokens) add("max_tokens", text_of(*match.max_tokens));
    if (match.media) add("media", text_of(*match.media));
    if (match.tools) add("tools", text_of(*match.tools));
    if (parts.empty()) return "";
    std::string out = "{ ";
    for (const auto& part : parts) out += (out.size() > 2 ? ", " : "") + part;
    return out + " }";
}
std::string text_of(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", value);
    double back = 0;
    for (int digits = 1; digits < 17 && back != value; ++digits) {
        std::snprintf(text, sizeof text, "%.*g", digits, value);
        back = std::strtod(text, nullptr);
    }
    return text;
}
template <class Map>
std::string members_of(const Map& values) {
    std::string out;
    for (const auto& [name, value] : values) out += (out.empty() ? "" : ", ") + name + " = " + text_of(value);
    return out;
}
std::string text_of(const Sampling& sampling) {
    std::string out = members_of(sampling.all);
    for (const auto& [kind, values] : sampling.by_kind) {
        out += (out.empty() ? "" : ", ") + kind + " = { " + members_of(values) + " }";
    }
    return out.empty() ? "" : "{ " + out + " }";
}
std::string text_of(const Thinking& thinking) {
    if (thinking == Thinking{}) return "";
    const std::string all = thinking.all ? std::string("all = ") + (*thinking.all ? "true" : "false") : "";
    const std::string kinds = members_of(thinking.by_kind);
    return "{ " + all + (all.empty() || kinds.empty() ? "" : ", ") + kinds + " }";
}

template <class T>
std::string value_of(const T& from, const Entry<T>& entry) {
    return std::visit([&](auto member) { return text_of(from.*member); }, entry.member);
}

template <class T>
void print(std::string& out, std::string_view title, Entries<T> keys, const T& from) {
    out += (out.empty() ? "" : "\n") + std::string(title) + "\n";
    for (const auto& entry : keys) {
        const std::string value = value_of(from, entry);
        if (!value.empty()) out += std::string(entry.name) + " = " + value + "\n";
    }
}

void comment(std::string& out, std::string_view doc) {
    while (!doc.empty()) {
        const auto end = doc.find('\n');
        out += "# " + std::string(doc.substr(0, end)) + "\n";
        doc = end == std::string_view::npos ? std::string_view{} : doc.substr(end + 1);
    }
}

/// A section of the example: keys without a sample are live lines with their defaults, the others are commented out.
template <class T>
void annotate(std::string& out, std::string_view title, Entries<T> keys) {
    out += std::string(title) + "\n";
    for (const auto& entry : keys) {
        comment(out, entry.doc);
        if (entry.sample.empty()) {
            out += std::string(entry.name) + " = " + value_of(T{}, entry) + "\n";
        } else {
            out += "#" + std::string(entry.name) + " = " + std::string(entry.sample) + "\n";
        }
    }
    out += "\n";
}

}  // namespace

std::string example() {
    std::string out =
        "# LocalCode's configuration: every key, with what it does. Nothing here is required.\n"
        "#\n"
        "# Live lines show the defaults. Lines that begin with '#' and no space are examples: take the '#' away\n"
        "# and put in values of your own. Unknown keys are errors, so a typing mistake cannot go unnoticed.\n"
        "# Relative file names are taken from this file's folder, and ~/ is your home folder.\n"
        "# Secrets are written \"env:NAME\" (environment variable) or \"file:PATH\" (first line of a file).\n"
        "# Stronger than this file: LOCALCODE_HOST, LOCALCODE_PORT, LOCALCODE_ENGINE and LOCALCODE_LOG_LEVEL in the\n"
        "# environment; stronger than those: the command line.\n\n";
    annotate(out, "[server]", server_keys());
    out += "# TLS for the TCP listener.\n";
    annotate(out, "#[server.tls]", tls_keys());
    annotate(out, "[server.limits]", limits_keys());
    annotate(out, "[auth]", auth_keys());
    out +=
        "# Keys that clients may use (Authorization: Bearer, x-api-key or api-key). With none, no key is asked for.\n";
    annotate(out, "#[[auth.keys]]", auth_key_keys());
    annotate(out, "[log]", log_keys());
    annotate(out, "[kv]", kv_keys());
    annotate(out, "[tools]", tools_keys());
    annotate(out, "[prefix]", prefix_keys());
    out += "# Other steps for some requests; the first rule that fits wins. Without steps: none.\n";
    annotate(out, "#[[prefix.rule]]", prefix_rule_keys());
    out += "# A local model, served by an engine of its own. Repeat for more.\n";
    annotate(out, "#[[model]]", model_keys());
    out += "# An OpenAI-compatible server. Repeat for more.\n";
    annotate(out, "#[[backend]]", backend_keys());
    out += "# Which place answers which requests. The first that matches; without one, by the name asked for. Repeat for more.\n";
    annotate(out, "#[[route]]", route_keys());
    out.pop_back();
    return out;
}

std::string to_toml(const Config& config) {
    std::string out;
    print(out, "[server]", server_keys(), config.server);
    if (config.server.tls != Tls{}) print(out, "[server.tls]", tls_keys(), config.server.tls);
    print(out, "[server.limits]", limits_keys(), config.server.limits);
    if (config.auth != Auth{}) print(out, "[auth]", auth_keys(), config.auth);
    for (const Key& key : config.auth.keys) print(out, "[[auth.keys]]", auth_key_keys(), key);
    print(out, "[log]", log_keys(), config.log);
    print(out, "[kv]", kv_keys(), config.kv);
    print(out, "[tools]", tools_keys(), config.tools);
    print(out, "[prefix]", prefix_keys(), config.prefix);
    if (config.prefix.steps.empty()) out += "steps = []\n";
    for (const PrefixRule& rule : config.prefix.rules) print(out, "[[prefix.rule]]", prefix_rule_keys(), rule);
    for (const Model& model : config.models) print(out, "[[model]]", model_keys(), model);
    for (const Backend& backend : config.backends) print(out, "[[backend]]", backend_keys(), backend);
    for (const Route& route : config.routes) print(out, "[[route]]", route_keys(), route);
    return out;
}

}  // namespace lc::config
