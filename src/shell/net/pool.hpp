// Client connections: those in use by a call, and the idle ones of each target.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "shell/net/buffer.hpp"
#include "shell/net/chunked.hpp"
#include "shell/net/dial.hpp"
#include "shell/net/http_client.hpp"
#include "shell/net/message.hpp"
#include "shell/net/stream.hpp"

namespace lc::net {

using TimePoint = std::chrono::steady_clock::time_point;

/// A request as bytes. Shared with the write under way, which may outlive the call.
struct Outgoing {
    std::string head, body;
};

/// A connection to a target.
struct Link {
    explicit Link(Socket s) : stream(std::move(s)) {}
    Stream stream;
    Buffer in;
    std::size_t read_size = 4 << 10;        ///< grows while reads fill it
    std::shared_ptr<const Outgoing> sending;  ///< null: the request is sent
    std::size_t sent = 0;                   ///< of `sending`
    bool unsendable = false;                ///< a write failed
    TimePoint write_progress{};
    TimePoint idle_since{};
};
using LinkPtr = std::shared_ptr<Link>;

struct PoolState {
    PoolState(asio::any_io_executor e, std::size_t n, std::chrono::seconds t)
        : executor(e), max_idle(n), max_idle_time(t), tick(e) {}
    asio::any_io_executor executor;
    std::size_t max_idle;
    std::chrono::seconds max_idle_time;
    std::unordered_map<std::string, std::vector<LinkPtr>> idle;  ///< by key; the one used last is at the back
    std::unordered_map<std::string, std::shared_ptr<asio::ssl::context>> contexts;  ///< by CA file
    std::list<Call*> calls;                 ///< those that have been made and not destroyed
    asio::steady_timer tick;
    bool ticking = false;
    bool slow = false;                      ///< the tick under way is the one for idle connections
    bool closed = false;
};
using PoolStatePtr = std::shared_ptr<PoolState>;

class Pool {
  public:
    PoolStatePtr state;
};

/// What a call waits for: says which time-out is meant.
enum class Stage : std::uint8_t { idle, connecting, handshake, head, body };

class Call {
  public:
    PoolStatePtr pool;
    std::list<Call*>::iterator self;
    Target target;
    Timeouts timeouts;
    std::string key;
    LinkPtr link;
    std::shared_ptr<Dialing> dialing;
    Stage stage = Stage::idle;
    TimePoint deadline = TimePoint::max();
    bool cancelled = false, timed_out = false;
    bool connected = false;                 ///< the last attempt had a connection

    // The answer's body.
    Framing framing = Framing::none;
    std::uint64_t left = 0;                 ///< Framing::length
    ChunkState chunks;
    bool answered = false;                  ///< the head was read
    bool complete = false;                  ///< the body was read to its clean end
    bool keep_alive = false;
    std::size_t handed = 0;                 ///< bytes at the front of link->in that the last view refers to
};

[[nodiscard]] std::string key_of(const Target& target);

/// An idle connection that still looks alive, or null.
LinkPtr take_idle(PoolState& pool, const std::string& key);
void put_idle(const PoolStatePtr& pool, const std::string& key, LinkPtr link);

Result<std::shared_ptr<asio::ssl::context>> context_of(PoolState& pool, const std::string& ca_file);

/// Looks at time-outs while there are calls, and at idle connections while there are those.
void start_tick(const PoolStatePtr& pool);

/// Makes what the call waits for end, with the reason that is set in it.
void interrupt(Call& call);

}  // namespace lc::net
