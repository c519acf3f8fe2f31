// Writes what a save has copied: checksums and files, on a thread of its own.
#pragma once
#include "state/save_item.h"

#include "server-common.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

/// What all files of a save have in common.
struct SaveContext {
    std::string dir;      ///< the store's folder
    std::string staging;  ///< below it: "tmp/NAME"
    lc::kv::Scope scope;
    std::vector<lc::kv::LayerRows> layers;
    std::span<const lc::kv::Token> tokens;  ///< must outlive the writer
};

class SaveWriter {
  public:
    explicit SaveWriter(SaveContext context);
    ~SaveWriter();  ///< not finished: its files are removed
    SaveWriter(const SaveWriter&) = delete;
    SaveWriter& operator=(const SaveWriter&) = delete;

    void push(SaveItem item);  ///< waits while too much is copied and not written
    bool failed();
    void close();              ///< nothing more comes
    std::optional<SaveError> finish();        ///< after `close`: waits for the files
    const json& files() const { return files_; }  ///< after `finish`: for the event `done`

  private:
    void run();
    void write(SaveItem& item);

    const SaveContext context_;
    bool finished_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<SaveItem> queue_;      // guarded by mutex_
    std::size_t queued_bytes_ = 0;    // guarded by mutex_
    bool closed_ = false;             // guarded by mutex_
    std::optional<SaveError> error_;  // guarded by mutex_
    std::vector<std::string> paths_;  // of the thread until it is joined
    json files_ = json::array();      // of the thread until it is joined
    std::thread thread_;
};
