// What the gateway's loop owns, and what one request carries. Internal to app/gateway.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/engines/engines.hpp"
#include "app/gateway/gateway.hpp"
#include "app/states/states.hpp"
#include "core/access/keys.hpp"
#include "core/api/endpoint.hpp"
#include "core/api/request_view.hpp"
#include "core/api/session.hpp"
#include "core/api/stream_event.hpp"
#include "core/dialect/write.hpp"
#include "core/kv/keys/answer.hpp"
#include "core/log/record.hpp"
#include "core/log/tally.hpp"
#include "core/metrics/metrics.hpp"
#include "core/route/resolve.hpp"
#include "core/stream/hold.hpp"
#include "shell/net/http_client.hpp"

namespace lc::gateway {

using Clock = std::chrono::steady_clock;

struct Backend {
    config::Backend config;
    net::Target target;
    net::Timeouts timeouts;
    std::string key;
    std::vector<std::string> models;
    Clock::time_point asked{};  ///< when its list of models was asked for last
    std::string error;          ///< why that failed, empty when it did not
    std::shared_ptr<asio::steady_timer> asking;  ///< while it is being asked: cancelled when the answer is there
    net::CallPtr question;      ///< the call by which it is being asked
};

/// What an engine answered, before anything of it is mended.
struct Heard {
    Digest asked{};  ///< key of all that was asked
    kv::Answer answer;
    std::string finish;
    std::size_t bytes = 0;
    bool whole = true;  ///< false: too long, or more than one choice
};

/// One request that is being answered. Lives in its handler's coroutine frame; `Gateway::turns` points at it meanwhile.
struct Turn {
    net::Exchange* exchange = nullptr;
    std::string id;
    api::EndpointMatch match;
    api::RequestView view;
    api::Session session;
    std::string kind;
    std::string name_space;      ///< whose sessions and states it may see: of the key with auth.namespaces, else everybody's
    std::string key_name;        ///< of the API key that was used; empty: none was needed
    route::Choice choice;
    bool local = false;

    stream::Sent sent;
    std::string waiting_for;     ///< shown in pings: "loading model smol", "prefill 43%"
    net::CallPtr call;           ///< to the place that answers, once there is one
    engines::Leave leave;        ///< ends a wait for an engine or a slot
    states::SeatPtr seat;        ///< its slot of a local engine; null: none (yet)
    bool seated = false;         ///< the engine has begun with it
    std::string cache_key;       ///< hexadecimal, of all its messages; empty: it has none
    std::optional<Heard> heard;  ///< nothing: nobody will compare
    bool cancelled = false;
    bool ended = false;          ///< the answer's end is being written: no more pings
    std::string retry_after_ms;  ///< as the place that refused said it; empty: it did not

    std::shared_ptr<struct PromptTurn> prompt;   ///< null: the prompt goes as it came
    std::shared_ptr<struct ToolTurn> tool_turn;  ///< null: a request without tools
    std::shared_ptr<struct RouteTurn> route_turn;  ///< the places that may answer; null: none was chosen (yet)
    /// Writes the answer in the client's dialect: the engine is asked in chat, as `match` and `view` then say. Null: the
    /// answer passes in the dialect it comes in.
    std::shared_ptr<dialect::Writer> writer;
    std::shared_ptr<struct FimTurn> fim;         ///< null: completes no code, or not with a local model

    log::RequestRecord record;
    log::ResponseTally tally;
    Clock::time_point began{}, last_token{};
};

class Gateway {
  public:
    asio::any_io_executor executor;
    Options options;
    net::PoolPtr pool;
    engines::EnginesPtr engines;
    states::StatesPtr states;
    std::vector<Backend> backends;
    route::Table table;
    std::vector<access::KeyDigest> keys, admin_keys;
    metrics::Metrics metrics;
    std::list<Turn*> turns;
    std::vector<std::string> listening;
    std::function<std::size_t()> connections;
    std::function<void()> shutdown;
    Clock::time_point started = Clock::now();
    std::int64_t started_unix = 0;
    std::uint64_t requests_total = 0;
    std::int64_t streams_open = 0;
    bool stopping = false;
    std::shared_ptr<struct Routing> routing;       ///< what was learned of the places; null: nothing yet
    std::shared_ptr<struct PromptMemory> prompts;  ///< what is remembered for the prompts of later requests
    std::shared_ptr<struct ToolCache> tool_cache;  ///< compiled tools of the last requests; null: none yet
    std::shared_ptr<struct FimMemory> fim_memory;  ///< null: no editor asked yet
    std::shared_ptr<asio::steady_timer> beat_timer;
    asio::thread_pool files{1};  ///< for reads that block: nothing of the gateway's state is touched there
};

[[nodiscard]] inline double ms_since(Clock::time_point from, Clock::time_point to = Clock::now()) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

inline void say(const Gateway& gateway, Level level, std::string_view text) {
    if (gateway.options.log) gateway.options.log(level, text);
}

}  // namespace lc::gateway
