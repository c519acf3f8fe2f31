#include "core/policy/cache.hpp"

#include <algorithm>
#include <cmath>

namespace lc::policy {

std::string_view name_of(Order order) {
    switch (order) {
        case Order::lru: return "lru";
        case Order::lru2: return "lru2";
        case Order::hazard: return "hazard";
    }
    return "";
}

std::optional<Order> order_named(std::string_view name) {
    for (const Order order : {Order::lru, Order::lru2, Order::hazard}) {
        if (name == name_of(order)) return order;
    }
    return std::nullopt;
}

double key_of(Order order, const Segment& s) {
    switch (order) {
        case Order::lru: return static_cast<double>(s.order);
        case Order::lru2: return s.before > 0 ? 0x1p52 + static_cast<double>(s.before) : static_cast<double>(s.order);
        case Order::hazard: return static_cast<double>(s.index) * static_cast<double>(s.worth);
    }
    return 0;
}

void Cache::place(std::size_t at, const Entry& entry) {
    heap_[at] = entry;
    parts_[entry.segment].heap = static_cast<std::uint32_t>(at);
}

void Cache::up(std::size_t at) {
    const Entry entry = heap_[at];
    for (; at > 0 && lower(entry, heap_[(at - 1) / 4]); at = (at - 1) / 4) place(at, heap_[(at - 1) / 4]);
    place(at, entry);
}

void Cache::down(std::size_t at) {
    const Entry entry = heap_[at];
    while (true) {
        const std::size_t first = at * 4 + 1;
        if (first >= heap_.size()) break;
        std::size_t least = first;
        for (std::size_t i = first + 1; i < std::min(first + 4, heap_.size()); ++i) {
            if (lower(heap_[i], heap_[least])) least = i;
        }
        if (!lower(heap_[least], entry)) break;
        place(at, heap_[least]);
        at = least;
    }
    place(at, entry);
}

void Cache::take(std::uint32_t segment) {
    const auto at = parts_[segment].heap;
    if (at == none) return;
    parts_[segment].heap = none;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    place(at, last);
    up(at);
    down(parts_[last.segment].heap);
}

void Cache::put(std::uint32_t segment) {
    const Part& part = parts_[segment];
    const Segment& s = forest_->segment(segment);
    // Only what nothing hangs on may go.
    if (part.resident == 0 || (part.resident == s.length && part.below > 0)) return take(segment);
    const Entry entry{key_of(order_, s), s.order, segment};
    if (part.heap == none) {
        heap_.push_back(entry);
        place(heap_.size() - 1, entry);
        return up(heap_.size() - 1);
    }
    place(part.heap, entry);
    up(part.heap);
    down(part.heap);
}

void Cache::rescored(std::uint32_t segment) {
    if (order_ == Order::hazard && segment < parts_.size() && parts_[segment].heap != none) put(segment);
}

void Cache::reorder(Order order) {
    if (order == order_) return;
    order_ = order;
    std::vector<std::uint32_t> all;
    all.reserve(heap_.size());
    for (const Entry& entry : heap_) all.push_back(entry.segment);
    heap_.clear();
    for (const auto segment : all) parts_[segment].heap = none;
    for (const auto segment : all) put(segment);
}

void Cache::evict() {
    while (bytes_ > capacity_ && !heap_.empty()) {
        const auto segment = heap_.front().segment;
        Part& part = parts_[segment];
        while (bytes_ > capacity_ && part.resident > 0) {
            const Node& node = forest_->node(part.edge);
            bytes_ -= node.bytes;
            part.edge = node.parent;
            --part.resident;
        }
        if (part.resident > 0) return;
        part.edge = none;
        take(segment);
        const auto above = forest_->segment(segment).above;
        if (above == none) continue;
        const auto parent = forest_->node(above).segment;
        --parts_[parent].below;
        put(parent);
    }
}

Hit Cache::follow(std::span<const Chunk> path, const Change& change) {
    if (parts_.size() < forest_->segment_slots()) parts_.resize(forest_->segment_slots());
    Hit hit;
    for (const auto& old : change.old) {
        hit.chunks += std::min(parts_[old.segment].resident, old.touched);
        if (parts_[old.segment].resident < old.touched) break;
    }
    for (std::uint32_t i = 0; i < hit.chunks; ++i) {
        hit.bytes += path[i].bytes;
        hit.ms += static_cast<double>(path[i].ms);
    }

    // What hangs below each fresh segment besides the next one of this path.
    std::size_t at = 0;
    std::uint32_t end = 0, old_end = 0;
    for (const auto id : change.fresh) {
        const Segment& s = forest_->segment(id);
        end += s.length;
        Part& part = parts_[id];
        part = Part{s.length, s.bottom, 0, none};
        while (at < change.old.size() && old_end + change.old[at].touched <= end) {
            old_end += change.old[at].touched;
            const auto& old = change.old[at++];
            Part& was = parts_[old.segment];
            if (old.touched < old.length) {
                // Its rest stays, below.
                if (old_end == end && was.resident > old.touched) part.below = 1;
                continue;
            }
            if (old_end != end) continue;
            part.below = was.below;
            if (at < change.old.size() && parts_[change.old[at].segment].resident > 0) --part.below;
        }
        if (id != change.fresh.back()) ++part.below;
    }
    for (const auto& old : change.old) {
        Part& was = parts_[old.segment];
        if (old.touched == old.length) {
            take(old.segment);
            was = Part{};
            continue;
        }
        was.resident = was.resident > old.touched ? was.resident - old.touched : 0;
        if (was.resident == 0) was.edge = none;
        put(old.segment);
    }
    for (std::size_t i = hit.chunks; i < path.size(); ++i) bytes_ += path[i].bytes;
    for (const auto id : change.fresh) put(id);
    evict();
    std::uint32_t stayed = 0;
    for (const auto id : change.fresh) {
        stayed += parts_[id].resident;
        if (parts_[id].resident < forest_->segment(id).length) break;
    }
    for (std::uint32_t i = hit.chunks; i < stayed; ++i) hit.written += path[i].bytes;
    return hit;
}

std::uint64_t Cache::bytes_of_memory() const {
    return parts_.capacity() * sizeof(Part) + heap_.capacity() * sizeof(Entry);
}

bool Chooser::see(const double (&saved_ms)[3], double share) {
    // Remembered for eight times as long as it takes to fill the cache once, at least for two thousand requests.
    const double keep = 1 - std::min(std::min(share, 1.0) / 8, 1.0 / 2000);
    for (std::size_t i = 0; i < 3; ++i) {
        saved_[i] = saved_[i] * keep + saved_ms[i];
        for (std::size_t j = 0; j < 3; ++j) {
            const double apart = saved_ms[i] - saved_ms[j];
            spread_[i][j] = spread_[i][j] * keep + apart * apart;
        }
    }
    std::size_t best = 0;
    for (std::size_t i = 1; i < 3; ++i) {
        if (saved_[i] > saved_[best]) best = i;
    }
    // Changing costs what was kept for other reasons: only for a gain that is clear, and no accident.
    const auto now = static_cast<std::size_t>(now_);
    const double gain = saved_[best] - saved_[now];
    if (gain <= saved_[now] * 0.02 || gain <= 3 * std::sqrt(spread_[best][now])) return false;
    now_ = static_cast<Order>(best);
    return true;
}

}  // namespace lc::policy
