// Identity: everything that decides what the bytes of a KV row mean. A wrong identity is silent garbage, so this fails
// closed: a report with a field that is unknown, missing or malformed gives no identity, and without identity nothing
// is stored or reused.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/sha256.hpp"

namespace lc::kv {

/// A weights file and the strength it is applied with (LoRA adapters, control vectors).
struct Adapter {
    Digest file{};
    std::string scale;                    ///< canonical number
    int layer_first = 0, layer_last = 0;  ///< control vectors; 0, 0 for LoRA
    bool operator==(const Adapter&) const = default;
};

struct Identity {
    std::vector<Digest> model;             ///< GGUF shards in order
    std::vector<Digest> mmproj;            ///< none or one
    std::vector<Digest> draft;             ///< shards of the draft model whose state is kept too
    std::vector<std::string> override_kv;  ///< as given on the command line, in order
    std::string k_type, v_type;            ///< "f16", "q8_0", ...
    bool flash_attention = false, kv_rotation = false, swa_full = false;
    std::string n_swa;                             ///< 0: no sliding window
    std::string rope_type, rope_base, rope_scale;  ///< rope_type: none, linear, yarn, longrope
    std::string yarn_orig_ctx, yarn_ext, yarn_attn, yarn_beta_fast, yarn_beta_slow;
    std::vector<Adapter> loras, control_vectors;
    std::string sections;  ///< layout of the state, as the engine names it: "kv", "kv,kv_swa", "kv,recurrent", ...
    std::string build;     ///< llama.cpp version, patches and backend that computed it
    bool operator==(const Identity&) const = default;
};

/// One line of an engine's report (or of what the gateway knows of a stock server's command line).
struct ReportField {
    std::string key, value;
};

/// Keys are the names of Identity's fields; lists repeat their key; adapters are "HEX SCALE" or "HEX SCALE FIRST LAST";
/// booleans "true" or "false". mmproj, draft, override_kv, loras, control_vectors may be missing, every other must be
/// there. Errors (bad_request): name the field.
[[nodiscard]] Result<Identity> identity_of(std::span<const ReportField> report);

/// Pure. Different for identities that differ in anything.
[[nodiscard]] Digest identity_digest(const Identity& identity);

[[nodiscard]] Result<Digest> digest_of_hex(std::string_view hex);  ///< 64 lower-case digits

}  // namespace lc::kv
