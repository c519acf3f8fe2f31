#include "core/kv/checksum.hpp"

// The header alone: no library to find at run time.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lc::kv {

std::uint64_t checksum(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

struct RunningChecksum::State {
    XXH3_state_t xxh;
};

RunningChecksum::RunningChecksum() : state_(std::make_unique<State>()) {
    XXH3_64bits_reset(&state_->xxh);
}

RunningChecksum::~RunningChecksum() = default;

void RunningChecksum::update(std::string_view bytes) {
    XXH3_64bits_update(&state_->xxh, bytes.data(), bytes.size());
}

std::uint64_t RunningChecksum::value() const {
    return XXH3_64bits_digest(&state_->xxh);
}

}  // namespace lc::kv
