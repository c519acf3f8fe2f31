// Slot files for a stock llama-server: put together from the store's chunks, and taken apart into them. Blocking; reads
// chunk files through the page cache (mmap), so that rows are copied once.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "core/kv/slot_file.hpp"
#include "shell/kv/store.hpp"

namespace lc::kv {

/// Writes the first `n_tokens` tokens of a pinned state as a slot file to `path` (on tmpfs; replaced when it is there).
/// Every header and every row is verified on the way; a bad chunk is quarantined. Returns the bytes written. Errors:
/// not_found (a chunk is gone or bad: a miss), bad_request (the state cannot be cut), overloaded (no room), internal.
[[nodiscard]] Result<std::uint64_t> write_slot_file(Store& store, const State& state, std::uint32_t n_tokens,
                                                    const SlotTarget& target, const std::string& path);

/// Stores what a stock llama-server saved at `path` as `manifest`'s state: its tokens must be those of the file, or
/// their beginning. Only chunks that are missing are cut and written. Errors: bad_request (damaged, or a file that
/// cannot be cut: images, sliding windows, recurrent state, shifted positions), those of put_blob and commit_save.
struct SlotSave {
    std::string path;
    bool extensions = false;  ///< cells carry 12 more bytes (M-RoPE, per-layer embeddings)
};
[[nodiscard]] Result<Digest> save_slot_file(Store& store, const SlotSave& save, const Manifest& manifest,
                                            const Use& use = {});


/// The tokens whose rows the file holds. Errors as save_slot_file.
[[nodiscard]] Result<std::vector<Token>> slot_file_tokens(const SlotSave& save);

}  // namespace lc::kv
