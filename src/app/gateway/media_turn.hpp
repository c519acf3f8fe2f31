// Images and sound on their way to a local engine. Internal to app/gateway.
#pragma once

#include "app/gateway/parts.hpp"

namespace lc::gateway {

/// Looks at all images and sounds of a request before an engine does: nothing but their bytes goes there, never an address
/// that it would fetch, and only what its decoder takes. WebP becomes PNG. The body and the view of the turn may change.
awaitable<Result<void>> begin_media(Gateway& gateway, Turn& turn);

/// The same for a body that goes to an engine unchanged: what would have to be changed is refused.
awaitable<Result<void>> check_media(Gateway& gateway, const net::Request& request);

}  // namespace lc::gateway
