// A stock llama-server restores and saves whole slot files, and only between two requests: hence one lock an engine,
// held from a restore until the request has begun.
#include "app/states/loop.hpp"

namespace lc::states {

awaitable<void> restore_stock(StatesPtr, Seat&, Digest, std::uint32_t) { co_return; }
awaitable<bool> save_stock(StatesPtr, EnginePtr, std::size_t, Held) { co_return false; }

}  // namespace lc::states
