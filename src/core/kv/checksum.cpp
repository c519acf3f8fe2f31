#include "core/kv/checksum.hpp"

// The header alone: no library to find at run time.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lc::kv {

std::uint64_t checksum(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace lc::kv
