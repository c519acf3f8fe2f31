// Looking after the store: figures, verification, collection, sessions.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "shell/kv/store_parts.hpp"

namespace lc::kv {

Result<StoreStats> stats(Store& store) {
    StoreStats out = store.counted;
    out.bytes = store.bytes;
    out.max_bytes = store.options.max_bytes;
    out.policy = store.options.policy.empty() ? "lru" : store.options.policy;
    out.policy_in_force = store.keeper ? std::string(policy::name_of(store.keeper->in_force())) : "lru";
    out.policy_why = store.keeper ? store.keeper->why() : "configured";
    out.policy_bytes = store.keeper ? store.keeper->bytes_of_memory() : 0;
    out.written_today = policy::add_writes(store.writes, 0, store.now()).bytes;
    out.writes_per_day = store.options.writes_per_day;
    const struct {
        const char* sql;
        std::uint64_t& to;
    } counts[] = {{"SELECT count(*) FROM states", out.states},
                  {"SELECT count(*) FROM blobs WHERE kind = 1", out.chunks},
                  {"SELECT count(*) FROM blobs WHERE kind = 2", out.snapshots}};
    for (const auto& count : counts) {
        const auto n = store::query_integer(store.index.db.get(), count.sql);
        if (!n) return fail(Errc::internal, n.error().text);
        count.to = static_cast<std::uint64_t>(*n);
    }
    const auto files = store.folder.files.list(quarantine_dir(store.folder));
    if (files) out.quarantine_files = files->size();
    return out;
}

Result<VerifyReport> verify(Store& store, const std::function<bool()>& go_on) {
    const auto all = inventory(store);
    if (!all) return tl::unexpected(all.error());
    std::vector<BlobId> ids;
    for (const BlobRow& row : all->blobs) ids.push_back(row.blob);
    for (const StateRow& row : all->states) ids.push_back({BlobKind::manifest, row.name});
    VerifyReport out;
    for (const BlobId& id : ids) {
        if (go_on && !go_on()) break;
        if (id.kind == BlobKind::manifest) {
            const auto row = find_state(store.index, id.name);
            if (row && !*row) continue;  // went with a bad blob
        } else if (const auto row = find_blob(store.index, id); row && !*row) {
            continue;
        }
        const auto file = read_blob(store.folder, id);
        if (!file && file.error().code == Errc::internal) return tl::unexpected(file.error());
        ++out.blobs;
        if (file) {
            out.bytes += file->size();
        } else {
            ++out.bad;
            quarantine(store, id, file.error().detail);
        }
    }
    return out;
}

Result<std::uint64_t> gc(Store& store) {
    const std::uint64_t before = store.bytes;
    std::uint64_t quarantined = 0;
    const auto files = store.folder.files.list(quarantine_dir(store.folder));
    if (!files) return tl::unexpected(error_of(files.error()));
    for (const FileEntry& file : *files) {
        if (store.folder.files.remove(quarantine_dir(store.folder) + "/" + file.name)) quarantined += file.bytes;
    }
    const auto all = inventory(store);
    if (!all) return tl::unexpected(all.error());
    if (auto done = carry_out(store, *all, evict_unneeded(all->input(0))); !done) return tl::unexpected(done.error());
    if (auto done = make_room(store, 0); !done && done.error().code != Errc::overloaded)
        return tl::unexpected(done.error());
    return before - store.bytes + quarantined;
}

Result<std::uint64_t> clear(Store& store) {
    const std::uint64_t before = store.bytes;
    const auto all = inventory(store);
    if (!all) return tl::unexpected(all.error());
    std::vector<std::int64_t> ids;
    for (const StateRow& row : all->states) {
        if (store.pins.count(row.name) == 0) ids.push_back(row.id);
    }
    if (auto done = drop_states(store, ids); !done) return tl::unexpected(done.error());
    return before - store.bytes;
}

void set_budget(Store& store, std::uint64_t max_bytes) {
    store.options.max_bytes = max_bytes;
    if (store.keeper) store.keeper->resize(max_bytes);
}

Result<std::vector<Digest>> state_names(Store& store) {
    const auto states = all_states(store.index);
    if (!states) return tl::unexpected(states.error());
    std::vector<Digest> out;
    for (const StateRow& row : *states) out.push_back(row.name);
    return out;
}

Result<std::vector<SessionInfo>> sessions(Store& store) {
    const auto all = inventory(store);
    if (!all) return tl::unexpected(all.error());
    std::map<std::pair<Digest, std::string>, std::size_t> at;
    std::vector<SessionInfo> out;
    std::vector<std::vector<std::uint32_t>> blobs_of;  // of each session, each blob once
    std::vector<std::uint32_t> seen_by(all->blobs.size(), 0xffff'ffff), users(all->blobs.size(), 0);
    std::vector<std::vector<std::size_t>> states_of;
    for (std::size_t i = 0; i < all->states.size(); ++i) {
        const StateRow& row = all->states[i];
        const auto [found, is_new] = at.try_emplace({row.name_space, row.session}, out.size());
        if (is_new) {
            out.push_back({row.session, row.model, row.name_space});
            states_of.emplace_back();
        }
        SessionInfo& info = out[found->second];
        info.tokens = std::max<std::uint64_t>(info.tokens, row.n_tokens);
        info.bytes += row.bytes;
        info.last_used_ms = std::max(info.last_used_ms, row.used_ms);
        if (row.used >= info.used) {
            info.used = row.used;
            info.model = row.model;
        }
        states_of[found->second].push_back(i);
    }
    blobs_of.resize(out.size());
    for (std::uint32_t s = 0; s < out.size(); ++s) {
        for (const std::size_t i : states_of[s]) {
            const EvictState& state = all->evict_states[i];
            for (std::uint32_t blob : std::span(all->refs).subspan(state.first_ref, state.n_refs)) {
                // Up the chain until where this session has been before.
                for (; blob != no_parent && seen_by[blob] != s; blob = all->evict_blobs[blob].parent) {
                    seen_by[blob] = s;
                    ++users[blob];
                    blobs_of[s].push_back(blob);
                }
            }
        }
    }
    for (std::uint32_t s = 0; s < out.size(); ++s) {
        for (const std::uint32_t blob : blobs_of[s]) {
            out[s].bytes += all->blobs[blob].bytes;
            if (users[blob] > 1) out[s].shared_bytes += all->blobs[blob].bytes;
        }
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return a.used > b.used; });
    return out;
}

}  // namespace lc::kv
