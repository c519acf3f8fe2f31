// Heads of HTTP/1 messages: finding their end, parsing with the rules that make request smuggling impossible, encoding.
// Pure. The grammar itself is Beast's parser's; what is stricter here is said at each function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "shell/net/content_coding.hpp"
#include "shell/net/http_types.hpp"

namespace lc::net {

/// Where a search for the end of a head stands; starts as {} at the first byte of the head.
struct HeadScan {
    std::size_t at = 0;          ///< bytes looked at
    std::size_t line = 0;        ///< where the current line begins
};
enum class HeadEnd : std::uint8_t { more, found, malformed };

/// Goes on with `bytes`, the head from its first byte (no empty lines before it). Found: the head is the first `scan.at`
/// bytes. Malformed at once: a line feed without carriage return, a folded line.
HeadEnd find_head_end(std::string_view bytes, HeadScan& scan);

struct Refusal {
    int status = 400;
    Error error;
};

struct RequestHead {
    Request request;  ///< without body; target in origin form, Host set from an absolute one
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool keep_alive = true;
    bool expects_continue = false;
    Coding coding = Coding::identity;
};

inline constexpr std::size_t max_fields = 256;

/// `head` ends with its empty line. Refused with 400: anything malformed, Content-Length beside Transfer-Encoding or twice,
/// Host missing (1.1) or twice, a target that is neither a path nor an absolute URL; 417, 415 and 501 for an Expect,
/// Content-Encoding or Transfer-Encoding that we do not know; 431 for too many fields.
[[nodiscard]] tl::expected<RequestHead, Refusal> parse_request_head(std::string_view head);

struct AnswerHead {
    ResponseHead head;
    std::optional<std::uint64_t> content_length;  ///< absent and not chunked: until the connection closes
    bool chunked = false;
    bool keep_alive = true;
};

/// `upstream_error` for anything malformed, Content-Length beside Transfer-Encoding, unknown Transfer-Encoding. An answer
/// that has no body by its status has content_length 0 (but not one to HEAD, which the caller must know of).
[[nodiscard]] Result<AnswerHead> parse_answer_head(std::string_view head);

/// How a body is announced.
enum class Framing : std::uint8_t { length, chunked, until_close, none };

/// Head of an answer of ours: `fields` but for those that the framing decides; control characters in values become spaces.
/// `date`: a whole line, or empty.
[[nodiscard]] std::string encode_answer_head(int status, const Fields& fields, Framing framing, std::size_t length,
                                             std::string_view connection, std::string_view date);

/// Head of a request of ours. `host`: value of the Host field.
[[nodiscard]] std::string encode_request_head(const Request& request, std::string_view target_prefix,
                                              std::string_view host);

}  // namespace lc::net
