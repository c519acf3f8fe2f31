// State of one fetch, and the steps that its parts share.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <string>
#include <type_traits>
#include <utility>

#include "app/hub/fetch.hpp"
#include "core/hub/choose.hpp"
#include "core/hub/url.hpp"

namespace lc::hub {

namespace asio = boost::asio;

struct Run {
    net::Pool& pool;
    Env env;
    Url endpoint;
    OnProgress on_progress;
    Stop* stop = nullptr;
    net::CallPtr call;                    ///< the request under way
    asio::steady_timer* timer = nullptr;  ///< the pause under way
    Attempts attempts;
    Progress progress;
    Speed speed;
    std::int64_t before = 0;  ///< bytes of the files that are complete
    std::int64_t downloaded = 0;
    std::chrono::steady_clock::time_point reported{};
    asio::thread_pool files{1};  ///< last, so that it is joined before the rest goes away
};

[[nodiscard]] inline bool stopped(const Run& run) {
    return run.stop != nullptr && run.stop->stopped;
}
[[nodiscard]] tl::unexpected<Error> interrupted();

template <class F>
awaitable<std::invoke_result_t<F>> call_it(F f) {
    co_return f();
}

/// Runs `f` (which may block, and is no coroutine) on the file thread. What it borrows must live until then.
template <class F>
awaitable<std::invoke_result_t<F>> blocking(Run& run, F f) {
    co_return co_await asio::co_spawn(run.files.get_executor(), call_it(std::move(f)), asio::use_awaitable);
}

/// Tells what `run.progress` says; at most ten times a second unless forced.
void report(Run& run, bool force = false);

/// False: stopped meanwhile.
awaitable<bool> sleep(Run& run, std::chrono::milliseconds time);

/// The wait before another attempt. Errors: `why` itself when there have been enough, cancelled.
awaitable<Result<void>> pause(Run& run, Error why, std::chrono::seconds retry_after = {});

struct GetFault {
    Error error;
    bool again = false;  ///< another attempt may help
};
struct Answer {
    AnswerHead head;
    net::Fields fields;
    Url url;  ///< the last one, after redirects
    bool had_token = false;
};
/// One attempt: follows redirects until there is an answer; its body is to be read from `run.call`.
awaitable<tl::expected<Answer, GetFault>> get(Run& run, Url url, net::Fields fields);

[[nodiscard]] std::chrono::seconds retry_after(const AnswerHead& head);

/// All pages of the repository's list.
awaitable<Result<std::vector<RepoFile>>> list_files(Run& run, std::string org, std::string repo);

/// Downloads one file into `dir`; nothing is there under its final name, or something else. `name`: "org/repo".
awaitable<Result<void>> fetch_file(Run& run, Url url, RepoFile file, std::string dir, std::string name);

}  // namespace lc::hub
