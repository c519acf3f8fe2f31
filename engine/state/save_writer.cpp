#include "state/save_writer.h"

#include "state/files.h"

#include "core/kv/checksum.hpp"

#include <utility>

#include <unistd.h>

namespace kv = lc::kv;

namespace {
// Copied and not written yet: more than this and the copying waits for the disk.
constexpr std::size_t max_queued_bytes = 256U << 20;

struct Encoded {
    const char* kind = "chunk";
    lc::Digest name{};
    lc::Result<std::string> header = std::string();
    std::vector<std::string_view> payload;
};

Encoded encode_chunk(const SaveContext& context, const SaveItem& item) {
    const auto& piece = *item.chunk;
    kv::Chunk chunk;
    chunk.scope = context.scope;
    chunk.parent = piece.parent;
    chunk.start = piece.start;
    chunk.layers = context.layers;
    const auto tokens = context.tokens.subspan(piece.start, piece.n);
    chunk.tokens.assign(tokens.begin(), tokens.end());
    chunk.extensions = item.extensions;
    auto places = kv::layer_places(chunk.layers, piece.n, 0);
    const std::string_view all = item.payload;
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto& layer = chunk.layers[i];
        places[i].k_sum = kv::checksum(all.substr(places[i].k_offset, std::size_t{layer.k_row_bytes} * piece.n));
        if (layer.v_row_bytes != 0) {
            places[i].v_sum = kv::checksum(all.substr(places[i].v_offset, std::size_t{layer.v_row_bytes} * piece.n));
        }
    }
    return {"chunk", piece.name, kv::encode_chunk_header(chunk, places), {all}};
}

Encoded encode_snapshot(SnapshotData& snapshot) {
    Encoded out;
    for (std::size_t i = 0; i < snapshot.data.size(); ++i) {
        snapshot.header.sections[i].sum = kv::checksum(snapshot.data[i]);
        out.payload.push_back(snapshot.data[i]);
    }
    out.kind = "snapshot";
    out.name = kv::snapshot_name(snapshot.header);
    out.header = kv::encode_snapshot_header(snapshot.header);
    return out;
}
}  // namespace

std::size_t SaveItem::bytes() const {
    std::size_t out = payload.size();
    if (snapshot) {
        for (const auto& data : snapshot->data) {
            out += data.size();
        }
    }
    return out;
}

SaveWriter::SaveWriter(SaveContext context) : context_(std::move(context)), thread_([this] { run(); }) {}

SaveWriter::~SaveWriter() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        if (!finished_) {
            queue_.clear();
        }
    }
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
    if (!finished_) {
        for (const auto& path : paths_) {
            ::unlink(path.c_str());
        }
    }
}

void SaveWriter::push(SaveItem item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queued_bytes_ < max_queued_bytes || error_; });
    queued_bytes_ += item.bytes();
    queue_.push_back(std::move(item));
    lock.unlock();
    changed_.notify_all();
}

bool SaveWriter::failed() {
    const std::lock_guard lock(mutex_);
    return error_.has_value();
}

void SaveWriter::close() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
}

std::optional<SaveError> SaveWriter::finish() {
    thread_.join();
    finished_ = !error_;
    return error_;
}

void SaveWriter::write(SaveItem& item) {
    const std::string relative = context_.staging + "-" + std::to_string(paths_.size() + 1);
    const std::string path = context_.dir + "/" + relative;
    const auto encoded = item.chunk ? encode_chunk(context_, item) : encode_snapshot(*item.snapshot);
    auto result = WriteResult::failed;
    std::string why = "cannot write " + relative;
    if (encoded.header) {
        std::vector<std::string_view> pieces{*encoded.header};
        pieces.insert(pieces.end(), encoded.payload.begin(), encoded.payload.end());
        result = write_new_file(path, pieces);
    } else {
        why = encoded.header.error().detail;
    }
    if (result != WriteResult::ok) {
        const std::lock_guard lock(mutex_);
        error_ = SaveError{result == WriteResult::full ? "full" : "internal", why};
        return;
    }
    paths_.push_back(path);
    files_.push_back({{"kind", encoded.kind}, {"name", lc::hex(encoded.name)}, {"path", relative},
                      {"bytes", encoded.header->size() + item.bytes()}});
}

void SaveWriter::run() {
    while (true) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !queue_.empty() || closed_; });
        if (queue_.empty() || error_) {
            return;
        }
        SaveItem item = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        const auto bytes = item.bytes();
        write(item);
        lock.lock();
        queued_bytes_ -= bytes;
        lock.unlock();
        changed_.notify_all();
    }
}
