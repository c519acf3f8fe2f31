// What the gateway and localcode-engine tell each other about KV states: docs/formats/engine-state.md. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "core/kv/identity.hpp"
#include "core/kv/manifest.hpp"
#include "core/states/history.hpp"

namespace lc::states {

/// `"state"` of GET /localcode/engine.
struct EngineState {
    bool supported = false;
    std::string why;        ///< not supported: why
    std::string kind;       ///< full, swa, recurrent, hybrid
    bool cuttable = false;  ///< usable up to any token
    /// As kv::identity_of wants it. Adapters still have a path in the place of their file's hash.
    std::vector<kv::ReportField> identity;
};
/// `about`: the whole body. Anything malformed is "not supported".
[[nodiscard]] EngineState parse_engine_state(std::string_view about);

/// Token-exact history: the answers that mean the same, of what the slot holds and of each of the states.
struct UseHistory {
    std::uint64_t generation = 0;  ///< of the slot as `slot` knows it; 0: it is not known
    std::vector<AnswerTurn> slot;
    std::vector<std::vector<AnswerTurn>> states;
};

/// The member `localcode_state` of a request.
struct UseState {
    std::string token;
    kv::Scope scope;
    std::vector<Digest> states;
    bool chunks = true;
    std::optional<std::uint32_t> limit;
    std::vector<std::uint32_t> checkpoints;
    std::optional<UseHistory> history;  ///< nothing: the prompt is taken as it was rendered
};
[[nodiscard]] std::string print(const UseState& use);

struct BadBlob {
    kv::BlobKind kind = kv::BlobKind::chunk;
    Digest name{};
    std::string why;
};

/// What became of token-exact history.
struct HistoryReport {
    std::uint32_t tokens = 0, turns = 0;  ///< kept in the place of others; answers that the client writes differently
    std::uint32_t slot = 0, state = 0;    ///< leading tokens of the prompt that the slot held, and that the state has
};

/// What became of it.
struct StateReport {
    int slot = -1;
    std::uint32_t prompt = 0, had = 0, used = 0;  ///< tokens
    std::string from;                             ///< none, memory, state, chunks
    std::optional<Digest> state;
    std::uint64_t bytes = 0;
    double ms = 0;
    std::string reason;
    std::vector<BadBlob> bad;
    std::uint64_t generation = 0;  ///< of the slot from now on; 0: not told
    std::optional<HistoryReport> history;
};
[[nodiscard]] std::optional<StateReport> parse_state_report(std::string_view json);
/// The report in a frame of an answer's stream, when it is one: ": localcode-state {...}".
[[nodiscard]] std::optional<StateReport> report_in(std::string_view frame);

/// Body of POST /localcode/save.
struct SaveState {
    std::string token;
    int slot = 0;
    kv::Scope scope;
    std::vector<std::uint32_t> cuts;
    std::string staging;  ///< below the store's folder
};
[[nodiscard]] std::string print(const SaveState& save);

struct SavedFile {
    kv::BlobKind kind = kv::BlobKind::chunk;
    Digest name{};
    std::string path;  ///< below the store's folder
    std::uint64_t bytes = 0;
};
struct Copied {
    std::uint32_t n_tokens = 0;
};
struct Saved {
    std::uint32_t n_tokens = 0;
    std::vector<kv::Token> tokens;
    std::vector<kv::Media> media;
    bool has_chunks = true, complete = true;
    std::vector<SavedFile> files;
    std::vector<kv::SnapshotRef> snapshots;
    double copy_ms = 0, ms = 0;
    std::uint64_t generation = 0;  ///< of the slot; 0: not told
};
struct SaveRefused {
    std::string code, message;
};
using SaveEvent = std::variant<Copied, Saved, SaveRefused>;
/// One line of the answer. Errors: bad_request.
[[nodiscard]] Result<SaveEvent> parse_save_event(std::string_view line);

}  // namespace lc::states
