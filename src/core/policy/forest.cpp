#include "core/policy/forest.hpp"

#include <algorithm>

namespace lc::policy {

namespace {

std::size_t slot_of(std::uint64_t name, std::size_t size) {
    return static_cast<std::size_t>((name * 0x9e37'79b9'7f4a'7c15) >> 20) & (size - 1);
}

}  // namespace

std::uint32_t Forest::find(std::uint64_t name) const {
    if (table_.empty()) return none;
    for (std::size_t i = slot_of(name, table_.size());; i = (i + 1) & (table_.size() - 1)) {
        if (table_[i] == none || nodes_[table_[i]].name == name) return table_[i];
    }
}

void Forest::grow_table() {
    if (used_nodes_ * 3 < table_.size() * 2) return;
    std::vector<std::uint32_t> old(std::max<std::size_t>(64, table_.size() * 2), none);
    old.swap(table_);
    for (const auto id : old) {
        if (id == none) continue;
        std::size_t i = slot_of(nodes_[id].name, table_.size());
        while (table_[i] != none) i = (i + 1) & (table_.size() - 1);
        table_[i] = id;
    }
}

void Forest::erase_name(std::uint64_t name) {
    const std::size_t mask = table_.size() - 1;
    std::size_t i = slot_of(name, table_.size());
    while (table_[i] != none && nodes_[table_[i]].name != name) i = (i + 1) & mask;
    if (table_[i] == none) return;
    // What stood behind it because of it moves up.
    for (std::size_t j = (i + 1) & mask; table_[j] != none; j = (j + 1) & mask) {
        const std::size_t home = slot_of(nodes_[table_[j]].name, table_.size());
        if (((j - home) & mask) < ((j - i) & mask)) continue;
        table_[i] = table_[j];
        i = j;
    }
    table_[i] = none;
}

std::uint32_t Forest::add_node(const Chunk& chunk, std::uint32_t parent) {
    grow_table();
    std::uint32_t id = none;
    if (free_nodes_.empty()) {
        id = static_cast<std::uint32_t>(nodes_.size());
        nodes_.emplace_back();
    } else {
        id = free_nodes_.back();
        free_nodes_.pop_back();
    }
    nodes_[id] = Node{chunk.name, parent, none, chunk.bytes, chunk.ms};
    if (parent != none) {
        ++nodes_[parent].children;
        if (nodes_[parent].forks < 0xffff) ++nodes_[parent].forks;
    }
    std::size_t i = slot_of(chunk.name, table_.size());
    while (table_[i] != none) i = (i + 1) & (table_.size() - 1);
    table_[i] = id;
    ++used_nodes_;
    return id;
}

std::uint32_t Forest::add_segment() {
    std::uint32_t id = none;
    if (free_segments_.empty()) {
        id = static_cast<std::uint32_t>(segments_.size());
        segments_.emplace_back();
    } else {
        id = free_segments_.back();
        free_segments_.pop_back();
    }
    segments_[id] = Segment{};
    segments_[id].serial = ++serial_;
    return id;
}

void Forest::drop_segment(std::uint32_t id) {
    segments_[id].length = 0;
    segments_[id].serial = ++serial_;
    free_segments_.push_back(id);
}

void Forest::score(std::uint32_t id) {
    segments_[id].index = hazard.index(segments_[id].features, segments_[id].bin);
}

void Forest::begin_age(std::uint32_t id, std::int64_t now_ms) {
    Segment& s = segments_[id];
    s.since = now_ms;
    s.bin = 0;
    s.serial = ++serial_;
    s.features = features_of(s.facts);
    score(id);
    aging_[0].push_back({id, s.serial, now_ms});
}

void Forest::advance(std::int64_t now_ms) {
    for (std::size_t b = 0; b + 1 < age_bins; ++b) {
        auto& queue = aging_[b];
        while (!queue.empty()) {
            const Aging a = queue.front();
            Segment& s = segments_[a.segment];
            if (s.length == 0 || s.serial != a.serial) {
                queue.pop_front();
                continue;
            }
            if (now_ms - a.since < bin_begin(b + 1)) break;
            queue.pop_front();
            if (learning) hazard.learn(s.features, b, false, s.weight);
            s.bin = static_cast<std::uint8_t>(b + 1);
            score(a.segment);
            if (rescored) rescored(a.segment);
            aging_[b + 1].push_back(a);
        }
    }
}

void Forest::touch(std::span<const Chunk> path, const Touch& touch, Change& change) {
    change.old.clear();
    change.fresh.clear();
    if (path.empty()) return;
    advance(touch.now_ms);
    if (used_nodes_ + path.size() > most_nodes_) forget_some();
    const std::int64_t now = touch.now_ms;

    // The part that is known, and the segments it runs through.
    walk_.clear();
    for (const Chunk& chunk : path) {
        const auto id = find(chunk.name);
        if (id == none || nodes_[id].parent != (walk_.empty() ? none : walk_.back())) break;
        walk_.push_back(id);
    }
    const std::size_t known = walk_.size();
    struct Past {
        std::int64_t first, touched;
        std::uint64_t order;
        std::uint32_t turn;
        bool leaf;
    };
    std::vector<Past> past;  // of each segment of `change.old`
    for (std::size_t i = 0; i < known; ++i) {
        const auto id = nodes_[walk_[i]].segment;
        if (change.old.empty() || change.old.back().segment != id) {
            const Segment& s = segments_[id];
            change.old.push_back({id, 0, s.length});
            past.push_back({s.first, s.touched, s.order, s.facts.turn, s.facts.leaf});
        }
        ++change.old.back().touched;
    }
    std::uint32_t turn = 0;
    std::int64_t gap = -1;
    for (std::size_t o = 0; o < change.old.size(); ++o) {
        const auto& old = change.old[o];
        Segment& s = segments_[old.segment];
        const float part = static_cast<float>(old.touched) / static_cast<float>(old.length);
        if (learning)
            hazard.learn(s.features, std::min<std::size_t>(bin_of(now - s.since), age_bins - 1), true, s.weight * part);
        // The session's own end, or that of a request it continues.
        if (past[o].leaf || o + 1 == change.old.size()) {
            turn = past[o].leaf ? past[o].turn + 1 : 0;
            gap = past[o].leaf ? now - past[o].touched : -1;
        }
        if (old.touched == old.length) continue;
        // What remains below was passed by: it begins a new life.
        s.length -= old.touched;
        s.weight *= 1 - part;
    }
    for (std::size_t i = known; i < path.size(); ++i)
        walk_.push_back(add_node(path[i], walk_.empty() ? none : walk_.back()));

    // New segments: cut at forks, between what is new and what was known, and before a last chunk that is not full.
    std::vector<std::size_t> ends;
    for (std::size_t i = 0; i < walk_.size(); ++i) {
        const bool last = i + 1 == walk_.size();
        if (last || i + 1 == known || nodes_[walk_[i]].forks > 1 || (i + 2 == walk_.size() && touch.partial_tail)) {
            ends.push_back(i);
        }
    }
    std::size_t at_old = 0, begin = 0, old_begin = 0;
    for (const std::size_t end : ends) {
        const auto id = add_segment();
        change.fresh.push_back(id);
        Segment& s = segments_[id];
        s.bottom = walk_[end];
        s.length = static_cast<std::uint32_t>(end - begin + 1);
        s.above = begin == 0 ? none : walk_[begin - 1];
        s.touched = s.first = now;
        Facts& facts = s.facts;
        facts.kind = touch.kind;
        facts.finish = touch.finish;
        facts.has_parent = touch.has_parent;
        facts.has_session = touch.session != 0;
        facts.leaf = end + 1 == walk_.size() || (end + 2 == walk_.size() && touch.partial_tail) ||
                     (known > 0 && end + 1 == known && nodes_[walk_[end]].forks <= 1);
        facts.is_new = begin >= known;
        facts.partial = end + 1 == walk_.size() && touch.partial_tail;
        facts.turn = turn;
        facts.grown = static_cast<std::uint32_t>(walk_.size() - known);
        facts.path = static_cast<std::uint32_t>(walk_.size());
        facts.output = touch.output;
        facts.gap = gap;
        if (begin < known) {
            // Its past is that of the deepest of the old ones in it: the least often touched.
            while (at_old + 1 < change.old.size() && old_begin + change.old[at_old].touched <= end) {
                old_begin += change.old[at_old].touched;
                ++at_old;
            }
            s.first = past[at_old].first;
            s.before = past[at_old].order;
            facts.own_gap = now - past[at_old].touched;
        }
        double bytes = 0, ms = 0;
        for (std::size_t i = begin; i <= end; ++i) {
            Node& n = nodes_[walk_[i]];
            n.segment = id;
            if (n.touches < 0xffff) ++n.touches;
            bytes += n.bytes;
            ms += static_cast<double>(n.ms);
        }
        s.worth = bytes > 0 ? static_cast<float>(ms / bytes) : 0;
        facts.touches = nodes_[s.bottom].touches;
        facts.forks = nodes_[s.bottom].forks;
        if (facts.touches > 1) facts.interval = (now - s.first) / (facts.touches - 1);
        begin = end + 1;
    }
    order_ += ends.size();
    for (std::size_t i = 0; i < change.fresh.size(); ++i) {
        segments_[change.fresh[i]].order = order_ - i;
        begin_age(change.fresh[i], now);
    }
    // The rest of an old segment hangs below the last of its nodes that was touched.
    std::size_t passed = 0;
    for (const auto& old : change.old) {
        passed += old.touched;
        if (old.touched == old.length) {
            drop_segment(old.segment);
            continue;
        }
        Segment& rest = segments_[old.segment];
        rest.above = walk_[passed - 1];
        rest.facts.bypassed = true;
        begin_age(old.segment, now);
        if (rescored) rescored(old.segment);
    }
}

void Forest::forget_some() {
    // A sixteenth goes at once, so that looking through all of them is rare.
    std::vector<std::pair<std::uint64_t, std::uint32_t>> leaves;
    for (std::uint32_t i = 0; i < segments_.size(); ++i) {
        const Segment& s = segments_[i];
        if (s.length == 0 || nodes_[s.bottom].children > 0 || (kept && kept(i))) continue;
        leaves.push_back({s.order, i});
    }
    std::sort(leaves.begin(), leaves.end());
    const std::size_t wanted = used_nodes_ - std::min(used_nodes_, most_nodes_ - most_nodes_ / 16);
    std::size_t gone = 0;
    for (const auto& [order, id] : leaves) {
        if (gone >= wanted) break;
        if (forgotten) forgotten(id);
        const Segment s = segments_[id];
        auto at = s.bottom;
        for (std::uint32_t i = 0; i < s.length; ++i) {
            const auto parent = nodes_[at].parent;
            erase_name(nodes_[at].name);
            nodes_[at].segment = none;
            free_nodes_.push_back(at);
            --used_nodes_;
            at = parent;
        }
        if (at != none) --nodes_[at].children;
        gone += s.length;
        drop_segment(id);
    }
}

std::uint64_t Forest::bytes_of_memory() const {
    std::uint64_t out = nodes_.capacity() * sizeof(Node) + segments_.capacity() * sizeof(Segment);
    out += (free_nodes_.capacity() + free_segments_.capacity() + table_.capacity()) * sizeof(std::uint32_t);
    for (const auto& queue : aging_) out += queue.size() * sizeof(Aging);
    return out + 2 * (1u << 15) * sizeof(float);
}

}  // namespace lc::policy
