// Which stored state a prompt could start from: looked up on the thread of the request, before the slot is known, so that
// the main loop only copies. Reads headers, not rows; tells the system which files come next.
#pragma once
#include "state/files.h"
#include "state/history.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Which answers among known tokens mean what the prompt says in their place.
struct HistoryRequest {
    std::uint64_t generation = 0;                ///< of the slot that `slot` is about
    std::vector<KnownTurn> slot;
    std::vector<std::vector<KnownTurn>> states;  ///< as StateRequest::states; may be shorter
};

/// `localcode_state` of a request (docs/formats/engine-state.md), without its token.
struct StateRequest {
    lc::kv::Scope scope;
    std::vector<lc::Digest> states;
    bool chunks = false;
    std::optional<std::uint32_t> limit;
    std::vector<std::uint32_t> checkpoints;  ///< ascending
    std::optional<HistoryRequest> history;   ///< nothing: the prompt is taken as it was rendered
};

struct BadFile {
    lc::kv::BlobKind kind;
    lc::Digest name;
    std::string why;
};

/// What the model's memory asks of a state.
struct PlanNeeds {
    bool cuttable = true;           ///< a state serves any number of its tokens; else only those of its snapshots
    bool rows = true;               ///< there are chunks
    bool needs_a_new_token = false; ///< a state of the whole prompt is of no use
};

struct Plan {
    std::uint32_t n_tokens = 0;  ///< 0: nothing to restore
    bool from_state = false;     ///< else from chunks that were found by their names
    lc::Digest state{};
    lc::Digest tail{};           ///< the last chunk of those; zero without chunks
    std::vector<lc::kv::ParsedChunk> chunks;          ///< from the first token, covering n_tokens; headers only, no open files
    std::vector<lc::kv::SnapshotRef> snapshots;       ///< usable ones of the state, ascending; not cuttable: the last is at n_tokens
    std::string reason;          ///< why not more; empty: nothing is missing
    std::vector<BadFile> bad;
};

/// `prompt`: the tokens before the first image or sound. `n_prompt`: all.
Plan plan_restore(const std::string& dir, const StateRequest& request, const PlanNeeds& needs,
                  std::span<const lc::kv::Token> prompt, std::size_t n_prompt);
