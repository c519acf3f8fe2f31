// Which of a repository's files make the model that was asked for. Pure.
#pragma once

#include <span>
#include <vector>

#include "core/hub/listing.hpp"
#include "core/hub/spec.hpp"

namespace lc::hub {

struct Choice {
    std::string quant;                ///< upper case; empty: the name tells none
    std::vector<RepoFile> files;      ///< the model, in the order of its parts; the first is what an engine is given
    std::vector<RepoFile> projector;  ///< none or one
    bool operator==(const Choice&) const = default;
};

/// Errors: not_found (no GGUF at all; no such file or quantisation: names the nearest; a part missing), bad_request
/// (several models have that quantisation: names them).
[[nodiscard]] Result<Choice> choose(std::span<const RepoFile> files, const Spec& spec);

}  // namespace lc::hub
