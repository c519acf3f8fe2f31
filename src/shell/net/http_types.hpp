// Messages as the server and the client exchange them. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lc::net {

struct Field {
    std::string name, value;
};
using Fields = std::vector<Field>;

/// First field of that name (ASCII case-insensitive), or empty.
[[nodiscard]] std::string_view get(const Fields& fields, std::string_view name);
void set(Fields& fields, std::string_view name, std::string value);  ///< replaces all of that name
void erase(Fields& fields, std::string_view name);

// The messages have constructors, which keeps them from being aggregates: g++ 12 destroys an aggregate twice that is made
// with braces inside a co_await expression, as in `co_await respond(exchange, Response{...})`. With these it is right.

struct Request {
    Request() = default;
    std::string method;
    std::string target;  ///< origin form: path and query
    Fields fields;
    std::string body;    ///< decoded: chunked framing and Content-Encoding undone, and the fields that said so removed
    std::string peer;    ///< "127.0.0.1:51234", "[::1]:1", "unix"
    bool over_unix = false;
    bool over_tls = false;
    int version = 11;
};

/// Head of an answer. `Content-Length`, `Transfer-Encoding` and `Connection` are the server's business.
struct ResponseHead {
    ResponseHead() = default;
    ResponseHead(int s, Fields f) : status(s), fields(std::move(f)) {}
    int status = 200;
    Fields fields;
    /// Of a streamed answer whose size is known before: it is framed by it, not by chunks. Set in what a call returns.
    std::optional<std::uint64_t> length;
};

struct Response {
    Response() = default;
    Response(int s, Fields f, std::string b) : status(s), fields(std::move(f)), body(std::move(b)) {}
    int status = 200;
    Fields fields;
    std::string body;
};

}  // namespace lc::net
