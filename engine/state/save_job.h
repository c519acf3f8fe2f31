// One save: copies on the main loop, one piece in each of its turns; checksums and files on a thread of their own.
#pragma once
#include "state/save_item.h"
#include "state/save_writer.h"
#include "state/slot_contents.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

class StateService;
struct SlotEntry;
struct server_slot_view;

struct SaveRequest {
    int slot = 0;
    lc::kv::Scope scope;
    std::vector<std::uint32_t> cuts;
    std::string staging;  ///< "tmp/NAME", below the store's folder
    std::set<lc::Digest> have;
};
SaveRequest parse_save_request(const json& body);  ///< throws std::invalid_argument

class SaveJob {
  public:
    SaveJob(StateService& service, SaveRequest request);
    ~SaveJob();  ///< not finished: its files are removed
    SaveJob(const SaveJob&) = delete;
    SaveJob& operator=(const SaveJob&) = delete;

    std::optional<SaveError> begin();  ///< looks at the slot
    void copy();                       ///< all pieces; ends early when the slot is used, or writing fails
    std::uint32_t n_copied() const { return n_tokens_; }
    json finish();                     ///< waits for the files: the event `done` or `error`

  private:
    template <class F>
    bool on_slot(F&& f);  ///< runs f(view) on the main loop if the slot is still as it was
    std::optional<SaveError> may_save(const SlotEntry* slot, bool is_there, bool is_idle) const;
    void choose_snapshots(const SlotEntry& slot);
    SnapshotData make_snapshot(std::uint32_t n_tokens, Sections sections) const;
    bool is_stored(lc::kv::BlobKind kind, const lc::Digest& name) const;
    bool copy_chunk(const ChunkPiece& piece);
    bool copy_checkpoint(std::uint32_t n_tokens);
    bool copy_checkpoints_up_to(std::uint32_t end);
    void add_snapshot(SnapshotData snapshot);

    StateService& service_;
    const SaveRequest request_;
    const double begun_ms_;
    double copy_ms_ = 0;
    std::uint64_t generation_ = 0;   ///< of the slot, from `begin`
    SlotContents contents_;          ///< from `begin`
    std::vector<std::uint32_t> wanted_;          ///< token counts of the snapshots to be made
    std::vector<lc::kv::SnapshotRef> snapshots_; ///< stored already, and made
    std::uint32_t n_tokens_ = 0;
    bool complete_ = false;
    std::unique_ptr<SaveWriter> writer_;
};
