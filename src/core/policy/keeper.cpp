#include "core/policy/keeper.hpp"

#include <algorithm>
#include <cstdio>

namespace lc::policy {

namespace {

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::array<Order, 3> orders = {Order::lru, Order::lru2, Order::hazard};

std::int64_t day_of(std::int64_t ms) {
    return (ms >= 0 ? ms : ms - day_ms + 1) / day_ms;
}

}  // namespace

Keeper::Keeper(std::optional<Order> fixed, std::uint64_t capacity)
    : fixed_(fixed),
      shadows_{Cache(forest_, orders[0], capacity), Cache(forest_, orders[1], capacity),
               Cache(forest_, orders[2], capacity)} {
    forest_.kept = [this](std::uint32_t s) {
        return std::any_of(shadows_.begin(), shadows_.end(), [s](const Cache& c) { return c.keeps(s); });
    };
    forest_.rescored = [this](std::uint32_t s) { shadows_[2].rescored(s); };
}

void Keeper::follow(std::span<const Chunk> path, const Touch& touch, double (&saved)[3], double& share) {
    forest_.touch(path, touch, change_);
    std::uint64_t all = 0;
    for (const Chunk& chunk : path) all += chunk.bytes;
    for (std::size_t i = 0; i < shadows_.size(); ++i) {
        const Hit hit = shadows_[i].follow(path, change_);
        saved[i] = hit.ms;
        if (i == 0 && shadows_[0].capacity() > 0) {
            share = static_cast<double>(all - hit.bytes) / static_cast<double>(shadows_[0].capacity());
        }
    }
}

std::optional<Order> Keeper::note(std::span<const Chunk> path, const Touch& touch) {
    if (path.empty()) return std::nullopt;
    double saved[3] = {0, 0, 0}, share = 0;
    follow(path, touch, saved, share);
    if (!chooser_.see(saved, share) || fixed_) return std::nullopt;
    return chooser_.now();
}

void Keeper::recall(std::span<const Chunk> path, const Touch& touch) {
    if (path.empty()) return;
    double saved[3] = {0, 0, 0}, share = 0;
    forest_.learning = false;
    follow(path, touch, saved, share);
    forest_.learning = true;
}

void Keeper::resize(std::uint64_t capacity) {
    for (Cache& shadow : shadows_) shadow.resize(capacity);
}

std::optional<double> Keeper::worth(std::uint64_t chunk) const {
    const auto id = forest_.find(chunk);
    if (id == none) return std::nullopt;
    return key_of(in_force(), forest_.segment(forest_.node(id).segment));
}

std::string Keeper::why() const {
    if (fixed_) return std::string(name_of(*fixed_)) + ": configured";
    std::array<Order, 3> sorted = orders;
    std::stable_sort(sorted.begin(), sorted.end(), [this](Order a, Order b) {
        if ((a == in_force()) != (b == in_force())) return a == in_force();
        return saved_ms(a) > saved_ms(b);
    });
    std::string out;
    for (const Order order : sorted) {
        char number[48];
        std::snprintf(number, sizeof number, "%.1f s", saved_ms(order) / 1000);
        out += out.empty() ? std::string(name_of(order)) + ": would have saved " + number + " of prefill lately"
                           : ", " + std::string(name_of(order)) + " " + number;
    }
    return out;
}

std::uint64_t Keeper::bytes_of_memory() const {
    std::uint64_t out = forest_.bytes_of_memory();
    for (const Cache& shadow : shadows_) out += shadow.bytes_of_memory();
    return out;
}

bool may_write(const Writes& writes, const WriteAsked& asked, std::int64_t now_ms) {
    if (asked.limit == 0) return true;
    const std::uint64_t today = writes.day == day_of(now_ms) ? writes.bytes : 0;
    if (today >= asked.limit) return false;
    if (asked.at_shutdown || asked.prefill_ms > 2000) return true;
    const double passed = static_cast<double>(now_ms - day_of(now_ms) * day_ms) / static_cast<double>(day_ms);
    return static_cast<double>(today) <= static_cast<double>(asked.limit) * std::min(1.0, passed + 0.25);
}

Writes add_writes(Writes writes, std::uint64_t bytes, std::int64_t now_ms) {
    if (writes.day != day_of(now_ms)) writes = {day_of(now_ms), 0};
    writes.bytes += bytes;
    return writes;
}

}  // namespace lc::policy
