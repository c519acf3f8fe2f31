#include "core/policy/simulate.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace lc::policy {

namespace {

bool wants(const std::vector<std::string>& wanted, std::string_view name) {
    return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
}

/// Tokens of a request's first `n` blocks.
std::uint64_t tokens_of(const Trace& trace, const TraceRequest& r, std::uint64_t n) {
    return n >= r.n_blocks && r.input > 0 ? r.input : n * trace.block_tokens;
}

/// The best possible: of what is there and what comes, what is wanted again soonest.
bool bound(const Trace& trace, Row& row, std::uint32_t bytes_per_block, const std::function<bool(double)>& progress) {
    const auto n = trace.requests.size();
    constexpr auto never = std::uint32_t{0xffff'ffff};
    std::unordered_map<std::uint64_t, std::uint32_t> ids;
    std::vector<std::uint32_t> block_ids(trace.blocks.size()), next(trace.blocks.size(), never);
    for (std::size_t i = 0; i < trace.blocks.size(); ++i) {
        block_ids[i] = ids.emplace(trace.blocks[i], static_cast<std::uint32_t>(ids.size())).first->second;
    }
    std::vector<std::uint32_t> later(ids.size(), never);
    for (std::size_t r = n; r-- > 0;) {
        const auto& request = trace.requests[r];
        for (std::uint64_t i = request.first_block; i < request.first_block + request.n_blocks; ++i) {
            next[i] = later[block_ids[i]];
            later[block_ids[i]] = static_cast<std::uint32_t>(r);
        }
    }
    struct Kept {
        std::uint32_t next, depth, id;
        bool operator<(const Kept& o) const {
            if (next != o.next) return next > o.next;
            return depth != o.depth ? depth > o.depth : id < o.id;
        }
    };
    std::set<Kept> kept;  // the first goes first
    std::vector<std::pair<std::uint32_t, std::uint32_t>> now(ids.size(),
                                                             {never, never});  // next and depth; never: not kept
    std::vector<std::uint32_t> came;
    for (std::size_t r = 0; r < n; ++r) {
        if (progress && r % 256 == 0 && !progress(static_cast<double>(r) / static_cast<double>(n))) return false;
        const auto& request = trace.requests[r];
        std::uint32_t hits = 0;
        while (hits < request.n_blocks && now[block_ids[request.first_block + hits]].second != never) ++hits;
        row.hit_blocks += hits;
        row.prefill_tokens_saved += tokens_of(trace, request, hits);
        came.clear();
        for (std::uint32_t d = 0; d < request.n_blocks; ++d) {
            const auto at = request.first_block + d;
            const auto id = block_ids[at];
            if (now[id].second != never) kept.erase({now[id].first, now[id].second, id});
            if (now[id].second == never) came.push_back(id);
            now[id] = {next[at], d};
            kept.insert({next[at], d, id});
        }
        while (kept.size() > row.capacity_blocks) {
            now[kept.begin()->id].second = never;
            kept.erase(kept.begin());
        }
        for (const auto id : came) row.bytes_written += now[id].second != never ? bytes_per_block : 0;
    }
    return true;
}

struct Runner {
    Row row;
    Cache cache;
    bool shown;
};

}  // namespace

const std::vector<std::string>& policy_names() {
    static const std::vector<std::string> names = {"lru", "lru2", "hazard", "adaptive", "bound"};
    return names;
}

std::uint64_t unique_blocks(const Trace& trace) {
    return std::unordered_set<std::uint64_t>(trace.blocks.begin(), trace.blocks.end()).size();
}

std::vector<Row> simulate(const Trace& trace, std::uint64_t capacity_blocks, const std::vector<std::string>& wanted,
                          std::uint32_t bytes_per_token, const std::function<bool(double)>& progress) {
    const std::uint32_t block_bytes = trace.block_tokens * bytes_per_token;
    const std::uint64_t capacity = capacity_blocks * block_bytes;
    const bool adaptive = wants(wanted, "adaptive");
    Forest forest;
    std::vector<Runner> runners;
    for (const Order order : {Order::lru, Order::lru2, Order::hazard}) {
        const std::string name(name_of(order));
        if (!adaptive && !wants(wanted, name)) continue;
        runners.push_back({{name}, Cache(forest, order, capacity), wants(wanted, name)});
    }
    Chooser chooser;
    if (adaptive) runners.push_back({{"adaptive"}, Cache(forest, chooser.now(), capacity), true});
    forest.kept = [&](std::uint32_t s) {
        return std::any_of(runners.begin(), runners.end(), [s](const Runner& r) { return r.cache.keeps(s); });
    };
    forest.rescored = [&](std::uint32_t s) {
        for (auto& r : runners) r.cache.rescored(s);
    };
    std::vector<Chunk> path;
    Change change;
    const std::size_t n = runners.empty() ? 0 : trace.requests.size();
    const double stages = wants(wanted, "bound") ? 2 : 1;
    for (std::size_t i = 0; i < n; ++i) {
        if (progress && i % 256 == 0 && !progress(static_cast<double>(i) / static_cast<double>(n) / stages)) return {};
        const TraceRequest& request = trace.requests[i];
        path.clear();
        const float ms = request.prefill_ms_per_block > 0 ? request.prefill_ms_per_block : 1;
        for (const auto name : trace.path(request)) path.push_back({name, block_bytes, ms});
        Touch touch;
        touch.now_ms = request.at_ms;
        touch.session = request.session;
        touch.has_parent = request.parent != 0;
        touch.kind = request.kind;
        touch.finish = request.finish;
        touch.output = request.output;
        touch.partial_tail = request.input % trace.block_tokens != 0 && request.n_blocks > 1;
        forest.touch(path, touch, change);
        double saved[3] = {0, 0, 0}, share = 0;
        for (std::size_t k = 0; k < runners.size(); ++k) {
            Runner& r = runners[k];
            const Hit hit = r.cache.follow(path, change);
            r.row.hit_blocks += hit.chunks;
            r.row.prefill_tokens_saved += tokens_of(trace, request, hit.chunks);
            r.row.bytes_written += hit.written;
            if (k < 3) saved[k] = hit.ms;
            if (k == 0 && capacity > 0) {
                share = static_cast<double>((path.size() - hit.chunks) * block_bytes) / static_cast<double>(capacity);
            }
        }
        if (adaptive && chooser.see(saved, share)) {
            runners.back().cache.reorder(chooser.now());
            ++runners.back().row.changes;
        }
    }
    std::vector<Row> rows;
    for (auto& r : runners) {
        if (r.row.name == "adaptive") r.row.followed = name_of(chooser.now());
        if (r.shown) rows.push_back(std::move(r.row));
    }
    if (wants(wanted, "bound")) {
        Row row{"bound", capacity_blocks};
        const auto part = [&](double done) { return progress((stages - 1 + done) / stages); };
        if (!bound(trace, row, block_bytes, progress ? std::function<bool(double)>(part) : nullptr)) return {};
        rows.push_back(std::move(row));
    }
    for (Row& row : rows) {
        row.capacity_blocks = capacity_blocks;
        row.blocks = trace.blocks.size();
    }
    return rows;
}

}  // namespace lc::policy
