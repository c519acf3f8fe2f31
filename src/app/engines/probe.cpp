#include "app/engines/probe.hpp"

#include <boost/json.hpp>

#include "core/templates/templates.hpp"

namespace lc::engines {

namespace json = boost::json;

namespace {

const json::object* object_at(const json::object& in, std::string_view key) {
    const auto* value = in.if_contains(key);
    return value == nullptr ? nullptr : value->if_object();
}

std::string text_at(const json::object& in, std::string_view key) {
    const auto* value = in.if_contains(key);
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(text->c_str(), text->size());
}

bool true_at(const json::object& in, std::string_view key) {
    const auto* value = in.if_contains(key);
    const auto* flag = value == nullptr ? nullptr : value->if_bool();
    return flag != nullptr && *flag;
}

std::int64_t integer_at(const json::object& in, std::string_view key) {
    const auto* value = in.if_contains(key);
    const auto* number = value == nullptr ? nullptr : value->if_int64();
    return number == nullptr ? 0 : *number;
}

awaitable<Result<net::Fetched>> get(net::Pool& pool, net::Target target, std::string path) {
    net::Timeouts timeouts;
    timeouts.connect = timeouts.first_byte = timeouts.silence = std::chrono::seconds(5);
    net::Request request;
    request.method = "GET";
    request.target = std::move(path);
    co_return co_await net::fetch(pool, std::move(target), timeouts, std::move(request));
}

}  // namespace

Result<Probed> read_props(std::string props, std::string_view engine) {
    Probed out;
    boost::system::error_code ec;
    const json::value document = json::parse(props, ec);
    const json::object* root = ec ? nullptr : document.if_object();
    if (root == nullptr) return fail(Errc::upstream_error, "the engine's /props is not a JSON object");
    out.slots = integer_at(*root, "total_slots");
    if (const auto* settings = object_at(*root, "default_generation_settings")) {
        out.context_per_slot = integer_at(*settings, "n_ctx");
    }
    out.meta.build = text_at(*root, "build_info");
    out.meta.chat_template = text_at(*root, "chat_template");
    if (const auto* modalities = object_at(*root, "modalities")) {
        out.meta.vision = true_at(*modalities, "vision");
        out.meta.audio = true_at(*modalities, "audio");
    }
    // A llama-server from before the capabilities were reported: judge by the text.
    const auto* caps = object_at(*root, "chat_template_caps");
    out.tools_ok =
        caps != nullptr ? true_at(*caps, "supports_tools") : templates::renders_tools(out.meta.chat_template);
    out.meta.engine = "llama-server";
    const json::value about =
        engine.empty() ? json::value() : json::parse(json::string_view(engine.data(), engine.size()), ec);
    if (const auto* object = ec ? nullptr : about.if_object();
        object != nullptr && text_at(*object, "engine") == "localcode-engine") {
        out.ours = true;
        out.meta.engine = "localcode-engine";
        out.meta.about = engine;
        const auto* features = object->if_contains("features");
        if (const auto* list = features == nullptr ? nullptr : features->if_array()) {
            for (const auto& feature : *list) {
                if (const auto* name = feature.if_string()) out.meta.features.emplace_back(name->c_str(), name->size());
            }
        }
    }
    out.meta.props = std::move(props);
    return out;
}

awaitable<Result<Probed>> probe(net::Pool& pool, net::Target target) {
    const auto health = co_await get(pool, target, "/health");
    if (!health) co_return tl::unexpected(health.error());
    if (health->status != 200) co_return fail(Errc::overloaded, "not ready: status " + std::to_string(health->status));
    auto props = co_await get(pool, target, "/props");
    if (!props) co_return tl::unexpected(props.error());
    if (props->status != 200) co_return fail(Errc::upstream_error, "/props: status " + std::to_string(props->status));
    const auto about = co_await get(pool, target, "/localcode/engine");
    if (!about) co_return tl::unexpected(about.error());
    co_return read_props(std::move(props->body),
                         about->status == 200 ? std::string_view(about->body) : std::string_view());
}

}  // namespace lc::engines
