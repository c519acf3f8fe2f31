#include "state/save_job.h"

#include "state/files.h"
#include "state/partial.h"
#include "state/reuse.h"
#include "state/service.h"

#include "server-context.h"
#include "speculative.h"

#include "core/kv/checksum.hpp"
#include "core/kv/wire.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include <unistd.h>

namespace kv = lc::kv;

namespace {
// Copied and not written yet: more than this and the copying waits for the disk.
constexpr std::size_t max_queued_bytes = 256U << 20;

double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string bytes_of(const std::vector<std::uint8_t>& data) { return {data.begin(), data.end()}; }

/// Position bounds of a snapshot, as its `meta` section.
std::string meta_of(std::uint32_t n_tokens, std::uint32_t n_swa) {
    const auto bounds = checkpoint_bounds(n_tokens, n_swa);
    std::string out;
    kv::put<std::int32_t>(out, bounds.pos_min);
    kv::put<std::int32_t>(out, bounds.pos_max);
    return out;
}

std::string state_bytes(llama_context* ctx, llama_seq_id seq) {
    common_prompt_checkpoint state;
    state.update_tgt(ctx, seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    return bytes_of(state.data_tgt);
}

bool plain_draft(const server_slot_view& view) {
    return view.ctx_dft != nullptr && memory_of(view.ctx_dft, false).kind == MemoryKind::full;
}
}  // namespace

SaveRequest parse_save_request(const json& body) {
    SaveRequest out;
    const auto slot = body.value("slot", json());
    if (!slot.is_number_integer() || slot.get<std::int64_t>() < 0 || slot.get<std::int64_t>() > 4096) {
        throw std::invalid_argument("'slot' must be the number of a slot");
    }
    out.slot = slot.get<int>();
    out.scope.name_space = parse_name(body.value("namespace", json()), "namespace");
    out.scope.identity = parse_name(body.value("identity", json()), "identity");
    out.cuts = parse_counts(body.value("cuts", json::array()), 65536, "cuts");
    const auto staging = body.value("staging", json());
    const bool good = staging.is_string() && staging.get<std::string>().size() > 4 && staging.get<std::string>().size() < 128 &&
        staging.get<std::string>().compare(0, 4, "tmp/") == 0 &&
        staging.get<std::string>().find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", 4) ==
            std::string::npos;
    if (!good) {
        throw std::invalid_argument("'staging' must be tmp/ and a name of letters, digits, - and _");
    }
    out.staging = staging.get<std::string>();
    const auto have = body.value("have", json::array());
    if (!have.is_array() || have.size() > 200000) {
        throw std::invalid_argument("'have' must be a list of names");
    }
    for (const auto& name : have) {
        out.have.insert(parse_name(name, "have"));
    }
    return out;
}

std::size_t SaveJob::Item::bytes() const {
    std::size_t out = payload.size();
    if (snapshot) {
        for (const auto& data : snapshot->data) {
            out += data.size();
        }
    }
    return out;
}

SaveJob::SaveJob(StateService& service, SaveRequest request)
    : service_(service), request_(std::move(request)), begun_ms_(now_ms()) {}

SaveJob::~SaveJob() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        if (!finished_) {
            queue_.clear();
        }
    }
    changed_.notify_all();
    if (writer_.joinable()) {
        writer_.join();
    }
    if (!finished_) {
        for (const auto& path : paths_) {
            ::unlink(path.c_str());
        }
    }
}

template <class F>
bool SaveJob::on_slot(F&& f) {
    bool good = false;
    service_.context().run_on_loop([&](server_loop_view& view) {
        const double begin = now_ms();
        const auto slot = service_.slot(request_.slot);
        const auto id = static_cast<std::size_t>(request_.slot);
        if (slot && id < view.slots.size() && view.slots[id].phase == SERVER_SLOT_IDLE && slot->generation == generation_ &&
            view.slots[id].prompt->tokens.size() >= tokens_.size()) {
            f(view.slots[id]);
            good = true;
        }
        copy_ms_ += now_ms() - begin;
    }).get();
    return good;
}

SaveJob::Snapshot SaveJob::make_snapshot(std::uint32_t n_tokens, std::vector<std::pair<std::string, std::string>> sections) const {
    sections.emplace_back("meta", meta_of(n_tokens, memory_.n_swa));
    std::sort(sections.begin(), sections.end());
    Snapshot out;
    out.header.scope = request_.scope;
    out.header.n_tokens = n_tokens;
    out.header.prefix = kv::prefix_name(request_.scope, std::span(tokens_).first(n_tokens));
    for (auto& [name, data] : sections) {
        out.header.sections.push_back({name, data.size(), 0});
        out.data.push_back(std::move(data));
    }
    return out;
}

void SaveJob::look(const server_slot_view& view) {
    memory_ = memory_of(view.ctx_tgt, service_.swa_full());
    const auto& held = view.prompt->tokens.get_tokens();
    tokens_.assign(held.begin(), std::find(held.begin(), held.end(), LLAMA_TOKEN_NULL));
    const bool all_text = tokens_.size() == held.size();
    if (tokens_.empty()) {
        error_ = SaveError{"empty", "the slot holds no text tokens"};
        return;
    }
    if (memory_.rows != nullptr) {
        rows_ = rows_of(memory_, view.id);
        if (!rows_ || rows_->cells.size() < tokens_.size()) {
            // After a context shift, and after images whose positions are not those of their tokens.
            error_ = SaveError{"unsupported", "the positions in the slot are not those of its tokens"};
            return;
        }
    }
    const auto n = static_cast<std::uint32_t>(tokens_.size());
    if (!memory_.cuttable()) {
        std::vector<std::uint32_t> there;
        for (const auto& checkpoint : view.prompt->checkpoints) {
            if (checkpoint.n_tokens > 0 && checkpoint.n_tokens <= n && !checkpoint.data_tgt.empty()) {
                there.push_back(static_cast<std::uint32_t>(checkpoint.n_tokens));
            }
        }
        std::sort(there.begin(), there.end());
        auto wanted = request_.cuts;
        if (const auto slot = service_.slot(view.id)) {
            wanted.insert(wanted.end(), slot->checkpoints.begin(), slot->checkpoints.end());
        }
        checkpoints_ = checkpoints_to_keep(there, wanted);
    }
    std::vector<std::pair<std::string, std::string>> sections;
    if (!memory_.cuttable() && all_text && partial_is_complete(memory_, view.ctx_tgt, view.id, n)) {
        sections.emplace_back("tgt", state_bytes(view.ctx_tgt, view.id));
    }
    if (plain_draft(view) && all_text && (memory_.cuttable() || !sections.empty()) &&
        llama_memory_seq_pos_max(llama_get_memory(view.ctx_dft), view.id) + 1 == static_cast<llama_pos>(n)) {
        sections.emplace_back("dft", state_bytes(view.ctx_dft, view.id));
        std::vector<std::uint8_t> spec;
        if (common_speculative_get_state(view.spec, view.id, spec)) {
            sections.emplace_back("spec", bytes_of(spec));
        }
    }
    if (!sections.empty()) {
        final_ = make_snapshot(n, std::move(sections));
    }
    if (memory_.rows == nullptr && !final_ && checkpoints_.empty()) {
        error_ = SaveError{"unsupported", "the slot has no state at a known token"};
    }
}

std::optional<SaveError> SaveJob::begin() {
    service_.context().run_on_loop([&](server_loop_view& view) {
        const double begin = now_ms();
        const auto id = static_cast<std::size_t>(request_.slot);
        const auto slot = service_.slot(request_.slot);
        if (!service_.enabled() || id >= view.slots.size() || !slot) {
            error_ = SaveError{"unsupported", service_.enabled() ? "no such slot" : "this engine keeps no states"};
        } else if (view.slots[id].phase != SERVER_SLOT_IDLE) {
            error_ = SaveError{"busy", "the slot is in use"};
        } else if (slot->foreign) {
            error_ = SaveError{"unsupported", "the slot was computed with other adapters"};
        } else if (slot->name_space && *slot->name_space != request_.scope.name_space) {
            error_ = SaveError{"unsupported", "the slot holds another namespace's tokens"};
        } else {
            generation_ = slot->generation;
            look(view.slots[id]);
        }
        copy_ms_ += now_ms() - begin;
    }).get();
    return error_;
}

bool SaveJob::is_stored(kv::BlobKind kind, const lc::Digest& name) const {
    return request_.have.count(name) != 0 || blob_exists(service_.dir(), kind, name);
}

void SaveJob::push(Item item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queued_bytes_ < max_queued_bytes || write_error_; });
    queued_bytes_ += item.bytes();
    queue_.push_back(std::move(item));
    lock.unlock();
    changed_.notify_all();
}

bool SaveJob::copy_chunk(const ChunkPiece& piece) {
    if (is_stored(kv::BlobKind::chunk, piece.name)) {
        return true;
    }
    Item item;
    item.chunk = piece;
    std::vector<kv::LayerRows> layers;
    for (const auto& layer : rows_->layers) {
        layers.push_back(layer.rows);
    }
    item.payload.resize(kv::bytes_per_token(layers) * piece.n);
    if (memory_.extensions) {
        item.extensions = rows_->extensions.substr(std::size_t{piece.start} * 12, std::size_t{piece.n} * 12);
    }
    if (!on_slot([&](const server_slot_view&) { copy_rows(*rows_, piece.start, piece.n, item.payload.data()); })) {
        return false;
    }
    push(std::move(item));
    return true;
}

void SaveJob::add_snapshot(Snapshot snapshot) {
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
        Item item;
        item.snapshot = std::move(snapshot);
        push(std::move(item));
    }
}

bool SaveJob::copy_checkpoint(std::uint32_t n_tokens) {
    std::optional<Snapshot> snapshot;
    const bool good = on_slot([&](const server_slot_view& view) {
        for (const auto& checkpoint : view.prompt->checkpoints) {
            if (checkpoint.n_tokens == static_cast<std::int64_t>(n_tokens)) {
                std::vector<std::pair<std::string, std::string>> sections{{"tgt", bytes_of(checkpoint.data_tgt)}};
                if (plain_draft(view) && !checkpoint.data_dft.empty()) {
                    sections.emplace_back("dft", bytes_of(checkpoint.data_dft));
                    if (!checkpoint.data_spec.empty()) {
                        sections.emplace_back("spec", bytes_of(checkpoint.data_spec));
                    }
                }
                snapshot = make_snapshot(n_tokens, std::move(sections));
                break;
            }
        }
    });
    if (good && snapshot) {
        add_snapshot(std::move(*snapshot));
    }
    return good;
}

void SaveJob::copy() {
    writer_ = std::thread([this] { write_items(); });
    const auto failed = [&] {
        const std::lock_guard lock(mutex_);
        return write_error_.has_value();
    };
    const auto n = static_cast<std::uint32_t>(tokens_.size());
    std::size_t next = 0;  // checkpoint
    bool good = true;
    const auto checkpoints_up_to = [&](std::uint32_t end) {
        while (good && next < checkpoints_.size() && checkpoints_[next] <= end) {
            if (!final_ || checkpoints_[next] != final_->header.n_tokens) {
                good = copy_checkpoint(checkpoints_[next]);
            }
            ++next;
        }
    };
    if (memory_.rows != nullptr) {
        for (const auto& piece : chunk_pieces(request_.scope, tokens_, request_.cuts)) {
            checkpoints_up_to(piece.start);
            if (!good || !copy_chunk(piece) || failed()) {
                good = false;
                break;
            }
            n_tokens_ = piece.start + piece.n;
            checkpoints_up_to(n_tokens_);
        }
    } else {
        checkpoints_up_to(n);
        n_tokens_ = snapshots_.empty() ? 0 : snapshots_.back().n_tokens;
    }
    if (good && final_) {
        n_tokens_ = n;
        add_snapshot(std::move(*final_));
    }
    complete_ = good && n_tokens_ == n;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
}

void SaveJob::write(Item& item) {
    const std::string relative = request_.staging + "-" + std::to_string(paths_.size() + 1);
    const std::string path = service_.dir() + "/" + relative;
    lc::Result<std::string> header = std::string();
    std::vector<std::string_view> pieces{{}};
    lc::Digest name{};
    const char* kind = "chunk";
    if (item.chunk) {
        kv::Chunk chunk;
        chunk.scope = request_.scope;
        chunk.parent = item.chunk->parent;
        chunk.start = item.chunk->start;
        for (const auto& layer : rows_->layers) {
            chunk.layers.push_back(layer.rows);
        }
        const auto tokens = std::span(tokens_).subspan(chunk.start, item.chunk->n);
        chunk.tokens.assign(tokens.begin(), tokens.end());
        chunk.extensions = item.extensions;
        auto places = kv::layer_places(chunk.layers, item.chunk->n, 0);
        for (std::size_t i = 0; i < places.size(); ++i) {
            const std::string_view all = item.payload;
            places[i].k_sum = kv::checksum(all.substr(places[i].k_offset, std::size_t{chunk.layers[i].k_row_bytes} * item.chunk->n));
            if (chunk.layers[i].v_row_bytes != 0) {
                places[i].v_sum = kv::checksum(all.substr(places[i].v_offset, std::size_t{chunk.layers[i].v_row_bytes} * item.chunk->n));
            }
        }
        header = kv::encode_chunk_header(chunk, places);
        name = item.chunk->name;
        pieces.push_back(item.payload);
    } else {
        kind = "snapshot";
        for (std::size_t i = 0; i < item.snapshot->data.size(); ++i) {
            item.snapshot->header.sections[i].sum = kv::checksum(item.snapshot->data[i]);
            pieces.push_back(item.snapshot->data[i]);
        }
        header = kv::encode_snapshot_header(item.snapshot->header);
        name = kv::snapshot_name(item.snapshot->header);
    }
    auto result = WriteResult::failed;
    std::string why = "cannot write " + relative;
    if (header) {
        pieces.front() = *header;
        result = write_new_file(path, pieces);
    } else {
        why = header.error().detail;
    }
    if (result != WriteResult::ok) {
        const std::lock_guard lock(mutex_);
        write_error_ = SaveError{result == WriteResult::full ? "full" : "internal", why};
        return;
    }
    paths_.push_back(path);
    files_.push_back({{"kind", kind}, {"name", lc::hex(name)}, {"path", relative}, {"bytes", header->size() + item.bytes()}});
}

void SaveJob::write_items() {
    while (true) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !queue_.empty() || closed_; });
        if (queue_.empty() || write_error_) {
            return;
        }
        Item item = std::move(queue_.front());
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

json SaveJob::finish() {
    if (writer_.joinable()) {
        writer_.join();
    }
    if (write_error_) {
        return {{"event", "error"}, {"code", write_error_->code}, {"message", write_error_->message}};
    }
    json snapshots = json::array();
    for (const auto& s : snapshots_) {
        if (s.n_tokens <= n_tokens_) {
            snapshots.push_back({{"name", lc::hex(s.name)}, {"n_tokens", s.n_tokens}, {"bytes", s.bytes}});
        }
    }
    finished_ = true;
    return {{"event", "done"},
            {"n_tokens", n_tokens_},
            {"tokens", std::vector<kv::Token>(tokens_.begin(), tokens_.begin() + n_tokens_)},
            {"media", json::array()},
            {"has_chunks", memory_.rows != nullptr},
            {"files", files_},
            {"snapshots", snapshots},
            {"complete", complete_},
            {"copy_ms", copy_ms_},
            {"ms", now_ms() - begun_ms_}};
}
