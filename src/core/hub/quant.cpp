#include "core/hub/quant.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"

namespace lc::hub {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z');
}

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return out;
}

std::string_view base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// "Q4_K_M", "IQ2_XXS", "TQ1_0", "BF16", "MXFP4_MOE": upper case.
bool is_quant(std::string_view word) {
    for (const std::string_view whole : {"F16", "BF16", "F32", "FP16", "FP32", "MXFP4", "NVFP4"}) {
        if (word == whole) return true;
        if (whole.ends_with("FP4") && word.starts_with(whole) && word.substr(whole.size()) == "_MOE") return true;
    }
    if (word.starts_with("IQ") || word.starts_with("TQ")) word.remove_prefix(1);
    if (word.size() < 2 || word[0] != 'Q' || !is_digit(word[1])) return false;
    std::size_t at = 2;
    while (at < word.size()) {  // groups of "_K", "_M", "_0", "_XXS"
        if (word[at] != '_') return false;
        const std::size_t from = ++at;
        while (at < word.size() && is_alnum(word[at])) ++at;
        if (at == from || at - from > 4) return false;
    }
    return true;
}

/// The longest end of `word` that is a quantisation and stands behind a '_' or at the beginning.
std::string_view quant_at_end(std::string_view word) {
    for (std::size_t at = 0; at < word.size(); ++at) {
        if ((at == 0 || word[at - 1] == '_') && is_quant(word.substr(at))) return word.substr(at);
    }
    return {};
}

/// `text` is upper case and without ".GGUF" and split suffix.
std::string quant_in(std::string_view text) {
    std::vector<std::string_view> words;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t end = std::min(text.find_first_of("-.", from), text.size());
        words.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    for (std::size_t i = words.size(); i-- > 0;) {
        const std::string_view quant = quant_at_end(words[i]);
        if (quant.empty()) continue;
        // Variants that stand beside the plain quantisation in the same repository.
        if (i > 0 && quant.size() == words[i].size() && words[i - 1] == "UD") return "UD-" + std::string(quant);
        return std::string(quant);
    }
    return {};
}

constexpr std::string_view suffix = ".gguf";

std::string_view without_suffix(std::string_view path) {
    return iequals(path.substr(path.size() - std::min(path.size(), suffix.size())), suffix)
               ? path.substr(0, path.size() - suffix.size())
               : path;
}

}  // namespace

std::span<const std::string_view> default_quants() {
    static constexpr std::array<std::string_view, 13> order = {"Q4_K_M", "Q4_0",   "Q8_0", "Q4_K_S", "UD-Q4_K_XL",
                                                               "MXFP4",  "Q5_K_M", "Q6_K", "IQ4_XS", "Q4_1",
                                                               "Q3_K_M", "F16",    "BF16"};
    return order;
}

std::string quant_of(std::string_view path) {
    const auto split = split_of(path);
    const std::string whole = upper(split ? std::string_view(split->stem) : without_suffix(path));
    const auto slash = whole.rfind('/');
    if (slash == std::string::npos) return quant_in(whole);
    const auto quant = quant_in(std::string_view(whole).substr(slash + 1));
    return quant.empty() ? quant_in(base_name(std::string_view(whole).substr(0, slash))) : quant;
}

std::optional<Split> split_of(std::string_view path) {
    constexpr std::string_view pattern = "-00000-of-00000";
    const std::string_view stem = without_suffix(path);
    if (stem.size() == path.size() || stem.size() <= pattern.size()) return std::nullopt;
    const std::string_view tail = stem.substr(stem.size() - pattern.size());
    Split out{.stem = std::string(stem.substr(0, stem.size() - pattern.size())), .index = 0, .count = 0};
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '0') {
            if (pattern[i] != tail[i]) return std::nullopt;
            continue;
        }
        if (!is_digit(tail[i])) return std::nullopt;
        int& number = i < 6 ? out.index : out.count;
        number = number * 10 + (tail[i] - '0');
    }
    if (out.index < 1 || out.index > out.count) return std::nullopt;
    return out;
}

bool is_projector(std::string_view path) {
    return to_lower(base_name(path)).find("mmproj") != std::string::npos;
}

bool is_calibration(std::string_view path) {
    const std::string name = to_lower(without_suffix(base_name(path)));
    return name.ends_with("imatrix") || name.starts_with("imatrix");
}

}  // namespace lc::hub
