// A stock llama-server restores and saves whole slot files, and only between two requests: hence one lock an engine,
// held from a restore until the request has begun.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <cstdio>

#include "app/states/loop.hpp"
#include "core/kv/chunk.hpp"
#include "shell/kv/slot_copy.hpp"
#include "shell/sys/os.hpp"

namespace lc::states {

namespace {

constexpr auto tuple_awaitable = asio::as_tuple(asio::use_awaitable);
constexpr auto lock_patience = std::chrono::seconds(10);

/// Bytes of one number of these ggml types; 0: rows of it cannot be transposed.
std::uint32_t element_bytes(std::uint32_t ggml_type) {
    switch (ggml_type) {
        case 0: return 4;   // F32
        case 1: return 2;   // F16
        case 30: return 2;  // BF16
        default: return 0;
    }
}

Result<std::uint64_t> assemble(kv::Store& store, const kv::Scope& scope, const Digest& manifest, kv::SlotTarget target,
                               std::uint32_t n_tokens, const std::string& path) {
    const auto state = kv::pin_state(store, manifest, scope);
    if (!state) return tl::unexpected(state.error());
    auto written = [&]() -> Result<std::uint64_t> {
        if (target.v_transposed && !state->chunk_paths.empty()) {
            const auto first = kv::get_blob(store, {kv::BlobKind::chunk, state->manifest.chunks.front()});
            if (!first) return tl::unexpected(first.error());
            const auto parsed = kv::parse_chunk(*first, first->size());
            if (!parsed) return tl::unexpected(parsed.error());
            for (const auto& layer : parsed->chunk.layers) target.v_element_bytes.push_back(element_bytes(layer.v_type));
        }
        return kv::write_slot_file(store, *state, n_tokens, target, path);
    }();
    kv::unpin_state(store, manifest);
    return written;
}

awaitable<Result<void>> slot_action(StatesPtr states, net::Target target, std::size_t slot, std::string action,
                                    std::string file) {
    net::Request request;
    request.method = "POST";
    request.target = "/slots/" + std::to_string(slot) + "?action=" + action;
    request.fields.push_back({"content-type", "application/json"});
    request.body = "{\"filename\":\"" + file + "\"}";
    const net::Timeouts timeouts{std::chrono::seconds(2), std::chrono::seconds(120), std::chrono::seconds(120)};
    const auto answer = co_await net::fetch(states->pool, std::move(target), timeouts, std::move(request));
    if (!answer) co_return tl::unexpected(answer.error());
    if (answer->status == 200) co_return Result<void>{};
    co_return fail(Errc::upstream_error, "slot " + action + ": status " + std::to_string(answer->status) + " " +
                                             answer->body.substr(0, 200));
}

std::string file_name(const EngineSlots& engine, std::size_t slot, std::string_view what) {
    return "e" + std::to_string(engine.incarnation) + "-" + std::to_string(slot) + "-" + std::string(what) + ".slot";
}

void remove_there(const StatesPtr& states, const std::string& path) {
    asio::post(states->disk, [path] { std::remove(path.c_str()); });
}

}  // namespace

awaitable<void> restore_stock(StatesPtr states, Seat& seat, Digest manifest, std::uint32_t n_tokens) {
    const auto engine = seat.engine;
    if (states->options.staging_dir.empty()) co_return;
    const auto until = Clock::now() + lock_patience;
    while (engine->lock && Clock::now() < until) {
        asio::steady_timer tick(states->executor, std::chrono::milliseconds(5));
        co_await tick.async_wait(tuple_awaitable);
    }
    engine->lock = std::make_shared<asio::steady_timer>(states->executor, Clock::time_point::max());
    seat.lock = engine->lock;

    kv::SlotTarget target;
    target.n_stream = static_cast<std::uint32_t>(engine->slots.size());
    for (const auto& model : states->options.models) {
        if (model.name == engine->model) target.v_transposed = model.flash_attention == "off";
    }
    const auto name = file_name(*engine, seat.slot, "in");
    const auto path = states->options.staging_dir + "/" + name;
    const auto scope = seat.scope;
    const std::function<Result<std::uint64_t>()> work = [states, scope, manifest, target, n_tokens, path] {
        return assemble(*states->store, scope, manifest, target, n_tokens, path);
    };
    const auto began = Clock::now();
    const auto written = co_await on_thread<Result<std::uint64_t>>(states->disk, work);
    if (!written) {
        say(*states, Level::warn, "model " + engine->model + ": a state was not restored: " + written.error().detail);
        co_return;
    }
    const auto restored = co_await slot_action(states, engine->target, seat.slot, "restore", name);
    remove_there(states, path);
    if (!restored) {
        say(*states, Level::warn, "model " + engine->model + ": a state was not restored: " + restored.error().detail);
        co_return;
    }
    StateReport report;
    report.slot = static_cast<int>(seat.slot);
    report.used = n_tokens;
    report.from = "slot_file";
    report.state = manifest;
    report.bytes = *written;
    report.ms = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
    seat.report = report;
}

awaitable<bool> save_stock(StatesPtr states, EnginePtr engine, std::size_t slot, Held held, bool last) {
    if (states->options.staging_dir.empty()) co_return false;
    const double prefill_ms = held.prefill_ms;
    const std::function<bool()> ask = [states, prefill_ms, last] { return kv::may_save(*states->store, prefill_ms, last); };
    if (!co_await on_thread<bool>(states->disk, ask)) co_return false;
    const auto began = Clock::now();
    const auto name = file_name(*engine, slot, "out");
    const kv::SlotSave file{states->options.staging_dir + "/" + name, false};
    const auto done = co_await slot_action(states, engine->target, slot, "save", name);
    if (!done) {
        if (!states->closing) {
            say(*states, Level::warn, "model " + engine->model + ": a state was not saved: " + done.error().detail);
        }
        co_return false;
    }
    // The slot is the server's again: what is done with the file keeps nobody waiting.
    if (engine->saving[slot]) {
        engine->saving[slot]->copied = true;
        engine->saving[slot]->changed.cancel();
    }
    kv::Manifest manifest;
    manifest.scope = {kv::namespace_digest(held.name_space), *engine->identity};
    manifest.rendering = engine->rendering;
    manifest.saved_ms = static_cast<std::int64_t>(sys::unix_ms());
    manifest.session = held.session;
    manifest.model = engine->model;
    const auto head_tokens = co_await find_head(states, engine, held.head);
    const std::function<Result<void>()> work = [states, file, manifest, held, head_tokens]() -> Result<void> {
        auto full = manifest;
        auto tokens = kv::slot_file_tokens(file);
        if (!tokens) return tl::unexpected(tokens.error());
        full.tokens = std::move(*tokens);
        for (const auto& key : held.keys) {
            if (key.n_tokens <= full.tokens.size()) full.keys.push_back(key);
        }
        const auto saved = kv::save_slot_file(*states->store, file, full, held.use);
        if (!saved) return tl::unexpected(saved.error());
        if (head_tokens == 0 || head_tokens >= full.tokens.size()) return {};
        full.tokens.resize(head_tokens);
        full.session = "head " + hex(held.head.key).substr(0, 16);
        full.keys = {{held.head.key, head_tokens, kv::KeyKind::head}};
        const auto head = kv::save_slot_file(*states->store, file, full);
        return head ? Result<void>{} : Result<void>(tl::unexpected(head.error()));
    };
    const auto stored = co_await on_thread<Result<void>>(states->disk, work);
    remove_there(states, file.path);
    if (!stored) {
        // Said once: sliding windows and recurrent states cannot be kept for a stock server at all.
        if (stored.error().code == Errc::bad_request || stored.error().code == Errc::unsupported) {
            engine->identity.reset();
            engine->why_not = "unsupported";
        }
        say(*states, Level::warn, "model " + engine->model + ": its states are not kept: " + stored.error().detail);
        co_return false;
    }
    engine->heads_stored.insert(held.head.key);
    if (states->options.saved) states->options.saved(std::chrono::duration<double>(Clock::now() - began).count());
    co_return true;
}

}  // namespace lc::states
