#include "core/clients/client.hpp"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>

#include "base/text.hpp"

namespace lc::clients {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 7> names = {"opencode", "claude", "codex", "qwen", "cline", "cn", "aider"};

const json::value* at(const json::value& from, std::string_view key) {
    const auto* object = from.if_object();
    return object != nullptr ? object->if_contains(key) : nullptr;
}

std::int64_t integer(const json::value* value) {
    if (value == nullptr || !value->is_number()) return 0;
    boost::system::error_code bad;
    const auto number = value->to_number<std::int64_t>(bad);
    return bad ? 0 : number;
}

std::vector<std::string> texts(const json::value* value) {
    std::vector<std::string> out;
    const auto* list = value != nullptr ? value->if_array() : nullptr;
    if (list == nullptr) return out;
    for (const auto& item : *list) {
        if (const auto* text = item.if_string()) out.emplace_back(text->data(), text->size());
    }
    return out;
}

bool has(const std::vector<std::string>& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

Model model_of(std::string id, const json::value& entry) {
    Model out;
    out.id = std::move(id);
    if (const auto* meta = at(entry, "meta")) {
        out.context = integer(at(*meta, "n_ctx"));
        out.bytes = integer(at(*meta, "size"));
    }
    const auto* details = at(entry, "localcode");
    if (details == nullptr) return out;
    if (const auto context = integer(at(*details, "context")); context > 0) out.context = context;
    out.output = integer(at(*details, "output"));
    out.aliases = texts(at(*details, "aliases"));
    const auto* place = at(*details, "place");
    out.local = place != nullptr && *place == "local";
    if (at(*details, "capabilities") != nullptr) {
        const auto can = texts(at(*details, "capabilities"));
        out.chat = has(can, "chat");
        out.tools = has(can, "tools");
        out.vision = has(can, "vision");
        out.reasoning = has(can, "reasoning");
    }
    return out;
}

}  // namespace

std::span<const std::string_view> client_names() {
    return names;
}

std::string_view name_of(Client client) {
    return names[static_cast<std::size_t>(client)];
}

Result<Client> client_of(std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<Client>(found - names.begin());
    std::string text = "there is no client '" + preview(name, 60) + "'";
    if (const auto near = nearest(name, names); !near.empty()) {
        text += "; did you mean '" + std::string(near) + "'?";
    } else {
        text += "; known:";
        for (const auto known : names) text += (known == names.front() ? " " : ", ") + std::string(known);
    }
    return fail(Errc::bad_request, std::move(text));
}

std::string_view how_to_install(Client client) {
    switch (client) {
        case Client::opencode: return "npm install -g opencode-ai";
        case Client::claude: return "npm install -g @anthropic-ai/claude-code";
        case Client::codex: return "npm install -g @openai/codex";
        case Client::qwen: return "npm install -g @qwen-code/qwen-code";
        case Client::cline: return "npm install -g cline";
        case Client::cn: return "npm install -g @continuedev/cli";
        case Client::aider: return "pipx install aider-chat";
    }
    return {};
}

Result<std::vector<Model>> models_of(std::string_view body) {
    boost::system::error_code bad;
    const auto document = json::parse({body.data(), body.size()}, bad);
    const auto* data = bad ? nullptr : at(document, "data");
    const auto* list = data != nullptr ? data->if_array() : nullptr;
    if (list == nullptr) return fail(Errc::upstream_error, "the answer to GET /v1/models is no list of models");
    std::vector<Model> out;
    for (const auto& entry : *list) {
        const auto* id = at(entry, "id");
        if (id == nullptr || !id->is_string()) continue;
        auto model = model_of(std::string(id->get_string().data(), id->get_string().size()), entry);
        if (model.chat) out.push_back(std::move(model));
    }
    return out;
}

const Model* find(const Setup& setup, std::string_view id) {
    for (const auto& model : setup.models) {
        if (model.id == id || has(model.aliases, id)) return &model;
    }
    return nullptr;
}

void choose_models(Setup& setup, std::string_view default_model) {
    setup.main = setup.small = {};
    if (setup.models.empty()) return;
    const Model* main = find(setup, default_model);
    if (main == nullptr) main = &setup.models.front();
    const Model* small = find(setup, "small");
    if (small == nullptr) {
        small = main;
        for (const auto& model : setup.models) {
            if (model.local && model.bytes > 0 && model.bytes < main->bytes / 2 &&
                (small == main || model.bytes < small->bytes)) {
                small = &model;
            }
        }
    }
    setup.main = main->id;
    setup.small = small->id;
}

std::int64_t output_limit(const Model& model) {
    return model.output > 0 ? model.output : std::min<std::int64_t>(2048, model.context / 8);
}

}  // namespace lc::clients
