// A connected socket, TCP or Unix, with or without TLS: what server and client connections have in common.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <string>
#include <utility>

#include "base/error.hpp"

namespace lc::net {

namespace asio = boost::asio;
using error_code = boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;
using Endpoint = asio::generic::stream_protocol::endpoint;
using Tls = asio::ssl::stream<Socket&>;

/// Not movable once `tls` is set: it refers to `socket`.
struct Stream {
    explicit Stream(Socket s) : socket(std::move(s)) {}
    Socket socket;
    std::unique_ptr<Tls> tls;
};

template <class Buffers, class Token>
auto async_read_some(Stream& stream, const Buffers& buffers, Token&& token) {
    if (stream.tls) return stream.tls->async_read_some(buffers, std::forward<Token>(token));
    return stream.socket.async_read_some(buffers, std::forward<Token>(token));
}

template <class Buffers, class Token>
auto async_write_some(Stream& stream, const Buffers& buffers, Token&& token) {
    if (stream.tls) return stream.tls->async_write_some(buffers, std::forward<Token>(token));
    return stream.socket.async_write_some(buffers, std::forward<Token>(token));
}

/// Writes what the socket takes at once; 0 with a clear `ec` when it takes nothing now, and always over TLS.
template <class Buffers>
std::size_t try_write(Stream& stream, const Buffers& buffers, error_code& ec) {
    ec = {};
    if (stream.tls) return 0;
    const std::size_t n = stream.socket.write_some(buffers, ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) ec = {};
    return n;
}

/// Close on exec: an engine must not hold a client's connection open.
void keep_from_children(int descriptor);

/// Non-blocking, kept from children, and small writes leave at once (TCP).
void prepare(Socket& socket, error_code& ec);

/// Closes; what is under way ends with operation_aborted.
void close(Stream& stream);

/// "127.0.0.1:51234", "[::1]:1", "unix".
[[nodiscard]] std::string to_text(const Endpoint& endpoint);

/// True: the peer has closed its sending side or the connection failed, even if bytes are still unread.
[[nodiscard]] bool peer_closed(Stream& stream);

/// True: nothing to read and not closed, as it should be of an idle connection.
[[nodiscard]] bool quiet(Stream& stream);

/// For a TLS listener. Errors: bad_request naming the file.
Result<std::shared_ptr<asio::ssl::context>> server_context(const std::string& certificate, const std::string& key);

/// Verifies chains by the system's authorities, or by those of `ca_file` alone. Errors: upstream_error naming the file.
Result<std::shared_ptr<asio::ssl::context>> client_context(const std::string& ca_file);

/// Prepares `stream.tls` for a handshake with `host`: SNI and the check of the certificate's name.
void start_client_tls(Stream& stream, asio::ssl::context& context, const std::string& host);

/// What went wrong in a handshake, in words: "its certificate is for another name", "its certificate has expired", ...
[[nodiscard]] std::string handshake_fault(Stream& stream, const error_code& ec);

}  // namespace lc::net
