#include "core/kv/slot_file.hpp"

#include <algorithm>

#include "core/kv/checksum.hpp"
#include "core/kv/wire.hpp"

namespace lc::kv {

namespace {

constexpr std::string_view magic = "qsgg";  // the number 0x67677371, little-endian
constexpr std::uint32_t slot_version = 3, packed_version = 1;
constexpr std::uint32_t max_layers = 4096, max_row_bytes = 1u << 24, max_streams = 4096;
constexpr std::size_t cell_bytes = 12, extension_bytes = 12;

tl::unexpected<Error> damaged(std::string_view why) {
    return fail(Errc::bad_request, "slot file: " + std::string(why));
}

std::string_view bytes_of(std::span<const Token> tokens) {
    return {reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()};
}

bool copy_tokens(std::string_view raw, std::vector<Token>& tokens) {
    tokens.resize(raw.size() / sizeof(Token));
    if (!tokens.empty()) std::memcpy(tokens.data(), raw.data(), tokens.size() * sizeof(Token));
    return true;
}

/// -1, version, tokens, media keys, media chunks, padding to a word; or, from older servers, the bare tokens.
Result<void> read_token_block(std::string_view block, SlotFile& out) {
    Reader in(block);
    if (block.size() < 4 || in.number<std::int32_t>() != media_token) {
        copy_tokens(block, out.tokens);
        return {};
    }
    out.packed = true;
    if (in.number<std::uint32_t>() != packed_version)
        return fail(Errc::unsupported, "slot file: version of the token block");
    copy_tokens(in.take(std::uint64_t{in.number<std::uint32_t>()} * sizeof(Token)), out.tokens);
    out.n_media = in.number<std::uint32_t>();
    in.take(std::uint64_t{out.n_media} * 4);
    for (std::uint32_t i = 0; i < out.n_media && in.ok(); ++i) in.take(in.number<std::uint32_t>());
    if (!in.ok() || in.left() >= sizeof(Token)) return damaged("token block");
    return {};
}

Result<void> read_cells(Reader& in, std::uint32_t count, bool extensions, SlotSection& section) {
    const std::size_t a_cell = cell_bytes + (extensions ? extension_bytes : 0);
    if (std::uint64_t{count} * a_cell > in.left()) return damaged("it ends inside the cells");
    section.positions.reserve(count);
    if (extensions) section.extensions_at = in.at() + 8;
    for (std::uint32_t i = 0; i < count; ++i) {
        section.positions.push_back(in.number<std::int32_t>());
        if (in.number<std::uint32_t>() != 1) return damaged("a cell of several sequences");
        if (extensions) in.take(extension_bytes);
        in.number<std::int32_t>();  // sequence id: ignored by the reader
    }
    return {};
}

Result<void> read_k(Reader& in, SlotSection& section) {
    const std::uint64_t cells = section.positions.size();
    for (LayerRows& layer : section.layers) {
        layer.k_type = in.number<std::uint32_t>();
        const auto row = in.number<std::uint64_t>();
        if (!in.ok() || row == 0 || row > max_row_bytes) return damaged("size of K rows");
        layer.k_row_bytes = static_cast<std::uint32_t>(row);
        section.k_offsets.push_back(in.at());
        in.take(row * cells);
    }
    return {};
}

Result<void> read_v(Reader& in, SlotSection& section) {
    const std::uint64_t cells = section.positions.size();
    for (LayerRows& layer : section.layers) {
        layer.v_type = in.number<std::uint32_t>();
        std::uint64_t row = 0;
        if (section.v_transposed) {
            const auto element = in.number<std::uint32_t>();
            row = std::uint64_t{element} * in.number<std::uint32_t>();
            section.v_element_bytes.push_back(element);
        } else {
            row = in.number<std::uint64_t>();
        }
        if (!in.ok() || row == 0 || row > max_row_bytes) return damaged("size of V rows");
        layer.v_row_bytes = static_cast<std::uint32_t>(row);
        section.v_offsets.push_back(in.at());
        in.take(row * cells);
    }
    return {};
}

Result<SlotSection> read_section(Reader& in, bool extensions) {
    SlotSection section;
    section.begin = in.at();
    section.n_stream = in.number<std::uint32_t>();
    if (!in.ok() || section.n_stream == 0 || section.n_stream > max_streams) return damaged("number of streams");
    for (std::uint32_t s = 0; s < section.n_stream; ++s) {
        const auto cells = in.number<std::uint32_t>();
        if (!in.ok()) return damaged("it ends inside a section");
        if (cells == 0) continue;
        if (!section.positions.empty()) return damaged("cells in several streams");
        section.stream = s;
        if (auto done = read_cells(in, cells, extensions, section); !done) return tl::unexpected(done.error());
        const auto transposed = in.number<std::uint32_t>();
        const auto n_layers = in.number<std::uint32_t>();
        if (!in.ok() || transposed > 1 || n_layers == 0 || n_layers > max_layers) return damaged("number of layers");
        section.v_transposed = transposed == 1;
        section.layers.resize(n_layers);
        for (std::uint32_t i = 0; i < n_layers; ++i) section.layers[i].layer = i;
        if (auto done = read_k(in, section); !done) return tl::unexpected(done.error());
        if (auto done = read_v(in, section); !done) return tl::unexpected(done.error());
        if (!in.ok()) return damaged("it ends inside the rows");
    }
    section.end = in.at();
    return section;
}

/// `element` bytes each: from columns (one value of all cells together) to rows (all values of one cell together).
void rows_from_columns(std::string_view columns, std::size_t cells, std::uint32_t element, std::uint32_t row_bytes,
                       std::span<const std::uint32_t> cell_of_row, std::string& out) {
    const std::size_t at = out.size();
    out.resize(at + cell_of_row.size() * row_bytes);
    for (std::size_t j = 0; j < row_bytes / element; ++j) {
        for (std::size_t r = 0; r < cell_of_row.size(); ++r) {
            std::memcpy(out.data() + at + r * row_bytes + j * element,
                        columns.data() + (j * cells + cell_of_row[r]) * element, element);
        }
    }
}

void append_rows(std::string_view file, std::uint64_t offset, std::uint32_t row_bytes,
                 std::span<const std::uint32_t> cells, std::string& out) {
    for (std::size_t i = 0; i < cells.size();) {
        std::size_t run = 1;  // neighbours in the file are copied together
        while (i + run < cells.size() && cells[i + run] == cells[i] + run) ++run;
        out += file.substr(offset + std::uint64_t{cells[i]} * row_bytes, run * row_bytes);
        i += run;
    }
}

}  // namespace

Result<SlotFile> parse_slot_file(std::string_view file, bool extensions) {
    Reader in(file);
    if (in.take(4) != magic) return damaged("wrong magic");
    if (in.number<std::uint32_t>() != slot_version) return fail(Errc::unsupported, "slot file: another version than 3");
    SlotFile out;
    out.extensions = extensions;
    const std::string_view block = in.take(std::uint64_t{in.number<std::uint32_t>()} * sizeof(Token));
    if (!in.ok()) return damaged("it ends inside the tokens");
    if (auto done = read_token_block(block, out); !done) return tl::unexpected(done.error());
    while (in.left() > 0) {
        auto section = read_section(in, extensions);
        if (!section) return tl::unexpected(section.error());
        out.sections.push_back(std::move(*section));
    }
    if (out.sections.empty()) return damaged("no sections");
    return out;
}

Result<std::vector<std::uint32_t>> rows_by_position(const SlotSection& section) {
    constexpr std::uint32_t none = 0xffff'ffff;
    std::vector<std::uint32_t> order(section.positions.size(), none);
    for (std::uint32_t cell = 0; cell < order.size(); ++cell) {
        const std::int32_t position = section.positions[cell];
        if (position < 0 || static_cast<std::size_t>(position) >= order.size() || order[position] != none) {
            return damaged("positions are not 0 to the number of cells");
        }
        order[position] = cell;
    }
    return order;
}

Result<std::string> cut_chunk(std::string_view file, const SlotFile& slot, const SlotSection& section,
                              std::span<const std::uint32_t> order, const CutOrder& cut, std::uint32_t align) {
    const std::uint64_t end = std::uint64_t{cut.start} + cut.n_tokens;
    if (cut.n_tokens == 0 || cut.n_tokens > chunk_tokens || end > order.size() || end > slot.tokens.size()) {
        return fail(Errc::bad_request, "slot file: no such tokens to cut");
    }
    const auto cells = order.subspan(cut.start, cut.n_tokens);
    Chunk chunk{cut.scope, cut.parent, cut.media, cut.start, section.layers};
    chunk.tokens.assign(slot.tokens.begin() + cut.start, slot.tokens.begin() + static_cast<std::ptrdiff_t>(end));
    if (slot.extensions) {
        for (const std::uint32_t cell : cells) {
            chunk.extensions += file.substr(
                section.extensions_at + std::uint64_t{cell} * (cell_bytes + extension_bytes), extension_bytes);
        }
    }
    std::string rows;
    rows.reserve(bytes_per_token(section.layers) * cut.n_tokens);
    std::vector<LayerPlace> places(section.layers.size());
    for (std::size_t i = 0; i < section.layers.size(); ++i) {
        const LayerRows& layer = section.layers[i];
        std::size_t at = rows.size();
        append_rows(file, section.k_offsets[i], layer.k_row_bytes, cells, rows);
        places[i].k_sum = checksum(std::string_view(rows).substr(at));
        at = rows.size();
        if (section.v_transposed) {
            rows_from_columns(file.substr(section.v_offsets[i]), section.positions.size(), section.v_element_bytes[i],
                              layer.v_row_bytes, cells, rows);
        } else {
            append_rows(file, section.v_offsets[i], layer.v_row_bytes, cells, rows);
        }
        places[i].v_sum = checksum(std::string_view(rows).substr(at));
    }
    auto out = encode_chunk_header(chunk, places, align);
    if (out) *out += rows;
    return out;
}

namespace {

const char* chain_fault(std::span<const ChunkFile> chunks, std::uint32_t n_tokens, const SlotTarget& target) {
    if (chunks.empty() || n_tokens == 0) return "no tokens";
    if (target.n_stream == 0 || target.n_stream > max_streams) return "number of streams";
    const Chunk& first = chunks[0].chunk->chunk;
    std::uint64_t tokens = 0;
    Digest parent{};
    for (const ChunkFile& part : chunks) {
        const Chunk& chunk = part.chunk->chunk;
        if (chunk.start != tokens || chunk.parent != parent || chunk.scope != first.scope)
            return "the chunks are no chain";
        if (chunk.layers != first.layers) return "the chunks have different layers";
        if (chunk.extensions.empty() != first.extensions.empty()) return "only some chunks have extensions";
        if (!is_zero(chunk.media) || !chunk.positions.empty()) return "media cannot be put together from chunks";
        if (part.file.size() != part.chunk->header_bytes + part.chunk->payload_bytes) return "wrong length of a chunk";
        tokens += chunk.tokens.size();
        parent = part.chunk->name;
    }
    if (tokens < n_tokens) return "fewer tokens in the chunks than wanted";
    if (!target.v_transposed) return nullptr;
    if (target.v_element_bytes.size() != first.layers.size()) return "sizes of V elements";
    for (std::size_t i = 0; i < first.layers.size(); ++i) {
        const std::uint32_t element = target.v_element_bytes[i];
        if (element == 0 || first.layers[i].v_row_bytes % element != 0) return "V rows that cannot be transposed";
    }
    return nullptr;
}

/// How many of a chunk's tokens belong to the first `n_tokens`.
std::uint32_t taken(const Chunk& chunk, std::uint32_t n_tokens) {
    return chunk.start >= n_tokens
               ? 0
               : std::min<std::uint32_t>(static_cast<std::uint32_t>(chunk.tokens.size()), n_tokens - chunk.start);
}

struct Assembly {
    std::span<const ChunkFile> chunks;
    std::uint32_t n_tokens;
    const SlotTarget& target;
    SlotPlan plan{};

    void add(std::string_view piece) {
        if (piece.empty()) return;
        plan.pieces.push_back(piece);
        plan.bytes += piece.size();
    }
    void add_owned(std::string text) { add(plan.owned.emplace_back(std::move(text))); }

    void head() {
        std::vector<Token> tokens;
        std::string cells;
        for (const ChunkFile& part : chunks) {
            const Chunk& chunk = part.chunk->chunk;
            const std::uint32_t n = taken(chunk, n_tokens);
            tokens.insert(tokens.end(), chunk.tokens.begin(), chunk.tokens.begin() + n);
            for (std::uint32_t i = 0; i < n; ++i) {
                put(cells, static_cast<std::int32_t>(chunk.start + i));
                put(cells, std::uint32_t{1});
                if (!chunk.extensions.empty()) cells += chunk.extensions.substr(i * extension_bytes, extension_bytes);
                put(cells, std::int32_t{0});
            }
        }
        std::string out(magic);
        put(out, slot_version);
        put(out, static_cast<std::uint32_t>(4 + tokens.size()));  // words: -1, version, count, tokens, no media
        put(out, media_token);
        put(out, packed_version);
        put(out, static_cast<std::uint32_t>(tokens.size()));
        out += bytes_of(tokens);
        put(out, std::uint32_t{0});
        put(out, target.n_stream);
        put(out, n_tokens);
        out += cells;
        put(out, static_cast<std::uint32_t>(target.v_transposed));
        put(out, static_cast<std::uint32_t>(chunks[0].chunk->chunk.layers.size()));
        add_owned(std::move(out));
    }
    void k(std::size_t layer) {
        const LayerRows& rows = chunks[0].chunk->chunk.layers[layer];
        std::string out;
        put(out, rows.k_type);
        put(out, std::uint64_t{rows.k_row_bytes});
        add_owned(std::move(out));
        for (const ChunkFile& part : chunks) {
            const std::size_t n = taken(part.chunk->chunk, n_tokens);
            add(k_rows(*part.chunk, layer, part.file).substr(0, n * rows.k_row_bytes));
        }
    }
    void v(std::size_t layer) {
        const LayerRows& rows = chunks[0].chunk->chunk.layers[layer];
        if (rows.v_row_bytes == 0) return;
        std::string out;
        put(out, rows.v_type);
        if (!target.v_transposed) {
            put(out, std::uint64_t{rows.v_row_bytes});
            add_owned(std::move(out));
            for (const ChunkFile& part : chunks) {
                const std::size_t n = taken(part.chunk->chunk, n_tokens);
                add(v_rows(*part.chunk, layer, part.file).substr(0, n * rows.v_row_bytes));
            }
            return;
        }
        const std::uint32_t element = target.v_element_bytes[layer];
        put(out, element);
        put(out, rows.v_row_bytes / element);
        const std::size_t at = out.size();
        out.resize(at + std::size_t{n_tokens} * rows.v_row_bytes);
        for (const ChunkFile& part : chunks) {
            const Chunk& chunk = part.chunk->chunk;
            const std::string_view source = v_rows(*part.chunk, layer, part.file);
            for (std::uint32_t i = 0; i < taken(chunk, n_tokens); ++i) {
                for (std::size_t j = 0; j < rows.v_row_bytes / element; ++j) {
                    std::memcpy(out.data() + at + (j * n_tokens + chunk.start + i) * element,
                                source.data() + i * std::size_t{rows.v_row_bytes} + j * element, element);
                }
            }
        }
        add_owned(std::move(out));
    }
};

}  // namespace

Result<SlotPlan> assemble_slot_file(std::span<const ChunkFile> chunks, std::uint32_t n_tokens,
                                    const SlotTarget& target) {
    if (const char* fault = chain_fault(chunks, n_tokens, target)) {
        return fail(Errc::bad_request, std::string("cannot put a slot file together: ") + fault);
    }
    Assembly assembly{chunks, n_tokens, target};
    assembly.head();
    const std::size_t n_layers = chunks[0].chunk->chunk.layers.size();
    for (std::size_t i = 0; i < n_layers; ++i) assembly.k(i);
    for (std::size_t i = 0; i < n_layers; ++i) assembly.v(i);
    std::string empty;
    for (std::uint32_t i = 1; i < target.n_stream; ++i) put(empty, std::uint32_t{0});
    assembly.add_owned(std::move(empty));
    return std::move(assembly.plan);
}

}  // namespace lc::kv
