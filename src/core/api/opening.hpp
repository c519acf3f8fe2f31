// The events that a stream of messages or responses must begin with. llama.cpp leaves them out when the first token
// yields no text of its own, and of responses it then repeats them with every chunk.
#pragma once

#include <cstdint>
#include <string>

#include "core/api/endpoint.hpp"
#include "core/sse/sse.hpp"

namespace lc::api {

/// A stream of which the beginning is watched. A value. Dialects without such events are never touched.
struct Opening {
    Dialect dialect = Dialect::chat;
    std::string id;            ///< of the answer, should the stream not say its own
    std::string model;
    std::int64_t created = 0;  ///< unix seconds
    bool open = false;         ///< the opening events were seen, or supplied
};

struct Opened {
    std::string before;   ///< frames that are missing in front of the one given, mostly empty
    bool repeated = false;  ///< the frame opens once more what is open: nobody needs it
};

/// Pure but for `opening`. To be asked for each frame, in order. Errors, pings and comments open nothing.
[[nodiscard]] Opened open_before(Opening& opening, const sse::Frame& frame);

}  // namespace lc::api
