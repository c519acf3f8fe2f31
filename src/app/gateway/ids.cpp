#include "app/gateway/parts.hpp"
#include "base/uuid.hpp"
#include "shell/sys/os.hpp"

namespace lc::gateway {

std::string new_request_id() {
    std::array<std::uint8_t, 10> random{};
    // Without random bytes ids are still unique by time and count; the kernel's generator does not fail in practice.
    static std::uint64_t count = 0;
    if (!sys::random_bytes(random)) {
        ++count;
        for (std::size_t i = 0; i < 8; ++i) random[i] = static_cast<std::uint8_t>(count >> (8 * i));
    }
    return uuid_v7(sys::unix_ms(), random);
}

}  // namespace lc::gateway
