#include "shell/net/message.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <cstring>

#include "base/text.hpp"

namespace lc::net {
namespace http = boost::beast::http;
namespace {

using BeastView = boost::beast::string_view;
std::string_view std_view(BeastView v) { return {v.data(), v.size()}; }

/// What Beast's parser tells about a head. Its view of the body is not used: framing is decided from the fields below.
template <bool is_request>
class HeadParser : public http::basic_parser<is_request> {
  public:
    HeadParser() {
        this->header_limit(0xffffffff);
        this->body_limit(boost::none);
    }
    std::string method, target;
    Fields fields;
    int version = 11, status_code = 0;

  private:
    using Code = boost::beast::error_code;
    using Length = boost::optional<std::uint64_t> const&;
    void on_request_impl(http::verb, BeastView m, BeastView t, int v, Code&) override {
        method = std_view(m);
        target = std_view(t);
        version = v;
    }
    void on_response_impl(int s, BeastView, int v, Code&) override {
        status_code = s;
        version = v;
    }
    void on_field_impl(http::field, BeastView name, BeastView value, Code& ec) override {
        if (fields.size() == max_fields) {
            ec = http::error::header_limit;
            return;
        }
        fields.push_back({std::string(std_view(name)), std::string(std_view(value))});
    }
    void on_header_impl(Code&) override {}
    void on_body_init_impl(Length, Code&) override {}
    std::size_t on_body_impl(BeastView, Code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, BeastView, Code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, BeastView, Code&) override { return 0; }
    void on_finish_impl(Code&) override {}
};

tl::unexpected<Refusal> refuse(int status, std::string detail) {
    const Errc code = status == 431 ? Errc::too_large : status == 415 || status == 501 ? Errc::unsupported : Errc::bad_request;
    return tl::unexpected(Refusal{status, {code, std::move(detail)}});
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
    std::uint64_t n = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return n;
}

/// The fields that frame the message. Each may come once; values are trimmed by the parser already.
struct FramingFields {
    const std::string *length = nullptr, *transfer = nullptr, *host = nullptr, *expect = nullptr, *coding = nullptr;
    const char* twice = nullptr;
};

FramingFields framing_fields(const Fields& fields) {
    FramingFields f;
    const auto take = [&f](const std::string*& slot, const Field& field, const char* name) {
        if (slot != nullptr) f.twice = name;
        slot = &field.value;
    };
    for (const Field& field : fields) {
        switch (field.name.size()) {  // the length rules out most names without a comparison
            case 4:
                if (iequals(field.name, "host")) take(f.host, field, "Host");
                break;
            case 6:
                if (iequals(field.name, "expect")) take(f.expect, field, "Expect");
                break;
            case 14:
                if (iequals(field.name, "content-length")) take(f.length, field, "Content-Length");
                break;
            case 16:
                if (iequals(field.name, "content-encoding")) take(f.coding, field, "Content-Encoding");
                break;
            case 17:
                if (iequals(field.name, "transfer-encoding")) take(f.transfer, field, "Transfer-Encoding");
                break;
            default: break;
        }
    }
    return f;
}

/// "http://host/path?query" to its path and query; the authority takes the place of Host (RFC 9112, 3.2.2).
bool to_origin_form(Request& request) {
    std::string& target = request.target;
    if (target.starts_with('/') || target == "*" || request.method == "CONNECT") return true;
    const std::size_t scheme = target.find("://");
    if (scheme == std::string::npos) return false;
    const std::string_view name = std::string_view(target).substr(0, scheme);
    if (!iequals(name, "http") && !iequals(name, "https")) return false;
    const std::size_t from = scheme + 3, to = std::min(target.find_first_of("/?#", from), target.size());
    std::string authority = target.substr(from, to - from);
    if (authority.empty() || authority.find('@') != std::string::npos) return false;
    target.erase(0, to);
    if (!target.starts_with('/')) target.insert(0, 1, '/');
    set(request.fields, "Host", std::move(authority));
    return true;
}

/// `value` with nothing in it that could end the line.
void append_value(std::string& out, std::string_view value) {
    const std::size_t from = out.size();
    out += value;
    for (std::size_t i = from; i < out.size(); ++i) {
        if (static_cast<unsigned char>(out[i]) < 0x20 && out[i] != '\t') out[i] = ' ';
    }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    append_value(out, value);
    out += "\r\n";
}

void append_number(std::string& out, std::uint64_t n) {
    char digits[20];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

bool is_framing_field(std::string_view name) {
    switch (name.size()) {
        case 10: return iequals(name, "connection") || iequals(name, "keep-alive");
        case 14: return iequals(name, "content-length");
        case 17: return iequals(name, "transfer-encoding");
        default: return false;
    }
}

std::size_t encoded_size(const Fields& fields) {
    std::size_t n = 0;
    for (const Field& field : fields) n += field.name.size() + field.value.size() + 4;
    return n;
}

}  // namespace

HeadEnd find_head_end(std::string_view bytes, HeadScan& scan) {
    while (scan.at < bytes.size()) {
        const void* found = std::memchr(bytes.data() + scan.at, '\n', bytes.size() - scan.at);
        if (found == nullptr) {
            scan.at = bytes.size();
            return HeadEnd::more;
        }
        const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
        if (at == 0 || bytes[at - 1] != '\r') return HeadEnd::malformed;
        if (scan.line != 0 && (bytes[scan.line] == ' ' || bytes[scan.line] == '\t')) return HeadEnd::malformed;
        const bool empty = at == scan.line + 1;
        scan.at = scan.line = at + 1;
        if (empty) return HeadEnd::found;
    }
    return HeadEnd::more;
}

tl::expected<RequestHead, Refusal> parse_request_head(std::string_view head) {
    HeadParser<true> parser;
    boost::beast::error_code ec;
    parser.put(boost::asio::buffer(head.data(), head.size()), ec);
    if (parser.fields.size() == max_fields && ec) return refuse(431, "more than 256 header fields");
    if (ec) return refuse(400, "the request's head is malformed: " + ec.message());
    if (!parser.is_header_done()) return refuse(400, "the request's head is malformed: it has no end");

    RequestHead out;
    Request& request = out.request;
    request.method = std::move(parser.method);
    request.target = std::move(parser.target);
    request.fields = std::move(parser.fields);
    request.version = parser.version;
    out.keep_alive = parser.keep_alive();

    const FramingFields f = framing_fields(request.fields);
    if (f.twice != nullptr) return refuse(400, std::string(f.twice) + " is given twice");
    if (f.host == nullptr && request.version == 11) return refuse(400, "Host is missing");
    if (f.length != nullptr) {
        out.content_length = parse_length(*f.length);
        if (!out.content_length) return refuse(400, "Content-Length is not a number");
    }
    if (f.transfer != nullptr) {
        // RFC 9112, 6.1: in HTTP/1.0, or beside a length, it may hide a second request.
        if (f.length != nullptr) return refuse(400, "Content-Length and Transfer-Encoding exclude each other");
        if (request.version != 11) return refuse(400, "Transfer-Encoding is not for HTTP/1.0");
        if (!iequals(*f.transfer, "chunked")) return refuse(501, "the only Transfer-Encoding known here is chunked");
        out.chunked = true;
    }
    if (f.expect != nullptr && request.version == 11) {
        if (!iequals(*f.expect, "100-continue")) return refuse(417, "the only expectation known here is 100-continue");
        out.expects_continue = true;
    }
    if (f.coding != nullptr) {
        const std::optional<Coding> coding = parse_coding(*f.coding);
        if (!coding) return refuse(415, "Content-Encoding must be gzip, deflate or zstd, not \"" + preview(*f.coding, 40) + '"');
        out.coding = *coding;
    }
    if (!to_origin_form(request)) return refuse(400, "the request's target is neither a path nor a URL");
    return out;
}

Result<AnswerHead> parse_answer_head(std::string_view head) {
    HeadParser<false> parser;
    boost::beast::error_code ec;
    parser.put(boost::asio::buffer(head.data(), head.size()), ec);
    if (ec) return fail(Errc::upstream_error, "its answer is not HTTP: " + ec.message());
    if (!parser.is_header_done()) return fail(Errc::upstream_error, "its answer is not HTTP: the head has no end");
    AnswerHead out;
    out.head.status = parser.status_code;
    out.head.fields = std::move(parser.fields);
    out.keep_alive = parser.keep_alive();
    const FramingFields f = framing_fields(out.head.fields);
    if (f.transfer != nullptr) {
        if (!iequals(*f.transfer, "chunked") || f.length != nullptr) {
            return fail(Errc::upstream_error, "its answer has a Transfer-Encoding that cannot be read");
        }
        out.chunked = true;
    } else if (f.length != nullptr) {
        out.content_length = parse_length(*f.length);
        if (!out.content_length) return fail(Errc::upstream_error, "the Content-Length of its answer is not a number");
    }
    const int status = out.head.status;
    if (status / 100 == 1 || status == 204 || status == 304) {
        out.content_length = 0;
        out.chunked = false;
    }
    return out;
}

std::string encode_answer_head(int status, const Fields& fields, Framing framing, std::size_t length,
                               std::string_view connection, std::string_view date) {
    std::string out;
    out.reserve(160 + encoded_size(fields));
    out += "HTTP/1.1 ";
    append_number(out, static_cast<std::uint64_t>(status));
    out += ' ';
    const http::status known = http::int_to_status(static_cast<unsigned>(status));
    if (known != http::status::unknown) out += std_view(http::obsolete_reason(known));
    out += "\r\n";
    bool has_date = date.empty();
    for (const Field& field : fields) {
        if (is_framing_field(field.name)) continue;
        if (field.name.size() == 4 && iequals(field.name, "date")) has_date = true;
        append_field(out, field.name, field.value);
    }
    if (!has_date) out += date;
    switch (framing) {
        case Framing::length:
            out += "Content-Length: ";
            append_number(out, length);
            out += "\r\n";
            break;
        case Framing::chunked: out += "Transfer-Encoding: chunked\r\n"; break;
        case Framing::until_close:
        case Framing::none: break;
    }
    if (!connection.empty()) append_field(out, "Connection", connection);
    out += "\r\n";
    return out;
}

std::string encode_request_head(const Request& request, std::string_view target_prefix, std::string_view host) {
    std::string out;
    out.reserve(128 + request.target.size() + target_prefix.size() + encoded_size(request.fields));
    out += request.method;
    out += ' ';
    out += target_prefix;
    out += request.target;
    out += " HTTP/1.1\r\n";
    append_field(out, "Host", host);
    for (const Field& field : request.fields) {
        if (is_framing_field(field.name) || (field.name.size() == 4 && iequals(field.name, "host"))) continue;
        append_field(out, field.name, field.value);
    }
    const bool body_expected = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (!request.body.empty() || body_expected) {
        out += "Content-Length: ";
        append_number(out, request.body.size());
        out += "\r\n";
    }
    out += "\r\n";
    return out;
}

}  // namespace lc::net
