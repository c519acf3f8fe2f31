// Content-Encoding of request bodies: gzip, deflate (zlib, and the raw form that some clients send), zstd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lc::net {

enum class Coding : std::uint8_t { identity, gzip, deflate, zstd };

/// Of a Content-Encoding field's value; empty for one we do not know, and for lists (415).
[[nodiscard]] std::optional<Coding> parse_coding(std::string_view value);

/// A decompression under way. Resumable, so that a large body does not hold up the network thread.
class Decoder;
struct DecoderDeleter {
    void operator()(Decoder* decoder) const;
};
using DecoderPtr = std::unique_ptr<Decoder, DecoderDeleter>;

/// `compressed` must outlive the decoder. An empty one decodes to an empty text.
[[nodiscard]] DecoderPtr make_decoder(Coding coding, std::string_view compressed);

/// Appends at most `max_step` bytes to `out`; true: finished. Errors: bad_request (not such a stream, cut short, followed by
/// other bytes), too_large (`out` would grow over `max_total`).
Result<bool> decode_some(Decoder& decoder, std::string& out, std::size_t max_step, std::size_t max_total);

}  // namespace lc::net
