// The effective config of a run: command line over environment over config file over defaults.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.hpp"
#include "core/config/parse.hpp"

namespace lc::config {

/// Options of `localcode serve` and of the commands that need its config. Empty: not given.
struct CliOptions {
    std::string config_file;  ///< --config
    std::string state_dir;    ///< --state-dir

    std::vector<std::string> models;           ///< --model FILE.gguf, each a local model; the first is the default
    std::vector<std::string> hf;               ///< --hf org/repo:quant, likewise
    std::optional<std::string> upstream;       ///< --upstream URL
    std::optional<std::string> upstream_key;   ///< --upstream-key env:NAME | file:PATH
    std::vector<std::string> upstream_models;  ///< --upstream-model NAME
    std::optional<std::string> default_model;  ///< --default-model

    std::optional<std::string> host, unix_socket, engine, chat_template;
    std::optional<std::int64_t> port, context, slots;
    std::optional<std::string> api_key;  ///< --api-key env:NAME | file:PATH
    std::optional<std::string> log_level, log_format;
    bool preload = false;  ///< start the models named on the command line (without any: all) at once
    bool quiet = false;    ///< no request log on the console
    bool operator==(const CliOptions&) const = default;
};

/// Environment variables by name. Only those of `environment_names` are read.
using Environment = std::map<std::string, std::string, std::less<>>;
[[nodiscard]] std::span<const std::string_view> environment_names();

struct Overlaid {
    Config config;                  ///< presets filled in
    std::vector<Problem> problems;  ///< of the options and variables; `validate(config)` comes after
};

/// Pure. What it does beyond setting keys:
/// - `--model FILE.gguf` becomes a [[model]] named after the file; a configured model of that name gets this file
/// instead.
///   Models of the command line come first, so the first of them is the default one.
/// - `--context`, `--slots` and `--chat-template` hold for the models of the command line, without any for all.
/// - `--upstream URL` becomes the backend "upstream"; a URL without a path gets /v1.
/// - ZAI_API_KEY in the environment becomes the backend "zai", unless a backend uses that preset already.
[[nodiscard]] Overlaid overlay(Config config, const CliOptions& options, const Environment& environment);

/// Name of a local model by its file: the stem in lower case, what is no letter, digit or one of ._-+:@ as '-', without
/// the number of a split file ("-00001-of-00003").
[[nodiscard]] std::string model_name_of_file(std::string_view path);

/// Name by "org/repo:quant": the repository in lower case, without "-gguf".
[[nodiscard]] std::string model_name_of_hf(std::string_view hf);

/// Nothing, or why there is nothing to serve and the ways to change that.
[[nodiscard]] std::optional<std::string> nothing_to_serve(const Config& config);

/// File names made absolute: "~/..." from `home`, others from `folder` (both absolute). Secrets of the form "file:..."
/// too.
[[nodiscard]] Config anchored(Config config, std::string_view folder, std::string_view home);

}  // namespace lc::config
