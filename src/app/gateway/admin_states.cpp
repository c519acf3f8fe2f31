// The admin API's part about sessions and stored KV states.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "app/gateway/parts.hpp"
#include "shell/kv/store.hpp"

namespace lc::gateway {

namespace json = boost::json;

namespace {

using Work = std::function<Result<std::string>(kv::Store&)>;

json::object stats_json(const kv::StoreStats& s) {
    return {{"states", s.states},
            {"chunks", s.chunks},
            {"snapshots", s.snapshots},
            {"bytes", s.bytes},
            {"max_bytes", s.max_bytes},
            {"hits", s.hits},
            {"misses", s.misses},
            {"saves", s.saves},
            {"bytes_written", s.bytes_written},
            {"evicted_states", s.evicted_states},
            {"evicted_bytes", s.evicted_bytes},
            {"quarantined", s.quarantined},
            {"quarantine_files", s.quarantine_files},
            {"policy", s.policy},
            {"policy_in_force", s.policy_in_force},
            {"policy_why", s.policy_why},
            {"policy_bytes", s.policy_bytes},
            {"written_today", s.written_today},
            {"writes_per_day", s.writes_per_day},
            {"writes_refused", s.writes_refused}};
}

Result<std::string> stats_text(kv::Store& store) {
    const auto stats = kv::stats(store);
    if (!stats) return tl::unexpected(stats.error());
    return json::serialize(stats_json(*stats));
}

Result<std::string> verify_text(kv::Store& store) {
    const auto report = kv::verify(store);
    if (!report) return tl::unexpected(report.error());
    return json::serialize(json::object{{"files", report->blobs}, {"bytes", report->bytes}, {"bad", report->bad}});
}

Result<std::string> freed_text(const Result<std::uint64_t>& freed) {
    if (!freed) return tl::unexpected(freed.error());
    return json::serialize(json::object{{"freed_bytes", *freed}});
}

Result<std::string> copied_text(const Result<std::uint64_t>& copied) {
    if (!copied) return tl::unexpected(copied.error());
    return json::serialize(json::object{{"states", *copied}});
}

/// What the store knows of sessions, put together with what slots hold.
Result<std::string> sessions_text(kv::Store& store, const std::vector<states::HeldSession>& in_slots) {
    const auto stored = kv::sessions(store);
    if (!stored) return tl::unexpected(stored.error());
    json::array out;
    std::vector<bool> told(in_slots.size());
    for (const auto& session : *stored) {
        if (session.id.starts_with("head ")) continue;  // what sessions of a project share, not a session
        std::string where = "disk";
        std::uint64_t tokens = session.tokens;
        for (std::size_t i = 0; i < in_slots.size(); ++i) {
            const auto& held = in_slots[i];
            if (held.session != session.id || held.model != session.model) continue;
            told[i] = true;
            where = "slot " + std::to_string(held.slot) + ", disk";
            tokens = std::max(tokens, held.tokens);
        }
        out.push_back(json::object{{"id", session.id},
                                   {"model", session.model},
                                   {"tokens", tokens},
                                   {"stored_tokens", session.tokens},
                                   {"bytes", session.bytes},
                                   {"shared_bytes", session.shared_bytes},
                                   {"where", where},
                                   {"last_used", session.last_used_ms}});
    }
    for (std::size_t i = 0; i < in_slots.size(); ++i) {
        if (told[i]) continue;
        const auto& held = in_slots[i];
        out.push_back(json::object{{"id", held.session},
                                   {"model", held.model},
                                   {"tokens", held.tokens},
                                   {"stored_tokens", 0},
                                   {"bytes", 0},
                                   {"shared_bytes", 0},
                                   {"where", "slot " + std::to_string(held.slot)},
                                   {"last_used", nullptr}});
    }
    return json::serialize(json::object{{"sessions", std::move(out)}});
}

std::string folder_of(const std::string& body) {
    boost::system::error_code ec;
    const auto document = json::parse(body, ec);
    const auto* object = ec ? nullptr : document.if_object();
    const auto* dir = object ? object->if_contains("dir") : nullptr;
    return dir && dir->is_string() ? std::string(dir->get_string().c_str()) : std::string();
}

bool wants_deep(const std::string& body) {
    boost::system::error_code ec;
    const auto document = json::parse(body, ec);
    const auto* object = ec ? nullptr : document.if_object();
    const auto* deep = object ? object->if_contains("deep") : nullptr;
    return deep && deep->is_bool() && deep->get_bool();
}

/// Files first, then what running engines make of them.
awaitable<void> answer_deep(Gateway& gateway, net::Exchange& exchange) {
    constexpr std::size_t most = 8;
    const auto files = co_await states::with_store(gateway.states, verify_text);
    if (!files) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, files.error());
    const auto deep = co_await states::verify_deep(gateway.states, most);
    if (!deep) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, deep.error());
    auto out = json::parse(*files).as_object();
    json::array rows;
    std::int64_t bad = out["bad"].to_number<std::int64_t>();
    for (const auto& one : *deep) {
        rows.push_back(json::object{{"session", one.session}, {"model", one.model},     {"tokens", one.tokens},
                                    {"result", one.result},   {"checked", one.checked}, {"good", one.good}});
        bad += one.checked && !one.good ? 1 : 0;
    }
    out["deep"] = std::move(rows);
    out["bad"] = bad;
    co_await answer_json(gateway, exchange, 200, json::serialize(out));
}

awaitable<void> answer_with(Gateway& gateway, net::Exchange& exchange, Work work) {
    auto answer = co_await states::with_store(gateway.states, std::move(work));
    if (!answer) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, answer.error());
    co_await answer_json(gateway, exchange, 200, std::move(*answer));
}

}  // namespace

awaitable<bool> admin_states(Gateway& gateway, net::Exchange& exchange, std::string path) {
    const std::string method = request(exchange).method;
    Work work;
    if (method == "GET" && path == "sessions") {
        const auto in_slots = states::held(*gateway.states);
        work = [in_slots](kv::Store& store) { return sessions_text(store, in_slots); };
    } else if (method == "GET" && path == "cache/stats") {
        work = stats_text;
    } else if (method == "POST" && path == "cache/verify" && wants_deep(request(exchange).body)) {
        co_await answer_deep(gateway, exchange);
        co_return true;
    } else if (method == "POST" && path == "cache/verify") {
        work = verify_text;
    } else if (method == "POST" && path == "cache/gc") {
        work = [](kv::Store& store) { return freed_text(kv::gc(store)); };
    } else if (method == "POST" && path == "cache/clear") {
        work = [](kv::Store& store) { return freed_text(kv::clear(store)); };
    } else if (method == "POST" && (path == "cache/export" || path == "cache/import")) {
        const std::string folder = folder_of(request(exchange).body);
        if (folder.empty() || folder[0] != '/') {
            co_await answer_error(gateway, exchange, api::Dialect::plain,
                                  error_of(Errc::bad_request, "the body must be {\"dir\": \"/absolute/path\"}"));
            co_return true;
        }
        const bool out = path == "cache/export";
        work = [folder, out](kv::Store& store) {
            return copied_text(out ? kv::export_to(store, folder) : kv::import_from(store, folder));
        };
    } else {
        co_return false;
    }
    co_await answer_with(gateway, exchange, std::move(work));
    co_return true;
}

}  // namespace lc::gateway
