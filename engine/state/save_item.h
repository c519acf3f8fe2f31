// A copied piece of a slot on its way into a file.
#pragma once
#include "state/save_plan.h"

#include "core/kv/chunk.hpp"
#include "core/kv/snapshot.hpp"

#include <optional>
#include <string>
#include <vector>

struct SnapshotData {
    lc::kv::Snapshot header;
    std::vector<std::string> data;  ///< as header.sections
};

/// Rows of a chunk, or a snapshot.
struct SaveItem {
    std::optional<ChunkPiece> chunk;
    std::string payload, extensions;
    std::optional<SnapshotData> snapshot;

    std::size_t bytes() const;
};

struct SaveError {
    const char* code;  ///< busy, empty, full, unsupported, internal
    std::string message;
};
