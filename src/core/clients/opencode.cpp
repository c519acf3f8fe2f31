#include "core/clients/opencode.hpp"

namespace lc::clients {

namespace json = boost::json;

namespace {

const json::value* at(const json::value& from, std::string_view key) {
    const auto* object = from.if_object();
    return object != nullptr ? object->if_contains(key) : nullptr;
}

/// Whether the user's file names a model of somebody else's here; that choice stays.
bool others_model(const json::value& there, std::string_view key) {
    const auto* value = at(there, key);
    const auto* text = value != nullptr ? value->if_string() : nullptr;
    return text != nullptr && !std::string_view(text->data(), text->size()).starts_with("localcode/");
}

json::object limits(const Model& model) {
    return {{"context", model.context}, {"output", output_limit(model)}};
}

json::object entry(const Model& model) {
    json::array input{"text"};
    if (model.vision) input.push_back("image");
    json::object out{{"name", model.id}, {"tool_call", model.tools}, {"temperature", true}};
    if (model.reasoning) {
        out["reasoning"] = true;
        out["interleaved"] = {{"field", "reasoning_content"}};
    }
    if (model.vision) out["attachment"] = true;
    out["modalities"] = {{"input", std::move(input)}, {"output", {"text"}}};
    if (model.context > 0) out["limit"] = limits(model);
    return out;
}

}  // namespace

std::vector<Setting> opencode_settings(const Setup& setup, Purpose purpose, const json::value& there) {
    const bool run = purpose == Purpose::run;
    const How keep = run ? How::replace : How::if_absent;
    const std::vector<std::string> provider{"provider", "localcode"};
    const auto in = [&](std::initializer_list<std::string> more) {
        auto path = provider;
        path.insert(path.end(), more);
        return path;
    };
    std::vector<Setting> out;
    const auto set = [&](std::vector<std::string> path, json::value value, How how) {
        out.push_back({std::move(path), std::move(value), how});
    };
    const auto text = [](const std::string& words) { return json::value(json::string(words)); };
    if (!run) set({"$schema"}, "https://opencode.ai/config.json", How::if_absent);
    set(in({"npm"}), "@ai-sdk/openai-compatible", keep);
    set(in({"name"}), "LocalCode", keep);
    set(in({"options", "baseURL"}), text(setup.url + "/v1"), How::replace);
    set(in({"options", "apiKey"}), setup.key.empty() ? "none" : "{env:LOCALCODE_API_KEY}", keep);
    // A long prefill is no fault: LocalCode keeps the connection alive and says when something is wrong.
    set(in({"options", "headerTimeout"}), false, keep);
    set(in({"options", "chunkTimeout"}), false, keep);
    for (const auto& model : setup.models) {
        set(in({"models", model.id}), entry(model), keep);
        if (!run && model.context > 0) set(in({"models", model.id, "limit", "context"}), model.context, How::replace);
    }
    if (!setup.main.empty() && (run || !others_model(there, "model"))) {
        set({"model"}, text("localcode/" + setup.main), How::replace);
    }
    if (!setup.small.empty() && (run || !others_model(there, "small_model"))) {
        set({"small_model"}, text("localcode/" + setup.small), How::replace);
    }
    if (!setup.plugin.empty()) set({"plugin"}, text("file://" + setup.plugin), How::append);
    return out;
}

}  // namespace lc::clients
