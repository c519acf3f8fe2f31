// What the clients but OpenCode need. Settings seen to work with: Claude Code 2.1, Codex 0.169, Qwen Code 0.15 and
// 0.24, Cline 3.0, Continue's cn 1.5, Aider 0.86.
#include <algorithm>
#include <boost/json/serialize.hpp>

#include "core/clients/client.hpp"
#include "core/clients/opencode.hpp"

namespace lc::clients {

namespace json = boost::json;

namespace {

/// Clients insist on a key, also where none is needed.
std::string key_of(const Setup& setup) {
    return setup.key.empty() ? "none" : setup.key;
}

std::string quoted(std::string_view text) {
    return json::serialize(json::string(text));
}

Result<Launch> opencode(const Setup& setup) {
    json::value there;
    if (!setup.previous.empty()) {
        auto read = read_jsonc(setup.previous);
        if (!read) return fail(Errc::bad_request, "OPENCODE_CONFIG_CONTENT: " + read.error().detail);
        there = std::move(*read);
    }
    auto text = with_settings(setup.previous, opencode_settings(setup, Purpose::run, there));
    if (!text) return fail(Errc::bad_request, "OPENCODE_CONFIG_CONTENT: " + text.error().detail);
    Launch out;
    out.env.emplace_back("OPENCODE_CONFIG_CONTENT", std::move(*text));
    if (!setup.key.empty()) out.env.emplace_back("LOCALCODE_API_KEY", setup.key);
    return out;
}

Launch claude(const Setup& setup, const Model& main) {
    Launch out;
    out.env = {{"ANTHROPIC_BASE_URL", setup.url},
               {"ANTHROPIC_AUTH_TOKEN", key_of(setup)},
               {"ANTHROPIC_API_KEY", ""},
               {"ANTHROPIC_MODEL", setup.main},
               {"ANTHROPIC_SMALL_FAST_MODEL", setup.small},
               {"ANTHROPIC_DEFAULT_HAIKU_MODEL", setup.small},
               {"ANTHROPIC_DEFAULT_SONNET_MODEL", setup.main},
               {"ANTHROPIC_DEFAULT_OPUS_MODEL", setup.main},
               {"CLAUDE_CODE_SUBAGENT_MODEL", setup.main},
               {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"},
               {"CLAUDE_CODE_ATTRIBUTION_HEADER", "0"},
               {"DISABLE_AUTOUPDATER", "1"},
               {"DISABLE_TELEMETRY", "1"},
               {"DISABLE_ERROR_REPORTING", "1"},
               {"API_TIMEOUT_MS", "3600000"}};
    if (main.context > 0) {
        out.env.emplace_back("CLAUDE_CODE_MAX_CONTEXT_TOKENS", std::to_string(main.context));
        out.env.emplace_back("CLAUDE_CODE_MAX_OUTPUT_TOKENS", std::to_string(output_limit(main)));
    }
    return out;
}

Launch codex(const Setup& setup, const Model& main) {
    Launch out;
    out.env = {{"LOCALCODE_API_KEY", key_of(setup)}};
    const auto set = [&](const std::string& key, const std::string& value) {
        out.args.insert(out.args.end(), {"-c", key + "=" + value});
    };
    const std::string provider = "model_providers.localcode.";
    set("model", quoted(setup.main));
    set("model_provider", quoted("localcode"));
    set(provider + "name", quoted("LocalCode"));
    set(provider + "base_url", quoted(setup.url + "/v1"));
    set(provider + "env_key", quoted("LOCALCODE_API_KEY"));
    set(provider + "wire_api", quoted("responses"));
    set(provider + "stream_idle_timeout_ms", "3600000");
    if (main.context > 0) set("model_context_window", std::to_string(main.context));
    set("check_for_update_on_startup", "false");
    set("analytics.enabled", "false");
    set("feedback.enabled", "false");
    set("otel.exporter", quoted("none"));
    return out;
}

Launch qwen(const Setup& setup) {
    Launch out;
    out.env = {{"OPENAI_BASE_URL", setup.url + "/v1"},
               {"OPENAI_API_KEY", key_of(setup)},
               {"OPENAI_MODEL", setup.main},
               {"QWEN_TELEMETRY_ENABLED", "false"}};
    out.args = {"--auth-type", "openai"};
    return out;
}

Launch cline(const Setup& setup) {
    Launch out;
    out.env = {{"CLINE_DATA_DIR", setup.scratch}};
    const json::object provider{{"provider", "openai-compatible"},
                                {"apiKey", key_of(setup)},
                                {"model", setup.main},
                                {"baseUrl", setup.url + "/v1"}};
    // Without a time it does not take the entry.
    const json::object entry{
        {"settings", provider}, {"updatedAt", "1970-01-01T00:00:00.000Z"}, {"tokenSource", "manual"}};
    const json::object settings{{"version", 1},
                                {"lastUsedProvider", "openai-compatible"},
                                {"modes", json::object()},
                                {"providers", {{"openai-compatible", entry}}}};
    out.files = {{"settings/providers.json", pretty(settings) + "\n"},
                 {"settings/global-settings.json", "{\"telemetryOptOut\":true,\"autoUpdateEnabled\":false}\n"}};
    return out;
}

Launch cn(const Setup& setup) {
    // YAML takes strings as JSON writes them.
    std::string text = "name: LocalCode\nversion: 0.0.1\nschema: v1\nmodels:\n";
    const auto add = [&](const Model& model) {
        text += "  - name: " + quoted(model.id) + "\n    provider: openai\n    model: " + quoted(model.id) +
                "\n    apiBase: " + quoted(setup.url + "/v1") + "\n    apiKey: " + quoted(key_of(setup)) +
                "\n    roles: [chat, edit, apply, summarize]\n";
        if (model.tools) text += "    capabilities: [tool_use]\n";
        if (model.context > 0) {
            text += "    defaultCompletionOptions:\n      contextLength: " + std::to_string(model.context) +
                    "\n      maxTokens: " + std::to_string(output_limit(model)) + "\n";
        }
    };
    if (const auto* main = find(setup, setup.main)) add(*main);
    for (const auto& model : setup.models) {
        if (model.id != setup.main) add(model);
    }
    Launch out;
    out.env = {{"CONTINUE_TELEMETRY_ENABLED", "0"}};
    out.args = {"--config", setup.scratch + "/config.yaml"};
    out.files = {{"config.yaml", std::move(text)}};
    return out;
}

Launch aider(const Setup& setup, const Model& main) {
    Launch out;
    out.env = {{"OPENAI_API_BASE", setup.url + "/v1"}, {"OPENAI_API_KEY", key_of(setup)}};
    out.args = {
        "--model",        "openai/" + setup.main,    "--weak-model", "openai/" + setup.small, "--no-check-update",
        "--no-analytics", "--no-show-model-warnings"};
    if (main.context > 0) {
        json::object about;
        for (const auto& model : setup.models) {
            if (model.context <= 0) continue;
            about["openai/" + model.id] = {
                {"max_input_tokens", model.context}, {"max_output_tokens", output_limit(model)},
                {"input_cost_per_token", 0},         {"output_cost_per_token", 0},
                {"litellm_provider", "openai"},      {"mode", "chat"}};
        }
        out.files = {{"models.json", pretty(about) + "\n"}};
        out.args.insert(out.args.end(), {"--model-metadata-file", setup.scratch + "/models.json"});
    }
    return out;
}

}  // namespace

Result<Launch> launch(Client client, const Setup& setup) {
    const Model none;
    const auto* found = find(setup, setup.main);
    const Model& main = found != nullptr ? *found : none;
    switch (client) {
        case Client::opencode: return opencode(setup);
        case Client::claude: return claude(setup, main);
        case Client::codex: return codex(setup, main);
        case Client::qwen: return qwen(setup);
        case Client::cline: return cline(setup);
        case Client::cn: return cn(setup);
        case Client::aider: return aider(setup, main);
    }
    return fail(Errc::internal, "no such client");
}

}  // namespace lc::clients
