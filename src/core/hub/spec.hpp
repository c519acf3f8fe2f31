// What a person asks for: "org/repo", "org/repo:quant" or "org/repo:folder/file.gguf" on a Hugging Face hub. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lc::hub {

struct Spec {
    std::string org, repo;
    std::string quant;  ///< as written, "Q4_K_M"; empty: the default order (quant.hpp), or `file` is set
    std::string file;   ///< path of one GGUF file in the repository; empty: chosen by quant
    bool operator==(const Spec&) const = default;
};

/// "hf.co/", "huggingface.co/" and "https://" in front are ignored. bad_request otherwise, naming the fault and the
/// form.
[[nodiscard]] Result<Spec> parse_spec(std::string_view text);

/// "org/repo:quant", as parse_spec reads it.
[[nodiscard]] std::string to_text(const Spec& spec);

/// True for a relative path of plain names: none empty, none beginning with '.', no control character, no backslash,
/// short enough for a file system. What a server names is only ever written below our folder.
[[nodiscard]] bool is_safe_path(std::string_view path);

/// True for a path that ends in ".gguf", whatever the case.
[[nodiscard]] bool is_gguf(std::string_view path);

/// Where a repository's files live: "<cache>/models/hf/<org>/<repo>".
[[nodiscard]] std::string repo_dir(std::string_view cache_dir, const Spec& spec);

/// Name, in repo_dir, of the record of what a spec was resolved to (record.hpp). Different specs never share one.
[[nodiscard]] std::string record_name(const Spec& spec);

}  // namespace lc::hub
