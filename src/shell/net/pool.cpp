#include "shell/net/pool.hpp"

#include <algorithm>

namespace lc::net {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto busy_tick = 100ms, idle_tick = 1000ms;
constexpr auto surely_alive = 50ms;  // used so shortly ago, a connection is not looked at: the second try covers the rest

void check_call(Call& call, TimePoint now) {
    if (now < call.deadline || call.cancelled || call.timed_out) return;
    // While a request is still being taken, the answer's time has not begun.
    if (call.stage == Stage::head && call.link && call.link->sending &&
        now < call.link->write_progress + call.timeouts.first_byte) {
        return;
    }
    call.timed_out = true;
    interrupt(call);
}

void check_idle(PoolState& pool, TimePoint now) {
    for (auto entry = pool.idle.begin(); entry != pool.idle.end();) {
        std::erase_if(entry->second, [&](const LinkPtr& link) {
            return now - link->idle_since > pool.max_idle_time || !quiet(link->stream);
        });
        entry = entry->second.empty() ? pool.idle.erase(entry) : std::next(entry);
    }
}

}  // namespace

void start_tick(const PoolStatePtr& pool) {
    if (pool->closed || (pool->calls.empty() && pool->idle.empty())) return;
    const bool slow = pool->calls.empty();
    if (pool->ticking) {
        if (pool->slow && !slow) {
            pool->slow = false;
            pool->tick.cancel();  // comes back at once, and goes on at the other pace
        }
        return;
    }
    pool->ticking = true;
    pool->slow = slow;
    pool->tick.expires_after(slow ? idle_tick : busy_tick);
    pool->tick.async_wait([pool](const error_code& ec) {
        pool->ticking = false;
        if (ec && pool->closed) return;
        const TimePoint now = Clock::now();
        for (Call* call : pool->calls) check_call(*call, now);  // interrupts only: the list stays as it is
        check_idle(*pool, now);
        start_tick(pool);
    });
}

std::string key_of(const Target& target) {
    std::string key = to_text(target);
    if (target.tls) key += ' ' + target.ca_file;
    return key;
}

LinkPtr take_idle(PoolState& pool, const std::string& key) {
    const auto found = pool.idle.find(key);
    if (found == pool.idle.end()) return nullptr;
    auto& links = found->second;
    while (!links.empty()) {
        LinkPtr link = std::move(links.back());
        links.pop_back();
        if (Clock::now() - link->idle_since < surely_alive || quiet(link->stream)) return link;
    }
    return nullptr;
}

void put_idle(const PoolStatePtr& pool, const std::string& key, LinkPtr link) {
    if (pool->closed || pool->max_idle == 0) return;
    link->idle_since = Clock::now();
    link->read_size = 4 << 10;
    shrink(link->in, link->read_size);
    auto& links = pool->idle[key];
    if (links.size() >= pool->max_idle) links.erase(links.begin());
    links.push_back(std::move(link));
    start_tick(pool);
}

Result<std::shared_ptr<asio::ssl::context>> context_of(PoolState& pool, const std::string& ca_file) {
    const auto found = pool.contexts.find(ca_file);
    if (found != pool.contexts.end()) return found->second;
    auto context = client_context(ca_file);
    if (context) pool.contexts.emplace(ca_file, *context);
    return context;
}

PoolPtr make_pool(asio::any_io_executor executor, std::size_t max_idle_per_target, std::chrono::seconds max_idle_time) {
    return PoolPtr(new Pool{std::make_shared<PoolState>(std::move(executor), max_idle_per_target, max_idle_time)});
}

void PoolDeleter::operator()(Pool* pool) const {
    pool->state->closed = true;
    pool->state->idle.clear();
    pool->state->tick.cancel();
    delete pool;
}

}  // namespace lc::net
