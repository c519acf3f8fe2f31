// Quantisations and split files, as the names of GGUF files tell them. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lc::hub {

/// Which quantisation is taken when none is asked for: the first of these that the repository has.
[[nodiscard]] std::span<const std::string_view> default_quants();

/// "Q4_K_M" of "model-q4_k_m-00001-of-00002.gguf", "UD-Q4_K_XL", "F16": in upper case, from the file's name or else
/// from its folder's. Empty: the name tells none.
[[nodiscard]] std::string quant_of(std::string_view path);

/// One file of a model that was split: "<stem>-00001-of-00003.gguf".
struct Split {
    std::string stem;  ///< path without "-00001-of-00003.gguf"
    int index = 1, count = 1;
    bool operator==(const Split&) const = default;
};
[[nodiscard]] std::optional<Split> split_of(std::string_view path);

/// "mmproj" in the file's name: the projector of a vision or audio model, not a model.
[[nodiscard]] bool is_projector(std::string_view path);

/// A GGUF that is no model: the statistics that a quantisation was made with.
[[nodiscard]] bool is_calibration(std::string_view path);

}  // namespace lc::hub
