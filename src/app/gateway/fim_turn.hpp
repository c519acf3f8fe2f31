// Code completion in an editor. Internal to app/gateway.
#pragma once

#include <map>
#include <optional>

#include "app/gateway/parts.hpp"
#include "core/fim/editor.hpp"
#include "core/fim/infill.hpp"

namespace lc::gateway {

/// What a turn carries that completes code with a local model.
struct FimTurn {
    fim::Ask ask;
    bool superseded = false;            ///< a newer request of the same editor has ended it
    std::optional<fim::Stream> stream;  ///< set where the client speaks another dialect than the engine
};

/// The extra context of each editor's last request: hashes of its chunks in the order in which they were sent.
struct FimMemory {
    std::map<std::string, std::vector<std::uint64_t>> sent;
};

/// Of a local model: makes it a request to /infill where it must be one, puts the extra context in a lasting order, and
/// ends older requests of the same editor. The body and the view of the turn may change.
[[nodiscard]] Result<void> begin_fim(Gateway& gateway, Turn& turn);

/// Frames of /infill become frames of the client's dialect; others stay.
void translate_fim(Turn& turn, std::vector<sse::Frame>& frames);

/// Why a turn that was ended by a newer one has no answer; nothing: it was not.
[[nodiscard]] std::optional<Error> superseded(const Turn& turn);

}  // namespace lc::gateway
