// Images and the requests that carry them are foreign bytes: no crash, no endless loop, and what is found lies in the body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/api/json_dom.hpp"
#include "core/media/find.hpp"
#include "core/media/image.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto info = lc::media::inspect(bytes)) {
        if (lc::media::is_image(info->kind) && (info->width < 1 || info->height < 1)) std::abort();
        (void)lc::media::check_size(*info);
    }
    lc::media::Item item;
    item.text = bytes;
    (void)lc::media::bytes_of(item);
    if (!lc::api::parse_json(bytes, 1024)) return 0;
    const auto found = lc::media::find_media(bytes);
    if (!found) return 0;
    for (const auto& one : *found) {
        if (one.range.begin > one.range.end || one.range.end > bytes.size()) std::abort();
        (void)lc::media::bytes_of(one);
    }
    return 0;
}
