#include "core/stream/hold.hpp"

namespace lc::stream {

Beat due(const Sent& sent, Time now, const Rules& rules) {
    if (!sent.committed) return now - sent.began >= rules.header_hold ? Beat::commit : Beat::nothing;
    if (now - sent.last_heartbeat >= rules.heartbeat) return Beat::heartbeat;
    if (now - sent.last >= rules.ping) return Beat::ping;
    return Beat::nothing;
}

}  // namespace lc::stream
