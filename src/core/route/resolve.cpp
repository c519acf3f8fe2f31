#include "core/route/resolve.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace lc::route {

namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

Error unknown_model(const Table& table, std::string_view asked) {
    std::vector<std::string_view> names;
    for (const auto& local : table.locals) {
        names.emplace_back(local.name);
        names.insert(names.end(), local.aliases.begin(), local.aliases.end());
    }
    for (const auto& remote : table.remotes) names.insert(names.end(), remote.models.begin(), remote.models.end());

    std::string text = "model '" + preview(asked, 100) + "' is not known here";
    if (const auto near = nearest(asked, names); !near.empty()) {
        text += "; did you mean '" + std::string(near) + "'?";
    } else if (names.empty()) {
        text += ": no model is configured";
    } else {
        text += "; available:";
        for (std::size_t i = 0; i < names.size() && i < 10; ++i) text += (i ? ", " : " ") + std::string(names[i]);
    }
    return {Errc::not_found, text + ". GET /v1/models lists them."};
}

}  // namespace

Table table_of(const config::Config& config) {
    Table table;
    for (const auto& model : config.models) table.locals.push_back({model.name, model.aliases});
    for (const auto& backend : config.backends) {
        table.remotes.push_back({backend.name, backend.models, backend.models.empty()});
    }
    table.default_model = default_model(config);
    table.default_chosen = !config.server.model.empty() || !config.models.empty();
    return table;
}

std::string default_model(const config::Config& config) {
    if (!config.server.model.empty()) return config.server.model;
    if (!config.models.empty()) return config.models.front().name;
    return "glm-4.7";
}

Result<Choice> resolve(const Table& table, std::string_view asked) {
    const std::string_view name = asked.empty() ? std::string_view(table.default_model) : asked;
    const auto because = [&](const char* reason) { return std::string(asked.empty() ? "default" : reason); };

    for (std::size_t i = 0; i < table.locals.size(); ++i) {
        if (table.locals[i].name == name) return Choice{Place::local, i, table.locals[i].name, because("name")};
    }
    for (std::size_t i = 0; i < table.locals.size(); ++i) {
        if (contains(table.locals[i].aliases, name)) {
            return Choice{Place::local, i, table.locals[i].name, because("alias")};
        }
    }
    for (std::size_t i = 0; i < table.remotes.size(); ++i) {
        const auto& remote = table.remotes[i];
        if (name.size() <= remote.name.size() + 1 || !name.starts_with(remote.name) ||
            name[remote.name.size()] != '/') {
            continue;
        }
        const auto model = name.substr(remote.name.size() + 1);
        if (remote.open || contains(remote.models, model)) {
            return Choice{Place::remote, i, std::string(model), because("backend")};
        }
    }
    for (std::size_t i = 0; i < table.remotes.size(); ++i) {
        if (contains(table.remotes[i].models, name)) {
            return Choice{Place::remote, i, std::string(name), because("name")};
        }
    }
    for (std::size_t i = 0; i < table.remotes.size(); ++i) {
        if (table.remotes[i].open) return Choice{Place::remote, i, std::string(name), because("only-backend")};
    }
    if (asked.empty() && !table.default_chosen && !table.remotes.empty()) {
        return Choice{Place::remote, 0, std::string(name), "default"};
    }
    return tl::unexpected(unknown_model(table, name));
}

}  // namespace lc::route
