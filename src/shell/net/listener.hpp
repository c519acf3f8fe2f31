// Listening sockets: TCP addresses and Unix paths.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "shell/net/http_server.hpp"

namespace lc::net {

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

struct Listener {
    Acceptor acceptor;
    asio::steady_timer pause;                    ///< after an accept that failed (no descriptors left)
    asio::generic::stream_protocol::endpoint peer;  ///< of the connection that is being accepted
    std::shared_ptr<asio::ssl::context> tls;     ///< null: plain
    std::string unix_path;
    std::string address;                         ///< "http://127.0.0.1:4242", "https://...", "unix:/path"
    unsigned long inode = 0, device = 0;         ///< of the socket file that we made
};

/// Binds one Listen: "localhost" gives one or two listeners. Errors: bad_request, saying what to do.
Result<std::vector<std::unique_ptr<Listener>>> bind_listen(const asio::any_io_executor& executor, const Listen& listen);

/// Closes, and removes the socket file if it is still the one that we made.
void close(Listener& listener);

}  // namespace lc::net
