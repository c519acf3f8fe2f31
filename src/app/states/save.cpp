// Saving what an idle slot holds: only what is not stored yet is written, by the engine itself.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/fmt/fmt.h>

#include "app/states/loop.hpp"
#include "shell/sys/os.hpp"

namespace lc::states {

namespace {

constexpr auto tuple_awaitable = asio::as_tuple(asio::use_awaitable);

struct Begun {
    bool refused = false;  ///< not worth a write today
    kv::SaveId id = 0;
    std::string staging;  ///< below the store's folder
};

Begun begin(kv::Store& store, const std::string& dir, double prefill_ms, bool last) {
    Begun out;
    if (!kv::may_save(store, prefill_ms, last)) {
        out.refused = true;
        return out;
    }
    out.id = kv::begin_save(store);
    out.staging = kv::staging_path(store);
    if (out.staging.starts_with(dir + "/")) out.staging.erase(0, dir.size() + 1);
    return out;
}

std::vector<kv::BlobId> blobs_of(const kv::Scope& scope, const Saved& saved, std::uint32_t n_tokens) {
    std::vector<kv::BlobId> out;
    const std::span<const kv::Token> tokens(saved.tokens.data(), n_tokens);
    if (saved.has_chunks) {
        for (const auto& name : kv::chunk_names(scope, tokens, saved.media)) out.push_back({kv::BlobKind::chunk, name});
    }
    for (const auto& snapshot : saved.snapshots) {
        if (snapshot.n_tokens <= n_tokens) out.push_back({kv::BlobKind::snapshot, snapshot.name});
    }
    return out;
}

kv::Manifest manifest_of(const kv::Scope& scope, const Digest& rendering, const Saved& saved, std::uint32_t n_tokens,
                         const std::string& model) {
    kv::Manifest out;
    out.scope = scope;
    out.rendering = rendering;
    out.saved_ms = static_cast<std::int64_t>(sys::unix_ms());
    out.model = model;
    out.tokens.assign(saved.tokens.begin(), saved.tokens.begin() + n_tokens);
    for (const auto& media : saved.media) {
        if (media.start + media.n_tokens <= n_tokens) out.media.push_back(media);
    }
    out.has_chunks = saved.has_chunks;
    for (const auto& snapshot : saved.snapshots) {
        if (snapshot.n_tokens <= n_tokens) out.snapshots.push_back(snapshot);
    }
    return out;
}

struct Commit {
    kv::Scope scope;
    Digest rendering{};
    std::string model;
    Held held;
    Saved saved;
    std::uint32_t head_tokens = 0;  ///< 0: no state of its own for the head
    Begun begun;
    std::string dir;
};

struct Committed {
    std::string problem;
    bool head = false;
    kv::StoreStats stats;
};

/// A state that ends with system prompt and tools: where every further session of the project begins.
Result<void> commit_head(kv::Store& store, const Commit& commit, kv::SaveId save) {
    auto manifest = manifest_of(commit.scope, commit.rendering, commit.saved, commit.head_tokens, commit.model);
    manifest.session = "head " + hex(commit.held.head.key).substr(0, 16);
    manifest.keys.push_back({commit.held.head.key, commit.head_tokens, kv::KeyKind::head});
    const auto blobs = blobs_of(commit.scope, commit.saved, commit.head_tokens);
    const auto lacking = kv::missing(store, save, blobs);
    if (!lacking || !lacking->empty()) {
        kv::abandon_save(store, save);
        return fail(Errc::not_found, "the head's chunks are not stored");
    }
    const auto done = kv::commit_save(store, save, manifest, {policy::Kind::other});
    return done ? Result<void>{} : Result<void>(tl::unexpected(done.error()));
}

Committed carry_out(kv::Store& store, const Commit& commit) {
    Committed out;
    const auto give_up = [&](std::string why) {
        kv::abandon_save(store, commit.begun.id);
        out.problem = std::move(why);
        return out;
    };
    for (std::size_t i = 0; i < commit.saved.files.size(); ++i) {
        const auto& file = commit.saved.files[i];
        const auto adopted = kv::adopt_blob(store, commit.begun.id, file.kind, commit.dir + "/" + file.path);
        if (adopted && adopted->name == file.name) continue;
        for (++i; i < commit.saved.files.size(); ++i) {
            std::remove((commit.dir + "/" + commit.saved.files[i].path).c_str());
        }
        return give_up(adopted ? "the engine misnamed a file" : adopted.error().detail);
    }
    const auto blobs = blobs_of(commit.scope, commit.saved, commit.saved.n_tokens);
    const auto lacking = kv::missing(store, commit.begun.id, blobs);
    if (!lacking) return give_up(lacking.error().detail);
    if (!lacking->empty()) return give_up(std::to_string(lacking->size()) + " files of it are gone");

    const bool with_head = commit.head_tokens > 0 && commit.head_tokens < commit.saved.n_tokens;
    const auto head_save = with_head ? kv::begin_save(store) : 0;
    if (with_head) {
        // Kept while the other state is committed.
        (void)kv::missing(store, head_save, blobs_of(commit.scope, commit.saved, commit.head_tokens));
    }
    auto manifest = manifest_of(commit.scope, commit.rendering, commit.saved, commit.saved.n_tokens, commit.model);
    manifest.session = commit.held.session;
    for (const auto& key : commit.held.keys) {
        // An answer is only known as long as nobody else has used the slot.
        const bool sure = key.kind != kv::KeyKind::answer || commit.saved.generation == commit.held.generation;
        if (sure && key.n_tokens <= commit.saved.n_tokens) manifest.keys.push_back(key);
    }
    const auto done = kv::commit_save(store, commit.begun.id, manifest, commit.held.use);
    if (!done) out.problem = done.error().detail;
    if (with_head) out.head = commit_head(store, commit, head_save).has_value();
    if (const auto stats = kv::stats(store)) out.stats = *stats;
    return out;
}

struct Outcome {
    std::optional<Saved> saved;
    std::string problem;  ///< empty and nothing saved: nothing to save
    bool busy = false;    ///< the slot works: not now
};

awaitable<Outcome> ask_engine(StatesPtr states, EnginePtr engine, std::shared_ptr<Saving> saving, SaveState ask) {
    Outcome out;
    net::Request request;
    request.method = "POST";
    request.target = "/localcode/save";
    request.fields.push_back({"content-type", "application/json"});
    request.body = print(ask);
    const net::Timeouts timeouts{std::chrono::seconds(2), std::chrono::seconds(60), std::chrono::seconds(60)};
    saving->call = net::make_call(states->pool, engine->target, timeouts);
    const auto head = co_await net::exchange(*saving->call, std::move(request));
    if (!head) {
        out.problem = head.error().detail;
        co_return out;
    }
    std::string pending;
    constexpr std::size_t most = 512u << 20;
    while (pending.size() < most) {
        const auto piece = co_await net::read_some(*saving->call);
        if (!piece) {
            out.problem = piece.error().detail;
            co_return out;
        }
        if (piece->empty()) break;
        pending += *piece;
        for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
            const auto event = parse_save_event(std::string_view(pending).substr(0, end));
            pending.erase(0, end + 1);
            if (!event) {
                out.problem = event.error().detail;
                co_return out;
            }
            if (std::holds_alternative<Copied>(*event)) {
                saving->copied = true;
                saving->changed.cancel();
            } else if (const auto* refused = std::get_if<SaveRefused>(&*event)) {
                out.busy = refused->code == "busy";
                if (!out.busy && refused->code != "empty") out.problem = refused->message;
                co_return out;
            } else {
                out.saved = std::get<Saved>(*event);
            }
        }
    }
    co_return out;
}

/// Whatever happens, those who wait for it go on.
struct Under {
    EnginePtr engine;
    std::size_t slot;
    std::shared_ptr<Saving> saving;
    ~Under() {
        saving->over = saving->copied = true;
        saving->call.reset();
        saving->changed.cancel();
        if (engine->saving[slot] == saving) engine->saving[slot].reset();
    }
};

awaitable<bool> save_ours(StatesPtr states, EnginePtr engine, std::size_t slot, Held held,
                          std::shared_ptr<Saving> saving, bool last) {
    const auto began = Clock::now();
    Commit commit;
    commit.scope = {kv::namespace_digest(held.name_space), *engine->identity};
    commit.rendering = engine->rendering;
    commit.model = engine->model;
    commit.dir = states->options.dir;
    if (!engine->heads_stored.contains(held.head.key)) {
        commit.head_tokens = co_await find_head(states, engine, held.head);
    }
    const double prefill_ms = held.prefill_ms;
    const std::function<Begun()> start = [states, prefill_ms, last] {
        return begin(*states->store, states->options.dir, prefill_ms, last);
    };
    commit.begun = co_await on_thread<Begun>(states->disk, start);
    if (commit.begun.refused) co_return false;
    SaveState ask;
    ask.token = states->options.token;
    ask.slot = static_cast<int>(slot);
    ask.scope = commit.scope;
    if (commit.head_tokens > 0) ask.cuts.push_back(commit.head_tokens);
    ask.staging = commit.begun.staging;
    auto outcome = co_await ask_engine(states, engine, saving, ask);
    // The engine's slot ends a moment after its answer.
    for (int tries = 0; outcome.busy && tries < 5 && !engine->slots[slot].busy && !states->closing; ++tries) {
        asio::steady_timer pause(states->executor, std::chrono::milliseconds(20));
        co_await pause.async_wait(tuple_awaitable);
        outcome = co_await ask_engine(states, engine, saving, ask);
    }
    if (!outcome.saved) {
        const auto id = commit.begun.id;
        if (states->is_open) asio::post(states->disk, [states, id] { kv::abandon_save(*states->store, id); });
        if (!outcome.problem.empty() && !states->closing) {
            say(*states, Level::warn, "model " + engine->model + ": a state was not saved: " + outcome.problem);
        }
        co_return outcome.problem.empty() && !outcome.busy;
    }
    commit.held = std::move(held);
    commit.saved = std::move(*outcome.saved);
    if (commit.head_tokens >= commit.saved.n_tokens) commit.head_tokens = 0;
    const auto shared = std::make_shared<const Commit>(std::move(commit));
    const std::function<Committed()> finish = [states, shared] { return carry_out(*states->store, *shared); };
    const auto committed = co_await on_thread<Committed>(states->disk, finish);
    if (!committed.problem.empty()) {
        say(*states, Level::warn, "model " + engine->model + ": a state was not saved: " + committed.problem);
        co_return false;
    }
    states->last_stats = committed.stats;
    if (committed.head) engine->heads_stored.insert(shared->held.head.key);
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    if (states->options.saved) states->options.saved(seconds);
    std::uint64_t written = 0;
    for (const auto& file : shared->saved.files) written += file.bytes;
    say(*states, Level::debug,
        fmt::format("model {}: state of {} tokens saved in {:.0f} ms ({:.1f} MB new, copied in {:.1f} ms)", engine->model,
                    shared->saved.n_tokens, seconds * 1000, static_cast<double>(written) / 1e6, shared->saved.copy_ms));
    co_return shared->saved.complete;
}

}  // namespace

awaitable<void> wait_copied(std::shared_ptr<Saving> saving, std::chrono::milliseconds patience) {
    const auto until = Clock::now() + patience;
    while (!saving->copied && Clock::now() < until) {
        asio::steady_timer tick(saving->changed.get_executor(), std::min(until, Clock::now() + std::chrono::milliseconds(5)));
        co_await tick.async_wait(tuple_awaitable);
    }
}

awaitable<void> save_slot(StatesPtr states, EnginePtr engine, std::size_t slot, bool last) {
    if (!states->is_open || !engine->identity || engine->gone || engine->saving[slot]) co_return;
    const auto saving = std::make_shared<Saving>(states->executor);
    engine->saving[slot] = saving;
    const Under under{engine, slot, saving};
    const Held held = engine->held[slot];
    if (!held.worth_saving) co_return;
    bool done = false;
    if (engine->ours) {
        done = co_await save_ours(states, engine, slot, held, saving, last);
    } else {
        done = co_await save_stock(states, engine, slot, held, last);
    }
    // Nobody has used it meanwhile: all that it holds is stored.
    auto& now = engine->slots[slot];
    if (done && engine->held[slot].serial == held.serial && !now.busy) now.unsaved = 0;
}

}  // namespace lc::states
