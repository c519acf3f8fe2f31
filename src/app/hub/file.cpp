// Downloads one file: lock, build upon what is there, receive, verify, put in place.
#include <algorithm>

#include "app/hub/part.hpp"
#include "app/hub/run.hpp"
#include "shell/sys/paths.hpp"

namespace lc::hub {
namespace {

constexpr std::size_t write_size = std::size_t{1} << 20;
constexpr std::int64_t hash_size = std::int64_t{32} << 20;

struct Download {
    RepoFile file;
    std::string name;  ///< "org/repo/path"
    Part part;
    PartNote note;
    std::int64_t high = 0;   ///< the most bytes there ever were in this run
    bool mixed = false;      ///< built upon bytes of another answer
    bool restarted = false;  ///< once because of a wrong checksum
};

Error upstream(std::string detail) {
    return fail(Errc::upstream_error, std::move(detail)).value();
}

void show(Run& run, const Download& d, bool force = false) {
    run.progress.stage = Stage::downloading;
    run.progress.note.clear();
    run.progress.file_bytes = d.part.size;
    run.progress.bytes = run.before + d.part.size;
    report(run, force);
}

awaitable<Result<void>> start_over(Run& run, Download& d) {
    d.note = {};
    d.mixed = false;
    co_return co_await blocking(run, [&d] { return clear(d.part); });
}

/// Null: another process brought the file to its end while we waited for it.
awaitable<Result<std::optional<Part>>> lock_part(Run& run, const RepoFile& file, const std::string& final_path) {
    for (bool waited = false;; waited = true) {
        auto part = co_await blocking(run, [&final_path] { return open_part(final_path); });
        if (!part) co_return tl::unexpected(part.error());
        if (*part) {
            // It has verified what it put there.
            if (waited && file_size(final_path) == file.size) {
                if ((*part)->size == 0) discard(**part);
                co_return std::optional<Part>();
            }
            co_return std::move(*part);
        }
        run.progress.stage = Stage::waiting;
        report(run, !waited);
        if (!co_await sleep(run, std::chrono::milliseconds(250))) co_return interrupted();
    }
}

/// What is there and belongs to this file is hashed, so that the rest can follow; anything else is dropped.
awaitable<Result<void>> take_up(Run& run, Download& d) {
    const auto note = co_await blocking(run, [&d] { return read_note(d.part); });
    if (usable_bytes(d.part.size, note, d.file) == 0) co_return co_await start_over(run, d);
    d.note = *note;
    d.mixed = true;
    d.high = d.part.size;
    while (d.part.hashed < d.part.size) {
        run.progress.stage = Stage::checking;
        run.progress.file_bytes = d.part.hashed;
        run.progress.file_total = d.part.size;
        report(run);
        const auto done = co_await blocking(run, [&d] { return hash_some(d.part, hash_size); });
        if (stopped(run)) co_return interrupted();
        if (!done) co_return tl::unexpected(done.error());
        if (*done == 0) co_return co_await start_over(run, d);  // shorter than it was a moment ago
    }
    run.progress.file_total = d.file.size;
    co_return Result<void>();
}

/// Receives the body of `run.call`. What came before a fault is kept. True: the clean end of the body.
awaitable<Result<bool>> receive(Run& run, Download& d) {
    std::string buffer;
    Result<std::string_view> piece;
    do {
        piece = co_await net::read_some(*run.call);
        if (piece) buffer += *piece;
        const bool end = !piece || piece->empty();
        if (d.part.size + static_cast<std::int64_t>(buffer.size()) > d.file.size) {
            co_return fail(Errc::bad_request, d.name + ": the server sends more bytes than the hub's list says");
        }
        if (buffer.size() >= write_size || (end && !buffer.empty())) {
            const auto written = co_await blocking(run, [&d, &buffer] { return append(d.part, buffer); });
            if (!written) co_return fail(Errc::internal, written.error().detail);
            run.downloaded += static_cast<std::int64_t>(buffer.size());
            buffer.clear();
        }
        if (!end) show(run, d);
        if (stopped(run)) co_return interrupted();
    } while (piece && !piece->empty());
    if (!piece) co_return tl::unexpected(piece.error());
    co_return true;
}

/// One request, until its answer ends. Errors: only those that another attempt cannot mend.
awaitable<Result<void>> attempt(Run& run, Download& d, const Url& url) {
    const auto range = range_for(d.part.size, d.note.etag);
    net::Fields fields;
    if (!range.range.empty()) fields.push_back({"range", range.range});
    if (!range.if_range.empty()) fields.push_back({"if-range", range.if_range});
    const auto got = co_await get(run, url, std::move(fields));
    if (stopped(run)) co_return interrupted();
    if (!got) {
        if (!got.error().again) co_return tl::unexpected(got.error().error);
        co_return co_await pause(run, got.error().error);
    }
    const Verdict verdict = judge(got->head, d.part.size, d.file.size);
    switch (verdict.use) {
        case Use::give_up:
            if (got->head.status >= 400)
                co_return tl::unexpected(explain_status(got->head, d.name, got->url.host, got->had_token));
            co_return fail(Errc::upstream_error, d.name + ": " + verdict.why);
        case Use::retry:
            co_return co_await pause(run, explain_status(got->head, d.name, got->url.host, got->had_token),
                                     retry_after(got->head));
        case Use::ask_anew:
            if (auto cleared = co_await start_over(run, d); !cleared) co_return cleared;
            co_return co_await pause(run, upstream(d.name + ": the rest does not fit to what is here"));
        case Use::from_zero:
            if (d.part.size > 0) {
                if (auto cleared = co_await start_over(run, d); !cleared) co_return cleared;
            }
            break;
        case Use::append: d.mixed = true; break;
    }
    const PartNote note{d.file.sha256, std::string(net::get(got->fields, "etag")), d.file.size};
    if (note != d.note) {
        d.note = note;
        if (auto written = co_await blocking(run, [&d] { return write_note(d.part, d.note); }); !written)
            co_return written;
    }
    show(run, d, true);
    const auto received = co_await receive(run, d);
    run.call.reset();
    const bool gained = d.part.size > d.high;
    if (gained) {
        d.high = d.part.size;
        run.attempts.in_a_row = 0;
    }
    if (received && gained) co_return Result<void>();
    if (received) co_return co_await pause(run, upstream(d.name + ": the server sent nothing new"));
    switch (received.error().code) {
        case Errc::upstream_error:
        case Errc::upstream_timeout: co_return co_await pause(run, received.error());
        case Errc::bad_request: co_return fail(Errc::upstream_error, received.error().detail);
        default: co_return tl::unexpected(received.error());
    }
}

}  // namespace

awaitable<Result<void>> fetch_file(Run& run, Url url, RepoFile file, std::string dir, std::string name) {
    const std::string final_path = dir + "/" + file.path;
    const std::string folder = final_path.substr(0, final_path.rfind('/'));
    auto made = co_await blocking(run, [&folder] { return sys::ensure_private_dir(folder, sys::Symlink::follow); });
    if (!made) co_return made;
    auto part = co_await lock_part(run, file, final_path);
    if (!part) co_return tl::unexpected(part.error());
    if (!*part) co_return Result<void>();
    Download d{.file = std::move(file), .name = std::move(name), .part = std::move(**part)};
    d.name += "/" + d.file.path;
    if (auto taken = co_await take_up(run, d); !taken) co_return taken;
    for (;;) {
        while (d.part.size < d.file.size) {
            if (auto tried = co_await attempt(run, d, url); !tried) co_return tried;
        }
        show(run, d, true);
        if (d.file.sha256.empty() || hex(d.part.hash.finish()) == d.file.sha256) break;
        // Perhaps only the beginning was bad, from an earlier run or before a cut.
        if (!d.mixed || d.restarted) {
            discard(d.part);
            co_return fail(Errc::upstream_error,
                           d.name +
                               " does not have the SHA-256 that the hub's list gives for it. It was removed; "
                               "if the repository is just being changed, try again later");
        }
        d.restarted = true;
        d.high = 0;
        if (auto cleared = co_await start_over(run, d); !cleared) co_return cleared;
    }
    co_return co_await blocking(run, [&d] { return finish(d.part); });
}

}  // namespace lc::hub
