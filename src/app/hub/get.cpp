// Requests to the hub: redirects, pauses between attempts, the list of files.
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>

#include "app/hub/run.hpp"
#include "shell/sys/os.hpp"

namespace lc::hub {
namespace {

constexpr std::size_t max_page = 16u << 20;
constexpr int max_pages = 200;
constexpr net::Timeouts timeouts{std::chrono::seconds(10), std::chrono::seconds(60), std::chrono::seconds(60)};

AnswerHead head_of(int status, const net::Fields& fields) {
    const auto field = [&fields](std::string_view name) { return std::string(net::get(fields, name)); };
    return {.status = status,
            .content_range = field("content-range"),
            .content_length = field("content-length"),
            .content_encoding = field("content-encoding"),
            .retry_after = field("retry-after"),
            .error_code = field("x-error-code"),
            .error_message = field("x-error-message")};
}

struct Page {
    std::string body, link;
    Url url;
};

awaitable<Result<Page>> read_page(Run& run, Url url, std::string name) {
    net::Fields fields;  // named: g++ 12 cannot keep a braced list alive across co_await
    fields.push_back({"accept", "application/json"});
    for (;;) {
        const auto got = co_await get(run, url, fields);
        if (stopped(run)) co_return interrupted();
        Error why;
        std::chrono::seconds wait{};
        if (!got) {
            if (!got.error().again) co_return tl::unexpected(got.error().error);
            why = got.error().error;
        } else if (got->head.status == 200) {
            auto body = co_await net::read_all(*run.call, max_page);
            run.call.reset();
            if (stopped(run)) co_return interrupted();
            if (body) {
                run.attempts.in_a_row = 0;
                co_return Page{std::move(*body), std::string(net::get(got->fields, "link")), got->url};
            }
            why = body.error();
        } else {
            why = explain_status(got->head, name, got->url.host, got->had_token);
            if (!is_temporary(got->head.status)) co_return tl::unexpected(std::move(why));
            wait = retry_after(got->head);
        }
        if (auto paused = co_await pause(run, std::move(why), wait); !paused) co_return tl::unexpected(paused.error());
        run.progress.stage = Stage::listing;
        run.progress.note.clear();
    }
}

}  // namespace

tl::unexpected<Error> interrupted() {
    return fail(Errc::cancelled, "interrupted; what has come is kept and built upon the next time");
}

std::chrono::seconds retry_after(const AnswerHead& head) {
    return std::chrono::seconds(std::min<std::int64_t>(
        retry_after_seconds(head.retry_after, static_cast<std::int64_t>(sys::unix_ms() / 1000)), 1 << 30));
}

void report(Run& run, bool force) {
    if (!run.on_progress) return;
    const auto now = std::chrono::steady_clock::now();
    if (!force && now - run.reported < std::chrono::milliseconds(100)) return;
    run.reported = now;
    if (run.progress.stage == Stage::downloading) {
        note_bytes(run.speed, std::chrono::duration<double>(now.time_since_epoch()).count(), run.progress.bytes);
        run.progress.bytes_per_s = bytes_per_second(run.speed);
        run.progress.eta_s =
            run.progress.bytes_per_s > 0
                ? static_cast<double>(run.progress.total - run.progress.bytes) / run.progress.bytes_per_s
                : -1;
    }
    run.on_progress(run.progress);
}

awaitable<bool> sleep(Run& run, std::chrono::milliseconds time) {
    if (stopped(run)) co_return false;
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    run.timer = &timer;
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    run.timer = nullptr;
    co_return !stopped(run);
}

awaitable<Result<void>> pause(Run& run, Error why, std::chrono::seconds retry_after) {
    run.call.reset();
    if (stopped(run)) co_return interrupted();
    ++run.attempts.in_a_row;
    const auto wait = next_wait(run.attempts, retry_after, run.env.patience);
    if (!wait) {
        if (retry_after > run.env.patience.longest_retry_after) {
            why.detail += ". It asks to wait " + human_seconds(static_cast<double>(retry_after.count()));
        } else if (run.attempts.in_a_row > 1) {
            why.detail += " (" + std::to_string(run.attempts.in_a_row) + " attempts)";
        }
        co_return tl::unexpected(std::move(why));
    }
    run.progress.stage = Stage::retrying;
    run.progress.note = why.detail + "; again in " + human_seconds(std::chrono::duration<double>(*wait).count());
    run.speed = {};
    report(run, true);
    if (!co_await sleep(run, *wait)) co_return interrupted();
    co_return Result<void>();
}

awaitable<tl::expected<Answer, GetFault>> get(Run& run, Url url, net::Fields fields) {
    fields.push_back({"user-agent", run.env.user_agent});
    fields.push_back({"accept-encoding", "identity"});
    for (int followed = 0;; ++followed) {
        net::Request request;
        request.method = "GET";
        request.target = url.target;
        request.fields = fields;
        const bool with_token = !run.env.token.empty() && may_carry_token(url, run.endpoint);
        if (with_token) request.fields.push_back({"authorization", "Bearer " + run.env.token});
        net::Target target;
        target.host = url.host;
        target.port = url.port;
        target.tls = url.tls;
        target.ca_file = run.env.ca_file;
        run.call = net::make_call(run.pool, std::move(target), timeouts);
        auto head = co_await net::exchange(*run.call, std::move(request));
        if (!head) {
            run.call.reset();
            co_return tl::unexpected(GetFault{head.error(), head.error().code != Errc::cancelled});
        }
        run.attempts.answered = true;
        if (!is_redirect(head->status)) {
            co_return Answer{head_of(head->status, head->fields), std::move(head->fields), std::move(url), with_token};
        }
        run.call.reset();
        auto next = follow(url, net::get(head->fields, "location"), followed);
        if (!next) co_return tl::unexpected(GetFault{next.error(), false});
        url = std::move(*next);
        if (stopped(run)) co_return tl::unexpected(GetFault{interrupted().value(), false});
    }
}

awaitable<Result<std::vector<RepoFile>>> list_files(Run& run, std::string org, std::string repo) {
    run.progress.stage = Stage::listing;
    report(run, true);
    Url url = listing_url(run.endpoint, org, repo);
    std::vector<RepoFile> out;
    for (int pages = 0; pages < max_pages; ++pages) {
        auto page = co_await read_page(run, url, org + "/" + repo);
        if (!page) co_return tl::unexpected(page.error());
        auto files = parse_listing(page->body);
        if (!files) co_return tl::unexpected(files.error());
        std::move(files->begin(), files->end(), std::back_inserter(out));
        const std::string next = next_link(page->link);
        if (next.empty()) co_return out;
        auto target = follow(page->url, next, 0);
        if (!target) co_return tl::unexpected(target.error());
        url = std::move(*target);
    }
    co_return fail(Errc::upstream_error, "the list of files of " + org + "/" + repo + " has no end");
}

}  // namespace lc::hub
