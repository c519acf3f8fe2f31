#include "app/hub/fetch.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <exception>

#include "app/hub/part.hpp"
#include "app/hub/run.hpp"
#include "base/text.hpp"
#include "core/hub/record.hpp"
#include "core/hub/spec.hpp"

namespace lc::hub {
namespace {

constexpr std::int64_t hash_size = std::int64_t{32} << 20;

std::vector<RepoFile> all_files(const Choice& choice) {
    std::vector<RepoFile> out = choice.files;
    out.insert(out.end(), choice.projector.begin(), choice.projector.end());
    return out;
}

std::int64_t sum(const std::vector<RepoFile>& files) {
    std::int64_t out = 0;
    for (const RepoFile& file : files) out += file.size;
    return out;
}

LocalModel local_model(const Choice& choice, const std::string& dir) {
    LocalModel out{
        .path = dir + "/" + choice.files.front().path, .quant = choice.quant, .bytes = sum(all_files(choice))};
    for (const RepoFile& file : choice.files) out.files.push_back(dir + "/" + file.path);
    if (!choice.projector.empty()) out.projector = dir + "/" + choice.projector.front().path;
    return out;
}

/// What an earlier fetch resolved this spec to. Says nothing about whether the files are still there.
std::optional<Choice> read_record(const std::string& dir, const Spec& spec) {
    const auto text = sys::read_file(dir + "/" + record_name(spec), 1 << 20);
    return text ? parse_record(*text) : std::nullopt;
}

bool all_there(const Choice& choice, const std::string& dir) {
    const auto files = all_files(choice);
    return std::all_of(files.begin(), files.end(),
                       [&dir](const RepoFile& file) { return file_size(dir + "/" + file.path) == file.size; });
}

Result<void> write_records(const std::string& dir, const Spec& spec, const Choice& choice) {
    auto written = sys::replace_file(dir + "/" + record_name(spec), to_json(choice));
    // Taken by default, it is also what its own name means.
    if (written && spec.quant.empty() && spec.file.empty() && !choice.quant.empty()) {
        Spec named = spec;
        named.quant = choice.quant;
        written = sys::replace_file(dir + "/" + record_name(named), to_json(choice));
    }
    return written;
}

/// Is the file complete under its final name? One that no fetch has put there is hashed.
awaitable<Result<bool>> is_complete(Run& run, const RepoFile& file, const std::string& dir,
                                    const std::vector<RepoFile>& known) {
    const std::string path = dir + "/" + file.path;
    if (file_size(path) != file.size) co_return false;
    if (file.sha256.empty() || std::find(known.begin(), known.end(), file) != known.end()) co_return true;
    auto hashing = co_await blocking(run, [&path] { return start_hashing(path); });
    if (!hashing) co_return tl::unexpected(hashing.error());
    for (;;) {
        run.progress.stage = Stage::checking;
        run.progress.file = file.path;
        run.progress.file_bytes = hashing->hashed;
        run.progress.file_total = hashing->size;
        report(run);
        const auto done = co_await blocking(run, [&hashing] { return hash_some(*hashing, hash_size); });
        if (stopped(run)) co_return interrupted();
        if (!done) co_return tl::unexpected(done.error());
        if (*done == 0) break;
    }
    co_return hex(hashing->hash.finish()) == file.sha256;
}

Result<void> check_disk(const std::vector<RepoFile>& missing, const std::string& dir) {
    std::int64_t needed = 0;
    for (const RepoFile& file : missing) {
        needed += file.size - std::min(file.size, file_size(dir + "/" + file.path + ".part").value_or(0));
    }
    const auto free = disk_free(dir);
    if (!free) return tl::unexpected(free.error());
    if (needed <= *free) return {};
    return fail(Errc::overloaded, "this needs " + human_bytes(needed) + " of disk, and " + human_bytes(*free) +
                                      " are free in " + dir +
                                      ". Free some, or set LOCALCODE_CACHE_DIR to a folder on a larger disk");
}

awaitable<Result<LocalModel>> fetch(Run& run, Spec spec) {
    const std::string dir = repo_dir(run.env.cache_dir, spec), name = spec.org + "/" + spec.repo;
    const auto record = co_await blocking(run, [&] { return read_record(dir, spec); });
    if (record && !run.env.refresh && all_there(*record, dir)) co_return local_model(*record, dir);

    const auto listed = co_await list_files(run, spec.org, spec.repo);
    if (!listed) co_return tl::unexpected(listed.error());
    const auto choice = choose(*listed, spec);
    if (!choice) co_return tl::unexpected(choice.error());
    auto made = co_await blocking(run, [&dir] { return sys::ensure_private_dir(dir, sys::Symlink::follow); });
    if (!made) co_return tl::unexpected(made.error());

    const std::vector<RepoFile> files = all_files(*choice),
                                known = record ? all_files(*record) : std::vector<RepoFile>{};
    std::vector<RepoFile> missing;
    run.progress.total = sum(files);
    run.progress.count = static_cast<int>(files.size());
    for (const RepoFile& file : files) {
        const auto complete = co_await is_complete(run, file, dir, known);
        if (!complete) co_return tl::unexpected(complete.error());
        if (*complete) {
            run.before += file.size;
        } else {
            missing.push_back(file);
        }
    }
    if (auto room = check_disk(missing, dir); !room) co_return tl::unexpected(room.error());
    for (const RepoFile& file : missing) {
        run.progress.file = file.path;
        run.progress.index = static_cast<int>(std::find(files.begin(), files.end(), file) - files.begin()) + 1;
        run.progress.file_bytes = 0;
        run.progress.file_total = file.size;
        auto got = co_await fetch_file(run, file_url(run.endpoint, spec.org, spec.repo, file.path), file, dir, name);
        if (!got) co_return tl::unexpected(got.error());
        run.before += file.size;
    }
    auto written = co_await blocking(run, [&] { return write_records(dir, spec, *choice); });
    if (!written) co_return tl::unexpected(written.error());
    run.progress.stage = Stage::done;
    run.progress.bytes = run.progress.total;
    report(run, true);
    LocalModel out = local_model(*choice, dir);
    out.downloaded = run.downloaded;
    co_return out;
}

}  // namespace

Result<Env> env_from(const sys::Env& env, std::string cache_dir) {
    Env out;
    out.cache_dir = std::move(cache_dir);
    if (const auto endpoint = env("HF_ENDPOINT")) out.endpoint = *endpoint;
    if (const auto token = env("HF_TOKEN")) {
        // Tokens copied from a file end in a line break.
        const auto last = token->find_last_not_of(" \t\r\n"), first = token->find_first_not_of(" \t\r\n");
        if (first != std::string::npos) out.token = token->substr(first, last - first + 1);
        if (std::any_of(out.token.begin(), out.token.end(), [](char c) { return c <= 0x20 || c > 0x7e; })) {
            return fail(Errc::bad_request, "HF_TOKEN holds characters that no access token has");
        }
    }
    return out;
}

Result<LocalModel> find_model(std::string_view text, const std::string& cache_dir) {
    const auto spec = parse_spec(text);
    if (!spec) return tl::unexpected(spec.error());
    const std::string dir = repo_dir(cache_dir, *spec);
    const auto record = read_record(dir, *spec);
    if (record && all_there(*record, dir)) return local_model(*record, dir);
    return fail(Errc::not_found, to_text(*spec) + " is not here; `localcode pull " + to_text(*spec) + "` fetches it");
}

awaitable<Result<LocalModel>> fetch_model(net::Pool& pool, std::string text, Env env, OnProgress progress, Stop* stop) {
    auto spec = parse_spec(text);
    if (!spec) co_return tl::unexpected(spec.error());
    auto endpoint = parse_endpoint(env.endpoint);
    if (!endpoint) co_return fail(Errc::bad_request, "HF_ENDPOINT: " + endpoint.error().detail);
    Run run{.pool = pool,
            .env = std::move(env),
            .endpoint = std::move(*endpoint),
            .on_progress = std::move(progress),
            .stop = stop};
    if (stop != nullptr) {
        stop->wake = [&run] {
            if (run.call) net::cancel(*run.call);
            if (run.timer != nullptr) run.timer->cancel();
        };
    }
    auto out = co_await fetch(run, std::move(*spec));
    if (stop != nullptr) stop->wake = nullptr;
    co_return out;
}

Result<LocalModel> fetch_model_now(std::string spec, Env env, OnProgress progress, int* signal) {
    asio::io_context io{1};
    const net::PoolPtr pool = net::make_pool(io.get_executor());
    Stop stop;
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&stop, signal](const boost::system::error_code& ec, int number) {
        if (ec) return;
        if (signal != nullptr) *signal = number;
        stop.stop();
    });
    Result<LocalModel> out = fail(Errc::internal, "the download ended without a result");
    std::exception_ptr thrown;
    asio::co_spawn(io, fetch_model(*pool, std::move(spec), std::move(env), std::move(progress), &stop),
                   [&](std::exception_ptr error, Result<LocalModel> result) {
                       thrown = std::move(error);
                       out = std::move(result);
                       io.stop();
                   });
    io.run();
    if (thrown) std::rethrow_exception(thrown);
    return out;
}

}  // namespace lc::hub
