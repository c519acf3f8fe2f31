// One save: copies on the main loop, one piece in each of its turns; checksums and files on threads of its own.
#pragma once
#include "state/memory.h"
#include "state/rows.h"
#include "state/save_plan.h"

#include "server-common.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

class StateService;
struct server_loop_view;
struct server_slot_view;

struct SaveRequest {
    int slot = 0;
    lc::kv::Scope scope;
    std::vector<std::uint32_t> cuts;
    std::string staging;  ///< "tmp/NAME", below the store's folder
    std::set<lc::Digest> have;
};
SaveRequest parse_save_request(const json& body);  ///< throws std::invalid_argument

struct SaveError {
    const char* code;  ///< busy, empty, full, unsupported, internal
    std::string message;
};

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
    struct Snapshot {
        lc::kv::Snapshot header;
        std::vector<std::string> data;  ///< as header.sections
    };
    struct Item {  ///< a copied piece on its way into a file
        std::optional<ChunkPiece> chunk;
        std::string payload, extensions;
        std::optional<Snapshot> snapshot;
        std::size_t bytes() const;
    };

    template <class F>
    bool on_slot(F&& f);  ///< runs f(view) on the main loop if the slot is still as it was
    void look(const server_slot_view& view);
    Snapshot make_snapshot(std::uint32_t n_tokens, std::vector<std::pair<std::string, std::string>> sections) const;
    bool is_stored(lc::kv::BlobKind kind, const lc::Digest& name) const;
    bool copy_chunk(const ChunkPiece& piece);
    bool copy_checkpoint(std::uint32_t n_tokens);
    void add_snapshot(Snapshot snapshot);
    void push(Item item);
    void write_items();
    void write(Item& item);

    StateService& service_;
    const SaveRequest request_;
    const double begun_ms_;
    double copy_ms_ = 0;

    // Of the slot, from `begin`.
    std::uint64_t generation_ = 0;
    ModelMemory memory_;
    std::optional<SlotRows> rows_;
    std::vector<lc::kv::Token> tokens_;
    std::vector<std::uint32_t> checkpoints_;
    std::optional<Snapshot> final_;
    std::optional<SaveError> error_;

    std::uint32_t n_tokens_ = 0;
    bool complete_ = false;
    bool finished_ = false;
    std::vector<lc::kv::SnapshotRef> snapshots_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Item> queue_;         // guarded by mutex_
    std::size_t queued_bytes_ = 0;   // guarded by mutex_
    bool closed_ = false;            // guarded by mutex_
    std::optional<SaveError> write_error_;  // guarded by mutex_
    std::vector<std::string> paths_; // of the writer until it is joined
    json files_ = json::array();     // of the writer until it is joined
    std::thread writer_;
};
