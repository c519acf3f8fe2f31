// Which models suit a machine, from a small dated table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lc::recommend {

enum class Role : std::uint8_t { coder, small, embedding, rerank };
[[nodiscard]] std::string_view name_of(Role role);

struct Entry {
    Role role;
    std::string_view name, hf;  ///< hf: for `localcode pull`
    double gigabytes;           ///< of the file, 1e9 bytes
    double parameters, active;  ///< in 1e9; active: those that one token uses
    std::int64_t context;       ///< as trained
    std::int64_t kv_bytes;      ///< of one token in f16, all layers
};

/// Better ones first within a role.
[[nodiscard]] std::span<const Entry> table();
/// When the table was looked through last: "2025-09".
[[nodiscard]] std::string_view table_date();

struct Machine {
    std::int64_t memory = 0;      ///< bytes that can be taken
    std::int64_t gpu_memory = 0;  ///< bytes of all cards; 0: none
    int cores = 1;
    double bandwidth = 0;      ///< bytes a second from memory, measured
    double gpu_bandwidth = 0;  ///< bytes a second on the card; 0: unknown
    std::int64_t disk = 0;     ///< free bytes for downloads; 0: unknown
};

struct Choice {
    Entry entry{};
    bool on_gpu = false;
    std::int64_t context = 0;  ///< tokens of each slot
    std::int64_t slots = 1;
    double tokens_per_second = 0;     ///< generated; 0: cannot be told
    double first_prompt_seconds = 0;  ///< for the 7,700 tokens of OpenCode's first request; 0: cannot be told
    bool too_slow = false;            ///< nothing better fits, but it is no joy
    bool operator==(const Choice&) const = default;
};

/// Pure. At most one for each role, coder first; a role is missing when nothing of it fits. The smaller ones get what
/// the coder leaves.
[[nodiscard]] std::vector<Choice> recommend(const Machine& machine);

/// Pure. The [[model]] tables of the choices, with comments.
[[nodiscard]] std::string config_of(const std::vector<Choice>& choices);

/// Pure. Bytes a second of a card's memory by its name; 0: not known.
[[nodiscard]] double bandwidth_of_card(std::string_view name);

}  // namespace lc::recommend
