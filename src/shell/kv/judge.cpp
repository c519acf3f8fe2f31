// What the store tells its policy, and what it asks: which states are worth least, whether a write is worth it, what to
// have ready.
#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/kv/chunk.hpp"
#include "shell/kv/policy_db.hpp"
#include "shell/kv/store_parts.hpp"
#include "shell/sys/os.hpp"

namespace lc::kv {

namespace {

constexpr double unmeasured_ms_per_token = 1;
constexpr int save_every = 256;                   // uses
constexpr std::uint64_t max_staged = 8ull << 30;  // bytes of one session

std::uint64_t short_of(const Digest& name) {
    std::uint64_t out = 0;
    std::memcpy(&out, name.data(), sizeof out);
    return out;
}

std::uint64_t bytes_of(Store& store, const BlobId& id) {
    const auto row = find_blob(store.index, id);
    return row && *row ? (*row)->bytes : 0;
}

policy::Chunk chunk_of(const Digest& name, std::uint64_t bytes, double ms) {
    const auto most = std::uint64_t{std::numeric_limits<std::uint32_t>::max()};
    return {short_of(name), static_cast<std::uint32_t>(std::clamp<std::uint64_t>(bytes, 1, most)),
            static_cast<float>(ms)};
}

/// The prompt as chunks, whether its state is kept in chunks or in snapshots.
std::vector<policy::Chunk> path_of(Store& store, const ParsedManifest& manifest, double ms_per_token) {
    const Manifest& m = manifest.manifest;
    const auto names = manifest.chunks.empty() ? chunk_names(m.scope, m.tokens, m.media) : manifest.chunks;
    if (names.empty()) return {};
    std::uint64_t whole = 0, last = 0;
    if (m.has_chunks) {
        whole = bytes_of(store, {BlobKind::chunk, names.front()});
        last = bytes_of(store, {BlobKind::chunk, names.back()});
    } else {
        for (const SnapshotRef& ref : m.snapshots) whole += bytes_of(store, {BlobKind::snapshot, ref.name});
        whole = last = whole / names.size();
    }
    std::vector<policy::Chunk> out;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto tokens =
            std::min<std::size_t>(chunk_tokens, m.tokens.size() - std::min(m.tokens.size(), i * chunk_tokens));
        out.push_back(
            chunk_of(names[i], i + 1 == names.size() ? last : whole, static_cast<double>(tokens) * ms_per_token));
    }
    return out;
}

/// What a state is judged by: its last chunk that is full. One that is not gets another name as soon as its session
/// goes on, so it says nothing.
std::uint64_t leaf_of(std::span<const policy::Chunk> path, bool partial_tail) {
    return path[path.size() - (partial_tail && path.size() > 1 ? 2 : 1)].name;
}

/// What was stored before this start, oldest use first. Only names and sizes are read, so nothing of snapshots alone.
Result<void> recall_all(Store& store) {
    const auto all = inventory(store);
    if (!all) return tl::unexpected(all.error());
    std::vector<std::size_t> order(all->states.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return all->states[a].used < all->states[b].used; });
    std::int64_t at = 0;
    for (const std::size_t i : order) {
        const StateRow& row = all->states[i];
        const EvictState& state = all->evict_states[i];
        std::vector<policy::Chunk> path;
        for (std::uint32_t ref : std::span(all->refs).subspan(state.first_ref, state.n_refs)) {
            if (all->blobs[ref].blob.kind != BlobKind::chunk) continue;
            for (; ref != no_parent; ref = all->evict_blobs[ref].parent) {
                path.push_back(
                    chunk_of(all->blobs[ref].blob.name, all->blobs[ref].bytes, unmeasured_ms_per_token * chunk_tokens));
            }
        }
        if (path.empty()) continue;
        std::reverse(path.begin(), path.end());
        policy::Touch touch;
        touch.now_ms = at = std::max(at, row.used_ms);  // clocks go backwards, the order of uses does not
        touch.partial_tail = row.n_tokens % chunk_tokens != 0;
        store.keeper->recall(path, touch);
        store.leaves[row.name] = leaf_of(path, touch.partial_tail);
    }
    return {};
}

}  // namespace

Result<void> open_keeper(Store& store) {
    const std::string& name = store.options.policy;
    if (!store.options.policy_path.empty()) {
        auto learned = load_learned(store.options.policy_path);
        if (!learned) {
            store.report("kv: " + learned.error().detail + "; the policy begins anew");
            learned = Learned{};
        }
        if (!learned->set_aside.empty()) store.report("kv: policy.db was set aside as " + learned->set_aside);
        store.writes = learned->writes;
        if (!name.empty()) {
            store.keeper = std::make_unique<policy::Keeper>(policy::order_named(name), store.options.max_bytes);
            if (!learned->hazard.empty() && !store.keeper->hazard().restore(learned->hazard)) {
                store.report("kv: what policy.db holds is of no use; the policy begins anew");
            }
        }
    } else if (!name.empty()) {
        store.keeper = std::make_unique<policy::Keeper>(policy::order_named(name), store.options.max_bytes);
    }
    return store.keeper ? recall_all(store) : Result<void>{};
}

void note_use(Store& store, const ParsedManifest& manifest, const Use& use) {
    if (!store.keeper) return;
    const Manifest& m = manifest.manifest;
    double& rate = store.ms_per_token.try_emplace(m.model, unmeasured_ms_per_token).first->second;
    if (use.ms_per_token > 0) rate = use.ms_per_token;
    const auto path = path_of(store, manifest, rate);
    if (path.empty()) return;
    policy::Touch touch;
    touch.now_ms = store.now();
    touch.session = m.session.empty() ? 0 : short_of(sha256(m.session));
    touch.has_parent = use.has_parent;
    touch.kind = use.kind;
    touch.finish = use.finish;
    touch.output = use.output;
    touch.partial_tail = m.tokens.size() % chunk_tokens != 0;
    const auto changed = store.keeper->note(path, touch);
    store.leaves[manifest.name] = leaf_of(path, touch.partial_tail);
    if (changed && store.options.news) {
        store.options.news("kv: policy " + std::string(policy::name_of(*changed)) + " is in force now (" +
                           store.keeper->why() + ")");
    }
    if (++store.noted >= save_every) save_learned_now(store);
}

void rank_states(Store& store, Inventory& all) {
    if (!store.keeper) return;
    store.keeper->advance(store.now());
    struct Ranked {
        double worth;
        std::uint64_t used;
        std::uint32_t index;
    };
    std::vector<Ranked> ranked;
    std::map<Digest, std::uint64_t> leaves;  // of those that are still there
    for (std::uint32_t i = 0; i < all.states.size(); ++i) {
        double worth = -1;
        if (const auto leaf = store.leaves.find(all.states[i].name); leaf != store.leaves.end()) {
            leaves.insert(*leaf);
            worth = store.keeper->worth(leaf->second).value_or(-1);
        }
        ranked.push_back({worth, all.states[i].used, i});
    }
    store.leaves = std::move(leaves);
    std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
        return a.worth != b.worth ? a.worth < b.worth : a.used < b.used;
    });
    for (std::size_t i = 0; i < ranked.size(); ++i) all.evict_states[ranked[i].index].last_use = i + 1;
}

void count_written(Store& store, std::uint64_t bytes) {
    store.counted.bytes_written += bytes;
    store.writes = policy::add_writes(store.writes, bytes, store.now());
}

void save_learned_now(Store& store) {
    store.noted = 0;
    if (store.options.policy_path.empty()) return;
    Learned learned;
    if (store.keeper) learned.hazard = store.keeper->hazard().save();
    learned.writes = store.writes;
    if (auto done = save_learned(store.options.policy_path, learned, store.now()); !done) {
        store.report("kv: " + done.error().detail);
    }
}

bool may_save(Store& store, double prefill_ms, bool at_shutdown) {
    const policy::WriteAsked asked{store.options.writes_per_day, prefill_ms, at_shutdown};
    if (policy::may_write(store.writes, asked, store.now())) return true;
    if (store.counted.writes_refused++ == 0) {
        store.report("kv: writes are held back: " + std::to_string(store.writes.bytes) +
                     " bytes were written today, kv.writes_per_day is " + std::to_string(store.options.writes_per_day));
    }
    return false;
}

std::uint64_t stage_session(Store& store, const Digest& name_space, std::string_view session) {
    const auto row = newest_of_session(store.index, name_space, session);
    if (!row || !*row) return 0;
    const BlobId id{BlobKind::manifest, (*row)->name};
    const auto file = read_blob(store.folder, id);
    if (!file) return 0;  // who uses it finds out
    const auto parsed = parse_manifest(*file);
    if (!parsed) return 0;
    std::uint64_t bytes = 0;
    const auto stage = [&](const BlobId& blob) {
        if (bytes < max_staged) bytes += sys::read_ahead(path_of(store.folder, blob));
    };
    for (const Digest& name : parsed->chunks) stage({BlobKind::chunk, name});
    for (const SnapshotRef& ref : parsed->manifest.snapshots) stage({BlobKind::snapshot, ref.name});
    return bytes;
}

}  // namespace lc::kv
