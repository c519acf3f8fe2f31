#include "core/media/find.hpp"

#include <optional>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "core/api/json_dom.hpp"
#include "core/api/json_scan.hpp"

namespace lc::media {

namespace {

using api::Range;
using api::slice;

/// A JSON string without quotes and escapes.
std::string unescaped(std::string_view literal) {
    if (literal.size() < 2 || literal.front() != '"') return {};
    if (literal.find('\\') == std::string_view::npos) return std::string(literal.substr(1, literal.size() - 2));
    const auto parsed = api::parse_json(literal);
    return parsed ? std::string(api::text_of(parsed->root)) : std::string();
}

std::optional<Range> member(std::string_view body, Range object, std::string_view name) {
    std::optional<Range> found;
    if (body[object.begin] != '{') return found;
    api::scan_members(body, object.begin, [&](Range key, Range value) {
        if (unescaped(slice(body, key)) == name) found = value;
    });
    return found;
}

struct Finder {
    std::string_view body;
    std::vector<Item> items;

    bool is_text(Range range) const { return body[range.begin] == '"'; }

    void add(Range range, const std::string& where, bool bare = false) {
        if (!is_text(range) || items.size() > max_items) return;
        Item item;
        item.range = range;
        item.text = unescaped(slice(body, range));
        item.where = where;
        item.bare = bare;
        items.push_back(std::move(item));
    }

    /// A URL itself, or in an object: as `url`, or as `data`.
    void add_url(Range value, const std::string& where) {
        if (is_text(value)) return add(value, where);
        for (const auto* name : {"url", "data"}) {
            if (const auto inner = member(body, value, name)) add(*inner, where + "." + name);
        }
    }

    void add_source(Range source, const std::string& where) {
        const auto type = member(body, source, "type");
        const std::string kind = type ? unescaped(slice(body, *type)) : std::string();
        if (const auto url = member(body, source, "url")) add(*url, where + ".url");
        if (const auto data = member(body, source, "data")) {
            const std::size_t before = items.size();
            add(*data, where + ".data", true);
            if (const auto media_type = member(body, source, "media_type"); media_type && items.size() > before) {
                items.back().media_type = *media_type;
            }
        }
        if (kind == "file") add_file(source, where);
    }

    void add_file(Range range, const std::string& where) {
        Item item;
        item.range = range;
        item.where = where;
        item.file = true;
        items.push_back(std::move(item));
    }

    void look_at(Range object, const std::string& where) {
        const auto type_range = member(body, object, "type");
        const std::string type = type_range ? unescaped(slice(body, *type_range)) : std::string();
        const std::size_t before = items.size();
        if (type == "image_url" || type == "input_image") {
            if (const auto url = member(body, object, "image_url")) add_url(*url, where + ".image_url");
            if (items.size() == before && member(body, object, "file_id")) add_file(object, where);
        } else if (type == "input_audio") {
            if (const auto audio = member(body, object, "input_audio")) add_url(*audio, where + ".input_audio");
            for (std::size_t i = before; i < items.size(); ++i) items[i].bare = !items[i].text.starts_with("data:");
        } else if (type == "input_video" || type == "video_url") {
            if (const auto video = member(body, object, type)) add_url(*video, where + "." + type);
            for (std::size_t i = before; i < items.size(); ++i) items[i].video = true;
        } else if (type == "image") {
            if (const auto source = member(body, object, "source")) add_source(*source, where + ".source");
        }
        if (const auto raw = member(body, object, "multimodal_data"); raw && body[raw->begin] == '[') {
            std::size_t i = 0;
            api::scan_elements(body, raw->begin, [&](Range value) {
                add(value, where + ".multimodal_data[" + std::to_string(i++) + "]", true);
            });
        }
    }

    void walk(Range value, const std::string& where, int depth) {
        if (depth > 256 || items.size() > max_items) return;
        if (body[value.begin] == '[') {
            std::size_t i = 0;
            api::scan_elements(body, value.begin, [&](Range inner) {
                if (body[inner.begin] == '{' || body[inner.begin] == '[') walk(inner, where + "[" + std::to_string(i) + "]", depth + 1);
                ++i;
            });
        } else if (body[value.begin] == '{') {
            look_at(value, where);
            api::scan_members(body, value.begin, [&](Range key, Range inner) {
                if (body[inner.begin] != '{' && body[inner.begin] != '[') return;
                walk(inner, where + (where.empty() ? "" : ".") + preview(unescaped(slice(body, key)), 40), depth + 1);
            });
        }
    }
};

}  // namespace

Result<std::vector<Item>> find_media(std::string_view body) {
    Finder finder{body, {}};
    const std::size_t begin = api::skip_json_space(body, 0);
    if (begin >= body.size() || body[begin] != '{') return std::vector<Item>{};
    finder.walk({begin, api::skip_json_value(body, begin)}, "", 0);
    if (finder.items.size() > max_items) {
        return fail(Errc::bad_request, "the request has more than " + std::to_string(max_items) + " images");
    }
    return std::move(finder.items);
}

Result<std::string> bytes_of(const Item& item) {
    const std::string begin = to_lower(std::string_view(item.text).substr(0, 8));
    if (item.file) {
        return fail(Errc::unsupported, item.where + " names an uploaded file; send the image itself, as a data URL");
    }
    if (item.video) return fail(Errc::unsupported, item.where + ": video is not supported");
    if (begin.starts_with("http:") || begin.starts_with("https:")) {
        return fail(Errc::unsupported, item.where + " is a web address; LocalCode fetches nothing for a client: send the image itself, "
                                                    "as a data URL (data:image/png;base64,...)");
    }
    std::string_view data = item.text;
    if (data.starts_with("data:")) {
        const std::size_t comma = data.find(',');
        if (item.bare || comma == std::string_view::npos || !data.substr(0, comma).ends_with(";base64")) {
            return fail(Errc::bad_request, item.where + " is a data URL that is not base64 (data:image/png;base64,...)");
        }
        data.remove_prefix(comma + 1);
    }
    auto bytes = from_base64(data);
    if (!bytes || bytes->empty()) {
        return fail(Errc::bad_request, item.where + " is neither a data URL (data:image/png;base64,...) nor base64; paths and other "
                                                    "addresses are not taken");
    }
    return std::move(*bytes);
}

}  // namespace lc::media
