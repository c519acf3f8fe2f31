// Opening, and the inventory that eviction works on.
#include "shell/kv/store.hpp"

#include <algorithm>
#include <unordered_map>

#include "shell/kv/store_parts.hpp"
#include "shell/sys/os.hpp"

namespace lc::kv {

void StoreDeleter::operator()(Store* store) const {
    if (store->keeper) save_learned_now(*store);
    delete store;
}

std::int64_t Store::now() const {
    return options.now_ms ? options.now_ms() : static_cast<std::int64_t>(sys::unix_ms());
}

std::string short_name(const BlobId& id) {
    return std::string(name_of(id.kind)) + " " + hex(id.name).substr(0, 12);
}

Result<StorePtr> open_store(StoreOptions options) {
    StorePtr store(new Store{});
    store->options = std::move(options);
    StoreOptions& o = store->options;
    if (o.db_path.empty()) o.db_path = o.dir + "/kv.db";
    store->folder = {o.dir, o.files};
    const Folder& folder = store->folder;
    for (const std::string& dir :
         {o.dir, temporary_dir(folder), quarantine_dir(folder), kind_dir(folder, BlobKind::chunk),
          kind_dir(folder, BlobKind::snapshot), kind_dir(folder, BlobKind::manifest)}) {
        if (auto made = o.files.make_dir(dir); !made) return tl::unexpected(error_of(made.error()));
    }
    for (const std::string& dir : {o.dir, o.dir.substr(0, std::max<std::size_t>(o.dir.rfind('/'), 1))}) {
        if (auto synced = o.files.sync_dir(dir); !synced) return tl::unexpected(error_of(synced.error()));
    }
    auto opened = open_index(o.db_path);
    if (!opened) return tl::unexpected(opened.error());
    if (!opened->set_aside.empty())
        store->report("kv: the index was set aside as " + opened->set_aside + " and is rebuilt");
    store->index = std::move(opened->index);
    if (auto done = reconcile(*store); !done) return tl::unexpected(done.error());
    const auto bytes = total_bytes(store->index);
    if (!bytes) return tl::unexpected(bytes.error());
    store->bytes = *bytes;
    if (o.max_bytes == 0) {
        const auto space = o.files.space(o.dir);
        if (!space) return tl::unexpected(error_of(space.error()));
        o.max_bytes = default_budget(space->free + store->bytes);
    }
    if (auto done = open_keeper(*store); !done) return tl::unexpected(done.error());
    if (auto room = make_room(*store, 0); !room) return tl::unexpected(room.error());
    return store;
}

Result<Inventory> inventory(Store& store) {
    Inventory all;
    auto blobs = all_blobs(store.index);
    if (!blobs) return tl::unexpected(blobs.error());
    auto states = all_states(store.index);
    if (!states) return tl::unexpected(states.error());
    all.blobs = std::move(*blobs);
    all.states = std::move(*states);
    std::unordered_map<std::int64_t, std::uint32_t> at;
    for (std::uint32_t i = 0; i < all.blobs.size(); ++i) at.emplace(all.blobs[i].id, i);
    std::set<std::int64_t> kept;
    for (const auto& [id, save] : store.saves) kept.insert(save.blobs.begin(), save.blobs.end());
    for (const BlobRow& row : all.blobs) {
        EvictBlob& blob = all.evict_blobs.emplace_back();
        if (const auto parent = at.find(row.parent); parent != at.end()) blob.parent = parent->second;
        blob.bytes = row.bytes;
        blob.last_use = row.used;
        blob.pinned = kept.count(row.id) != 0;
    }
    for (const StateRow& row : all.states) {
        EvictState& state = all.evict_states.emplace_back();
        state.first_ref = static_cast<std::uint32_t>(all.refs.size());
        for (const std::int64_t ref : row.refs) {
            if (const auto blob = at.find(ref); blob != at.end()) all.refs.push_back(blob->second);
        }
        state.n_refs = static_cast<std::uint32_t>(all.refs.size()) - state.first_ref;
        state.bytes = row.bytes;
        state.last_use = row.used;
        state.pinned = store.pins.count(row.name) != 0;
    }
    return all;
}

Result<void> carry_out(Store& store, const Inventory& all, const EvictPlan& plan) {
    if (plan.steps.empty()) return {};
    auto done = transact(store.index, [&]() -> Result<void> {
        for (const auto& step : plan.steps) {
            auto gone = step.state ? remove_state(store.index, all.states[step.index].id)
                                   : remove_blob(store.index, all.blobs[step.index].id);
            if (!gone) return gone;
        }
        return {};
    });
    if (!done) return done;
    store.bytes -= std::min(store.bytes, plan.bytes);
    bool left = false;
    for (const auto& step : plan.steps) {
        const BlobId id =
            step.state ? BlobId{BlobKind::manifest, all.states[step.index].name} : all.blobs[step.index].blob;
        if (step.state) store.leaves.erase(id.name);
        left |= !store.folder.files.remove(path_of(store.folder, id));
    }
    if (left) store.report("kv: some files could not be removed; that is tried again at the next start");
    return {};
}

Result<void> make_room(Store& store, std::uint64_t wanted) {
    const std::uint64_t budget = store.options.max_bytes;
    if (store.bytes + wanted <= budget) return {};
    auto all = inventory(store);
    if (!all) return tl::unexpected(all.error());
    // A little more than needed, so that not every save has to look through everything.
    const std::uint64_t over = store.bytes + wanted - budget;
    rank_states(store, *all);
    const EvictPlan plan = store.options.evict(all->input(over + budget / 50));
    if (auto done = carry_out(store, *all, plan); !done) return done;
    store.counted.evicted_bytes += plan.bytes;
    store.counted.evicted_states += static_cast<std::uint64_t>(
        std::count_if(plan.steps.begin(), plan.steps.end(), [](const auto& step) { return step.state; }));
    if (plan.bytes >= over) return {};
    return fail(Errc::overloaded, "the KV store is full (" + std::to_string(budget) + " bytes) of states in use");
}

Result<void> drop_states(Store& store, std::span<const std::int64_t> ids) {
    if (ids.empty()) return {};
    auto all = inventory(store);
    if (!all) return tl::unexpected(all.error());
    // What remains of the plan of "evict these and nothing else": the states, then all that nothing needs any more.
    EvictPlan plan;
    for (std::uint32_t i = 0; i < all->states.size(); ++i) {
        if (std::find(ids.begin(), ids.end(), all->states[i].id) == ids.end()) continue;
        plan.steps.push_back({true, i});
        plan.bytes += all->states[i].bytes;
        all->evict_states[i].n_refs = 0;
    }
    const EvictPlan blobs = evict_unneeded(all->input(0));
    plan.steps.insert(plan.steps.end(), blobs.steps.begin(), blobs.steps.end());
    plan.bytes += blobs.bytes;
    return carry_out(store, *all, plan);
}

Result<void> write_with_room(Store& store, std::uint64_t bytes, const std::function<FileResult<void>()>& write) {
    if (auto room = make_room(store, bytes); !room) return room;
    auto done = write();
    if (done) return {};
    if (error_of(done.error()).code == Errc::overloaded) {
        // The disk is smaller than the budget: others fill it too.
        auto all = inventory(store);
        if (!all) return tl::unexpected(all.error());
        rank_states(store, *all);
        const EvictPlan plan = store.options.evict(all->input(bytes + bytes / 4));
        if (plan.bytes >= bytes) {
            if (auto gone = carry_out(store, *all, plan); !gone) return gone;
            store.counted.evicted_bytes += plan.bytes;
            done = write();
        }
    }
    if (done) return {};
    return tl::unexpected(error_of(done.error()));
}

}  // namespace lc::kv
