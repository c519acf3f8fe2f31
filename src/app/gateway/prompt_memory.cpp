// What the steps remember: in memory, bounded, and in prefix.db for the next start.
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/gateway/prompt.hpp"
#include "base/sha256.hpp"
#include "shell/store/learned_db.hpp"
#include "shell/sys/os.hpp"

namespace lc::gateway {

struct LearnedStore {
    store::Db db;
};

namespace {

constexpr std::size_t most_sessions = 512, most_projects = 2048, most_forms = 2048, most_rows = 2048;
constexpr std::size_t session_bytes = 32u << 20, tools_bytes = 8u << 20, form_bytes = 8u << 20, last_bytes = 64u << 20;

constexpr std::string_view session_kind = "session", tools_kind = "tools", form_kind = "form";

std::size_t size_of(const prefix::KnownTools& known) {
    std::size_t size = 64;
    for (const auto& name : known.seen) size += 2 * name.size();
    return size;
}

/// Writes behind the request's back; a full disk costs the next start a prefill and nothing else.
void write(Gateway& gateway, std::string_view kind, const std::string& key, std::string value, const std::vector<std::string>& gone) {
    const auto store = gateway.prompts->store;
    if (!store) return;
    const auto now = static_cast<std::int64_t>(sys::unix_ms());
    asio::post(gateway.files, [store, now, row = store::LearnedRow{std::string(kind), key, std::move(value)}, gone] {
        (void)store::save_learned(store->db.get(), row, now);
        for (const auto& old : gone) (void)store::remove_learned(store->db.get(), row.kind, old);
    });
}

struct Loaded {
    std::shared_ptr<LearnedStore> store;
    std::vector<store::LearnedRow> rows;
    std::string problem;
};

Loaded read_all(const std::string& path) {
    Loaded out;
    auto db = store::open_learned(path, [&out](std::string text) { out.problem = std::move(text); });
    if (!db) {
        out.problem = "what was learned about prompts is not kept: " + db.error().text;
        return out;
    }
    auto rows = store::load_learned(db->get(), most_rows);
    if (!rows) {
        out.problem = "what was learned about prompts cannot be read: " + rows.error().text;
        return out;
    }
    out.rows = std::move(*rows);
    out.store = std::make_shared<LearnedStore>();
    out.store->db = std::move(*db);
    return out;
}

/// Wakes those who wait, whatever happens.
struct Loading {
    PromptMemory& memory;
    explicit Loading(Gateway& gateway) : memory(*gateway.prompts) {
        memory.loading = std::make_shared<asio::steady_timer>(gateway.executor, Clock::time_point::max());
    }
    ~Loading() {
        memory.loading->cancel();
        memory.loading.reset();
    }
    Loading(const Loading&) = delete;
    Loading& operator=(const Loading&) = delete;
};

}  // namespace

std::string memory_key(std::initializer_list<std::string_view> parts) {
    Sha256 hash;
    for (const auto part : parts) hash.update(std::to_string(part.size())).update("\n").update(part);
    return hex(hash.finish());
}

awaitable<void> load_prompts(Gateway& gateway) {
    const Loading loading(gateway);
    const std::string path = gateway.options.state_dir + "/prefix.db";
    co_await asio::post(asio::bind_executor(gateway.files.get_executor(), asio::use_awaitable));
    auto loaded = read_all(path);
    co_await asio::post(asio::bind_executor(gateway.executor, asio::use_awaitable));
    auto& memory = *gateway.prompts;
    if (!loaded.problem.empty()) say(gateway, Level::warn, loaded.problem);
    memory.store = loaded.store;
    for (auto& row : loaded.rows) {
        const auto size = row.value.size();
        if (row.kind == session_kind) {
            if (auto value = prefix::session_from_json(row.value)) memory.sessions.put(row.key, std::move(*value), size, most_sessions, session_bytes);
        } else if (row.kind == tools_kind) {
            if (auto value = prefix::known_from_json(row.value)) memory.tools.put(row.key, std::move(*value), size, most_projects, tools_bytes);
        } else if (row.kind == form_kind) {
            memory.forms.put(row.key, std::move(row.value), size, most_forms, form_bytes);
        }
    }
}

awaitable<void> settle_prompts(Gateway& gateway) {
    co_await asio::post(asio::bind_executor(gateway.files.get_executor(), asio::use_awaitable));
    co_await asio::post(asio::bind_executor(gateway.executor, asio::use_awaitable));
}

void keep_session(Gateway& gateway, const std::string& key, prefix::SessionMemory memory) {
    std::string value = prefix::to_json(memory);
    const auto gone = gateway.prompts->sessions.put(key, std::move(memory), value.size(), most_sessions, session_bytes);
    write(gateway, session_kind, key, std::move(value), gone);
}

void keep_tools(Gateway& gateway, const std::string& key, prefix::KnownTools known) {
    const auto size = size_of(known);
    std::string value = prefix::to_json(known);
    const auto gone = gateway.prompts->tools.put(key, std::move(known), size, most_projects, tools_bytes);
    write(gateway, tools_kind, key, std::move(value), gone);
}

void keep_form(Gateway& gateway, const std::string& key, std::string form) {
    const auto size = form.size();
    const auto gone = gateway.prompts->forms.put(key, form, size, most_forms, form_bytes);
    write(gateway, form_kind, key, std::move(form), gone);
}

void keep_last(Gateway& gateway, const std::string& key, KeptPrompt kept) {
    constexpr std::size_t most = 256;
    const auto size = kept.messages.bytes.size() + kept.tools.bytes.size() + kept.rest.pieces.size() * 256;
    (void)gateway.prompts->last.put(key, std::move(kept), size, most, last_bytes);
}

}  // namespace lc::gateway
