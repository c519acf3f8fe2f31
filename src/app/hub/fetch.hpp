// Models from a Hugging Face hub: found in the cache, else downloaded, resumed and verified.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/hub/progress.hpp"
#include "core/hub/transfer.hpp"
#include "shell/net/http_client.hpp"
#include "shell/sys/paths.hpp"

namespace lc::hub {

template <class T>
using awaitable = boost::asio::awaitable<T>;

struct Env {
    std::string endpoint = "https://huggingface.co";
    std::string token;      ///< sent to the endpoint's own host only, never to where it redirects; empty: none
    std::string cache_dir;  ///< models live in <cache_dir>/models/hf/<org>/<repo>/
    std::string ca_file;    ///< own CA (PEM) instead of the system's
    std::string user_agent = "localcode";
    bool refresh = false;  ///< ask the hub even when everything is here, and take what has changed
    Patience patience;
};

/// HF_ENDPOINT and HF_TOKEN as `env` gives them. bad_request: a token that no header can hold.
[[nodiscard]] Result<Env> env_from(const sys::Env& env, std::string cache_dir);

struct LocalModel {
    std::string path;                ///< of the GGUF file that an engine is given; the first part of a split one
    std::vector<std::string> files;  ///< all parts
    std::string projector;           ///< empty: the model has none
    std::string quant;               ///< empty: the names tell none
    std::int64_t bytes = 0;          ///< of all files
    std::int64_t downloaded = 0;     ///< of them in this run; 0: everything was here
};

/// Called on the network thread, a few times a second at most. Must not block.
using OnProgress = std::function<void(const Progress&)>;

/// Lets somebody else end a download: call `stop()` on the network thread from anywhere. What has come stays as a part
/// file and is built upon the next time. Must outlive the fetch.
struct Stop {
    bool stopped = false;
    std::function<void()> wake;  ///< set by fetch_model while it runs
    void stop() {
        stopped = true;
        if (wake) wake();
    }
};

/// What an earlier fetch of this spec left complete, without any network. not_found: nothing, or not all of it.
/// bad_request: not a spec. Blocks for a few small files.
[[nodiscard]] Result<LocalModel> find_model(std::string_view spec, const std::string& cache_dir);

/// Makes the model of `spec` be there. Files are written by a thread of the fetch's own: the network thread never waits
/// for a disk. Borrows `pool` and `stop`, which must outlive the call. Errors: bad_request (not a spec, ambiguous),
/// not_found (no such repository, file or quantisation: names the nearest), unauthorized (private or gated: says
/// HF_TOKEN), rate_limited, upstream_error, upstream_timeout, overloaded (not enough disk), cancelled, internal
/// (files).
awaitable<Result<LocalModel>> fetch_model(net::Pool& pool, std::string spec, Env env, OnProgress progress = {},
                                          Stop* stop = nullptr);

/// The same on a loop of its own, for the time before there is one: SIGINT and SIGTERM end it with `cancelled`, and
/// `*signal` (may be null) tells which it was.
[[nodiscard]] Result<LocalModel> fetch_model_now(std::string spec, Env env, OnProgress progress = {},
                                                 int* signal = nullptr);

}  // namespace lc::hub
