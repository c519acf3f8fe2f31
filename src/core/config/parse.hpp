// TOML text -> Config, with errors that name file, line and the nearest valid key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/config/config.hpp"

namespace lc::config {

struct Problem {
    int line = 0;  ///< 1-based; 0: the file as a whole
    int column = 0;
    std::string message;
};

struct Parsed {
    Config config;
    std::vector<Problem> problems;  ///< empty: the config is good; all of them, not just the first
};

/// Pure.
[[nodiscard]] Parsed parse(std::string_view toml_text);

/// "file:line:column: message" lines.
[[nodiscard]] std::string describe(std::string_view file, const std::vector<Problem>& problems);

/// Rules over a whole config, whatever it came from (file, command line, environment): names unique, ranges, a key when
/// listening beyond loopback, TLS files in pairs, model with path or hf, backend with preset or url.
[[nodiscard]] std::vector<Problem> validate(const Config& config);

/// The annotated example: every key with its default and what it does. `parse(example())` is free of problems.
[[nodiscard]] std::string example();

/// The effective config as TOML, secrets as "(set)": for `config show`.
[[nodiscard]] std::string to_toml(const Config& config);

/// The same as one JSON object.
[[nodiscard]] std::string to_json(const Config& config);

}  // namespace lc::config
