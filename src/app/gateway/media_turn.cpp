#include "app/gateway/media_turn.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "core/api/json_dom.hpp"
#include "core/api/splice.hpp"
#include "core/media/find.hpp"
#include "core/media/image.hpp"
#include "shell/media/pixels.hpp"

namespace lc::gateway {

namespace {

/// Whether a body can hold media at all: their types and names, or escapes that could hide them.
bool may_hold_media(std::string_view body) {
    for (const auto* word : {"image", "audio", "video", "multimodal_data", "\\u00"}) {
        if (body.find(word) != std::string_view::npos) return true;
    }
    return false;
}

Error at(const media::Item& item, const Error& error) { return {error.code, item.where + ": " + error.detail, 0}; }

/// What has to be changed so that an engine takes one of them.
Result<std::vector<api::Splice>> prepare(const media::Item& item) {
    auto bytes = media::bytes_of(item);
    if (!bytes) return tl::unexpected(bytes.error());
    auto info = media::inspect(*bytes);
    if (!info) return tl::unexpected(at(item, info.error()));
    if (auto ok = media::check_size(*info); !ok) return tl::unexpected(at(item, ok.error()));
    if (info->kind == media::Kind::png) {
        if (auto ok = media::check_png(*bytes, *info); !ok) return tl::unexpected(at(item, ok.error()));
    }
    bool changed = false;
    if (info->kind == media::Kind::webp) {
        if (info->animated) {
            return fail(Errc::bad_request, item.where + " is an animated WebP image; send a single picture");
        }
        auto png = media::webp_to_png(*bytes);
        if (!png) return tl::unexpected(at(item, png.error()));
        *bytes = std::move(*png);
        info->kind = media::Kind::png;
        changed = true;
    }
    const std::string mime(media::mime_of(info->kind));
    const std::string wanted = media::is_image(info->kind) ? "data:image/" : "data:audio/";
    const bool is_url = item.text.starts_with("data:");
    changed = changed || (is_url && !item.text.starts_with(wanted));
    std::vector<api::Splice> out;
    if (changed) {
        const std::string begin = is_url ? "data:" + mime + ";base64," : "";
        out.push_back({item.range, '"' + begin + to_base64(*bytes) + '"'});
    }
    if (!item.media_type.empty()) out.push_back({item.media_type, '"' + mime + '"'});
    return out;
}

/// `text`: the body. Takes time: not for the network thread.
struct Check {
    std::vector<media::Item> items;
    Result<std::vector<api::Splice>> operator()() const {
        std::vector<api::Splice> all;
        for (const auto& item : items) {
            auto one = prepare(item);
            if (!one) return tl::unexpected(one.error());
            for (auto& splice : *one) all.push_back(std::move(splice));
        }
        return all;
    }
};

awaitable<Result<std::vector<api::Splice>>> check(Gateway& gateway, std::string_view body) {
    auto items = media::find_media(body);
    if (!items) co_return tl::unexpected(items.error());
    if (items->empty()) co_return std::vector<api::Splice>{};
    const Check work{std::move(*items)};
    co_await asio::post(asio::bind_executor(gateway.files.get_executor(), asio::use_awaitable));
    auto done = work();
    co_await asio::post(asio::bind_executor(gateway.executor, asio::use_awaitable));
    co_return done;
}

}  // namespace

awaitable<Result<void>> begin_media(Gateway& gateway, Turn& turn) {
    auto& body = request(*turn.exchange).body;
    if (!may_hold_media(body)) co_return Result<void>{};
    auto splices = co_await check(gateway, body);
    if (!splices) co_return tl::unexpected(splices.error());
    if (turn.cancelled) co_return fail(Errc::cancelled, "the client left");
    bool any = false;
    for (const auto& splice : *splices) any = any || body.substr(splice.range.begin, splice.range.end - splice.range.begin) != splice.text;
    if (!any) co_return Result<void>{};
    auto text = api::apply(body, std::move(*splices));
    auto view = api::parse_request(turn.view.dialect, text, 1024);
    if (!view) co_return tl::unexpected(view.error());
    view->stream = turn.view.stream;
    turn.view = std::move(*view);
    body = std::move(text);
    co_return Result<void>{};
}

awaitable<Result<void>> check_media(Gateway& gateway, const net::Request& request) {
    if (!may_hold_media(request.body)) co_return Result<void>{};
    if (net::get(request.fields, "content-type").starts_with("multipart/")) co_return Result<void>{};
    if (const auto parsed = api::parse_json(request.body, 1024); !parsed) co_return tl::unexpected(parsed.error());
    const auto splices = co_await check(gateway, request.body);
    if (!splices) co_return tl::unexpected(splices.error());
    for (const auto& splice : *splices) {
        const auto& range = splice.range;
        if (std::string_view(request.body).substr(range.begin, range.end - range.begin) == splice.text) continue;
        co_return fail(Errc::unsupported, "this path passes requests on unchanged, and the engine does not take such an image (WebP, or one "
                                          "whose media type is wrong); send it as PNG or JPEG");
    }
    co_return Result<void>{};
}

}  // namespace lc::gateway
