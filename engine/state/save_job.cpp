#include "state/save_job.h"

#include "state/files.h"
#include "state/reuse.h"
#include "state/service.h"

#include "server-context.h"

#include "core/kv/wire.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

namespace kv = lc::kv;

namespace {
double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Position bounds of a snapshot, as its `meta` section.
std::string meta_of(std::uint32_t n_tokens, std::uint32_t n_swa) {
    const auto bounds = checkpoint_bounds(n_tokens, n_swa);
    std::string out;
    kv::put<std::int32_t>(out, bounds.pos_min);
    kv::put<std::int32_t>(out, bounds.pos_max);
    return out;
}

std::vector<kv::LayerRows> layers_of(const SlotContents& contents) {
    std::vector<kv::LayerRows> out;
    if (contents.rows) {
        for (const auto& layer : contents.rows->layers) {
            out.push_back(layer.rows);
        }
    }
    return out;
}
}  // namespace

SaveJob::SaveJob(StateService& service, SaveRequest request)
    : service_(service), request_(std::move(request)), begun_ms_(now_ms()) {}

SaveJob::~SaveJob() = default;

template <class F>
bool SaveJob::on_slot(F&& f) {
    bool good = false;
    service_.context().run_on_loop([&](server_loop_view& view) {
        const double begin = now_ms();
        const auto slot = service_.slot(request_.slot);
        const auto id = static_cast<std::size_t>(request_.slot);
        if (slot && id < view.slots.size() && view.slots[id].phase == SERVER_SLOT_IDLE && slot->generation == generation_ &&
            view.slots[id].prompt->tokens.size() >= contents_.tokens.size()) {
            f(view.slots[id]);
            good = true;
        }
        copy_ms_ += now_ms() - begin;
    }).get();
    return good;
}

std::optional<SaveError> SaveJob::may_save(const SlotEntry* slot, bool is_there, bool is_idle) const {
    if (!service_.enabled() || !is_there || slot == nullptr) {
        return SaveError{"unsupported", service_.enabled() ? "no such slot" : "this engine keeps no states"};
    }
    if (!is_idle) {
        return SaveError{"busy", "the slot is in use"};
    }
    if (slot->foreign) {
        return SaveError{"unsupported", "the slot was computed with other adapters"};
    }
    if (slot->name_space && *slot->name_space != request_.scope.name_space) {
        return SaveError{"unsupported", "the slot holds another namespace's tokens"};
    }
    return std::nullopt;
}

std::optional<SaveError> SaveJob::begin() {
    std::optional<SaveError> error;
    std::optional<SlotEntry> slot;
    service_.context().run_on_loop([&](server_loop_view& view) {
        const double begin = now_ms();
        const auto id = static_cast<std::size_t>(request_.slot);
        const bool is_there = id < view.slots.size();
        slot = service_.slot(request_.slot);
        error = may_save(slot ? &*slot : nullptr, is_there, is_there && view.slots[id].phase == SERVER_SLOT_IDLE);
        if (!error) {
            generation_ = slot->generation;
            error = look_into(view.slots[id], service_.swa_full(), contents_);
        }
        copy_ms_ += now_ms() - begin;
    }).get();
    if (error) {
        return error;
    }
    choose_snapshots(*slot);
    if (contents_.memory.rows == nullptr && contents_.final.empty() && wanted_.empty() && snapshots_.empty()) {
        return SaveError{"unsupported", "the slot has no state at a known token"};
    }
    return std::nullopt;
}

/// Of those that are stored or that llama.cpp keeps: what was asked for, and now and then one.
void SaveJob::choose_snapshots(const SlotEntry& slot) {
    if (contents_.memory.cuttable()) {
        return;
    }
    auto there = contents_.checkpoints;
    std::vector<kv::SnapshotRef> stored;
    for (const auto& ref : slot.stored) {
        if (ref.n_tokens >= contents_.tokens.size()) {
            continue;
        }
        const auto file = open_snapshot(service_.dir(), request_.scope, ref.name);
        if (file.file && file.parsed.snapshot.prefix == kv::prefix_name(request_.scope, std::span(contents_.tokens).first(ref.n_tokens))) {
            stored.push_back(ref);
            there.push_back(ref.n_tokens);
        }
    }
    std::sort(there.begin(), there.end());
    there.erase(std::unique(there.begin(), there.end()), there.end());
    auto asked = request_.cuts;
    asked.insert(asked.end(), slot.checkpoints.begin(), slot.checkpoints.end());
    // Where sessions of the project begin, and for a rewind by a message or two.
    for (std::size_t i = 0; i < stored.size(); ++i) {
        if (i == 0 || i + 2 >= stored.size()) {
            asked.push_back(stored[i].n_tokens);
        }
    }
    for (const auto n : checkpoints_to_keep(there, asked)) {
        const auto known = std::find_if(stored.begin(), stored.end(), [&](const kv::SnapshotRef& ref) { return ref.n_tokens == n; });
        if (known != stored.end()) {
            snapshots_.push_back(*known);
        } else if (contents_.final.empty() || n != contents_.tokens.size()) {
            wanted_.push_back(n);
        }
    }
}

SnapshotData SaveJob::make_snapshot(std::uint32_t n_tokens, Sections sections) const {
    sections.emplace_back("meta", meta_of(n_tokens, contents_.memory.n_swa));
    std::sort(sections.begin(), sections.end());
    SnapshotData out;
    out.header.scope = request_.scope;
    out.header.n_tokens = n_tokens;
    out.header.prefix = kv::prefix_name(request_.scope, std::span(contents_.tokens).first(n_tokens));
    for (auto& [name, data] : sections) {
        out.header.sections.push_back({name, data.size(), 0});
        out.data.push_back(std::move(data));
    }
    return out;
}

bool SaveJob::is_stored(kv::BlobKind kind, const lc::Digest& name) const {
    return request_.have.count(name) != 0 || blob_exists(service_.dir(), kind, name);
}

bool SaveJob::copy_chunk(const ChunkPiece& piece) {
    if (is_stored(kv::BlobKind::chunk, piece.name)) {
        return true;
    }
    const auto& rows = *contents_.rows;
    SaveItem item;
    item.chunk = piece;
    item.payload.resize(kv::bytes_per_token(layers_of(contents_)) * piece.n);
    if (contents_.memory.extensions) {
        item.extensions = rows.extensions.substr(std::size_t{piece.start} * 12, std::size_t{piece.n} * 12);
    }
    if (!on_slot([&](const server_slot_view&) { copy_rows(rows, piece.start, piece.n, item.payload.data()); })) {
        return false;
    }
    writer_->push(std::move(item));
    return true;
}

void SaveJob::add_snapshot(SnapshotData snapshot) {
    const auto name = kv::snapshot_name(snapshot.header);
    std::uint64_t bytes = 0;
    for (const auto& section : snapshot.header.sections) {
        bytes += section.bytes;
    }
    // Checksums do not change the length of the header.
    const auto header = kv::encode_snapshot_header(snapshot.header);
    if (!header) {
        throw std::runtime_error(header.error().detail);
    }
    snapshots_.push_back({name, snapshot.header.n_tokens, header->size() + bytes});
    if (!is_stored(kv::BlobKind::snapshot, name)) {
        SaveItem item;
        item.snapshot = std::move(snapshot);
        writer_->push(std::move(item));
    }
}

bool SaveJob::copy_checkpoint(std::uint32_t n_tokens) {
    Sections sections;
    const bool good = on_slot([&](const server_slot_view& view) { sections = checkpoint_sections(view, n_tokens); });
    if (!sections.empty()) {
        add_snapshot(make_snapshot(n_tokens, std::move(sections)));
    }
    return good;
}

bool SaveJob::copy_checkpoints_up_to(std::uint32_t end) {
    bool good = true;
    while (good && !wanted_.empty() && wanted_.front() <= end) {
        good = copy_checkpoint(wanted_.front());
        wanted_.erase(wanted_.begin());
    }
    return good;
}

void SaveJob::copy() {
    writer_ = std::make_unique<SaveWriter>(
        SaveContext{service_.dir(), request_.staging, request_.scope, layers_of(contents_), contents_.tokens});
    const auto n = static_cast<std::uint32_t>(contents_.tokens.size());
    bool good = true;
    if (contents_.memory.rows != nullptr) {
        for (const auto& piece : chunk_pieces(request_.scope, contents_.tokens, request_.cuts)) {
            good = copy_checkpoints_up_to(piece.start) && copy_chunk(piece) && !writer_->failed();
            if (!good) {
                break;
            }
            n_tokens_ = piece.start + piece.n;
            good = copy_checkpoints_up_to(n_tokens_);
        }
    } else {
        good = copy_checkpoints_up_to(n);
        for (const auto& snapshot : snapshots_) {
            n_tokens_ = std::max(n_tokens_, snapshot.n_tokens);
        }
    }
    if (good && !contents_.final.empty()) {
        n_tokens_ = n;
        add_snapshot(make_snapshot(n, std::move(contents_.final)));
    }
    complete_ = good && n_tokens_ == n;
    writer_->close();
}

json SaveJob::finish() {
    if (const auto error = writer_->finish()) {
        return {{"event", "error"}, {"code", error->code}, {"message", error->message}};
    }
    std::sort(snapshots_.begin(), snapshots_.end(), [](const auto& a, const auto& b) { return a.n_tokens < b.n_tokens; });
    json snapshots = json::array();
    for (const auto& s : snapshots_) {
        if (s.n_tokens <= n_tokens_) {
            snapshots.push_back({{"name", lc::hex(s.name)}, {"n_tokens", s.n_tokens}, {"bytes", s.bytes}});
        }
    }
    const auto& tokens = contents_.tokens;
    return {{"event", "done"},
            {"n_tokens", n_tokens_},
            {"generation", generation_},
            {"tokens", std::vector<kv::Token>(tokens.begin(), tokens.begin() + n_tokens_)},
            {"media", json::array()},
            {"has_chunks", contents_.memory.rows != nullptr},
            {"files", writer_->files()},
            {"snapshots", snapshots},
            {"complete", complete_},
            {"copy_ms", copy_ms_},
            {"ms", now_ms() - begun_ms_}};
}
