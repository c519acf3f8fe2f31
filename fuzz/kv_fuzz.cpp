// Chunks, snapshots, manifests and slot files are read from disks that others may write to: no crash, no endless loop,
// no allocation beyond the input's size, and what is accepted is exactly what would have been written. First byte: the
// format, and (bit 2) whether the rest is a file or a list of changes to a good one. Checksums are made right, or
// nothing would get past them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/kv/checksum.hpp"
#include "core/kv/chunk.hpp"
#include "core/kv/manifest.hpp"
#include "core/kv/slot_file.hpp"
#include "core/kv/snapshot.hpp"
#include "core/kv/wire.hpp"

namespace {

using namespace lc;
using namespace lc::kv;

void require(bool holds) {
    if (!holds) std::abort();
}

const Scope scope{namespace_digest(""), sha256("identity")};

std::string good_chunk() {
    Chunk chunk{scope, sha256("parent"), {}, 256, {{0, 1, 4, 1, 4}, {1, 1, 4, 0, 0}}, {1, 2, 3}};
    chunk.positions = {7, 8, 9};
    const std::string rows(3 * 12, 'r');
    auto places = layer_places(chunk.layers, 3, 0);
    for (auto& place : places) place.k_sum = place.v_sum = checksum(std::string_view(rows).substr(0, 12));
    return encode_chunk_header(chunk, places, 64).value() + rows;
}

std::string good_snapshot() {
    const Snapshot snapshot{scope, sha256("prefix"), 3, {{"a", 2, checksum("aa")}, {"b", 0, checksum("")}}};
    return encode_snapshot_header(snapshot, 64).value() + "aa";
}

std::string good_manifest() {
    Manifest m;
    m.scope = scope;
    m.session = "s";
    m.tokens = {1, media_token, 3};
    m.media = {{1, 1, sha256("image")}};
    m.snapshots = {{sha256("snapshot"), 2, 9}};
    m.keys = {{sha256("key"), 1, KeyKind::head}, {sha256("key 2"), 3}};
    return encode_manifest(m).value();
}

std::string good_slot_file() {
    std::string out = "qsgg";
    for (const std::uint32_t number : {3u, 6u, ~0u, 1u, 2u, 10u, 11u, 0u}) put(out, number);  // two tokens, no media
    put(out, 2u);                                                                             // streams
    put(out, 0u);
    put(out, 2u);  // cells of the second
    for (std::int32_t position = 0; position < 2; ++position) {
        put(out, position);
        put(out, 1u);
        put(out, 0);
    }
    put(out, 0u);  // V as rows
    put(out, 1u);  // layers
    for (int kv = 0; kv < 2; ++kv) {
        put(out, 1u);
        put(out, std::uint64_t{4});
        out += "rows of4";
    }
    return out;
}

/// Three bytes a change: where (two), and what to put there; the highest bit of the place inserts instead of replacing.
std::string changed(std::string file, std::string_view changes) {
    for (std::size_t i = 0; i + 2 < changes.size(); i += 3) {
        const auto at = static_cast<std::size_t>(static_cast<unsigned char>(changes[i]) << 8 |
                                                 static_cast<unsigned char>(changes[i + 1]));
        const std::size_t place = (at & 0x7fff) % file.size();
        if ((at & 0x8000) != 0)
            file.insert(file.begin() + static_cast<std::ptrdiff_t>(place), changes[i + 2]);
        else
            file[place] = changes[i + 2];
    }
    return file;
}

/// Length and checksum of the header as they must be.
std::string sealed(std::string file) {
    if (file.size() < head_bytes) return file;
    std::uint32_t header = 0;
    std::memcpy(&header, file.data() + 12, sizeof header);
    if (header > file.size() || header < head_bytes) header = static_cast<std::uint32_t>(file.size());
    put_at(file, 12, header);
    put_at(file, 16, std::uint64_t{file.size() - header});
    put_at(file, 24, std::uint64_t{0});
    put_at(file, 24, checksum(std::string_view(file).substr(0, header)));
    return file;
}

/// The same but for the signature and the checksum that covers it.
bool same(std::string a, std::string b) {
    for (std::string* s : {&a, &b}) {
        if (s->size() >= 64) s->replace(24, 40, 40, '\0');
    }
    return a == b;
}

void check_chunk(const std::string& file) {
    const auto parsed = parse_chunk(file, file.size());
    if (!parsed) return;
    (void)check_rows(*parsed, file);
    std::uint32_t align = 0;
    std::memcpy(&align, file.data() + 204, sizeof align);
    const auto again = encode_chunk_header(parsed->chunk, parsed->places, align);
    require(again && same(*again, file.substr(0, parsed->header_bytes)));
    const ChunkFile chunk{&*parsed, file};
    (void)assemble_slot_file({&chunk, 1}, 1, {});
}

void check_snapshot(const std::string& file) {
    const auto parsed = parse_snapshot(file, file.size());
    if (!parsed) return;
    (void)check_sections(*parsed, file);
    std::uint32_t align = 0;
    std::memcpy(&align, file.data() + 168, sizeof align);
    const auto again = encode_snapshot_header(parsed->snapshot, align);
    require(again && same(*again, file.substr(0, parsed->header_bytes)));
}

void check_manifest(const std::string& file) {
    const auto parsed = parse_manifest(file);
    if (!parsed) return;
    const auto again = encode_manifest(parsed->manifest);
    require(again && same(*again, file));
}

void check_slot_file(const std::string& file, bool extensions) {
    const auto slot = parse_slot_file(file, extensions);
    if (!slot) return;
    for (const SlotSection& section : slot->sections) {
        require(section.begin < section.end && section.end <= file.size());
        const auto order = rows_by_position(section);
        if (!order || order->empty() || slot->tokens.empty()) continue;
        const auto n =
            static_cast<std::uint32_t>(std::min({order->size(), slot->tokens.size(), std::size_t{chunk_tokens}}));
        const auto cut = cut_chunk(file, *slot, section, *order, {scope, {}, {}, 0, n}, 64);
        if (!cut) continue;
        const auto chunk = parse_chunk(*cut, cut->size());
        require(chunk && check_rows(*chunk, *cut));
        const ChunkFile part{&*chunk, *cut};
        const auto plan = assemble_slot_file({&part, 1}, n, {1, section.v_transposed, section.v_element_bytes});
        if (!plan) continue;
        std::string whole;
        for (const std::string_view piece : plan->pieces) whole += piece;
        const auto back = parse_slot_file(whole, extensions);
        require(back && back->sections.size() == 1);
        require(cut_chunk(whole, *back, back->sections[0], rows_by_position(back->sections[0]).value(),
                          {scope, {}, {}, 0, n}, 64) == cut);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static const std::string good[] = {good_chunk(), good_snapshot(), good_manifest(), good_slot_file()};
    const unsigned format = data[0] & 3;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string file = (data[0] & 4) != 0 ? changed(good[format], rest) : std::string(rest);
    switch (format) {
        case 0: check_chunk(sealed(file)); break;
        case 1: check_snapshot(sealed(file)); break;
        case 2: check_manifest(sealed(file)); break;
        default: check_slot_file(file, (data[0] & 8) != 0);
    }
    return 0;
}
