#include "core/kv/chunk.hpp"

#include <algorithm>

#include "core/kv/checksum.hpp"
#include "core/kv/wire.hpp"

namespace lc::kv {

namespace {

constexpr std::size_t fixed_bytes = 224, layer_bytes = 40, extension_bytes = 12;
constexpr std::uint32_t max_layers = 4096, max_row_bytes = 1u << 24;
constexpr std::uint32_t has_positions = 1, has_extensions = 2;

tl::unexpected<Error> damaged(std::string_view why) {
    return fail(Errc::bad_request, "damaged chunk: " + std::string(why));
}

/// What a reader refuses, a writer does not write: one place for both. Null: fine.
const char* fault_of(const Chunk& chunk) {
    if (chunk.tokens.empty() || chunk.tokens.size() > chunk_tokens) return "1 to 256 tokens";
    if (chunk.start % chunk_tokens != 0) return "start is not a multiple of 256";
    if ((chunk.start == 0) != is_zero(chunk.parent)) return "parent and start contradict each other";
    if (chunk.layers.empty() || chunk.layers.size() > max_layers) return "number of layers";
    for (std::size_t i = 0; i < chunk.layers.size(); ++i) {
        const LayerRows& layer = chunk.layers[i];
        if (i > 0 && layer.layer <= chunk.layers[i - 1].layer) return "layers are not ascending";
        if (layer.k_row_bytes == 0 || layer.k_row_bytes > max_row_bytes) return "size of K rows";
        if (layer.v_row_bytes > max_row_bytes) return "size of V rows";
        if (layer.v_row_bytes == 0 && layer.v_type != 0) return "type of V rows that are not there";
    }
    bool media = false;
    for (const Token token : chunk.tokens) {
        if (token < media_token) return "token ids";
        media |= token == media_token;
    }
    if (media && is_zero(chunk.media)) return "media tokens without media";
    if (!chunk.positions.empty() && chunk.positions.size() != chunk.tokens.size()) return "number of positions";
    if (!chunk.extensions.empty() && chunk.extensions.size() != chunk.tokens.size() * extension_bytes) {
        return "size of the extensions";
    }
    return nullptr;
}

}  // namespace

std::uint64_t bytes_per_token(std::span<const LayerRows> layers) {
    std::uint64_t sum = 0;
    for (const LayerRows& layer : layers) sum += std::uint64_t{layer.k_row_bytes} + layer.v_row_bytes;
    return sum;
}

std::uint32_t chunk_header_bytes(std::size_t n_layers, std::size_t n_tokens, bool positions, bool extensions,
                                 std::uint32_t align) {
    const std::size_t a_token =
        sizeof(Token) + (positions ? sizeof(std::int32_t) : 0) + (extensions ? extension_bytes : 0);
    const std::size_t bytes = fixed_bytes + n_layers * layer_bytes + n_tokens * a_token;
    return static_cast<std::uint32_t>((bytes + align - 1) / align * align);
}

std::vector<LayerPlace> layer_places(std::span<const LayerRows> layers, std::uint32_t n_tokens,
                                     std::uint32_t header_bytes) {
    std::vector<LayerPlace> places;
    places.reserve(layers.size());
    std::uint64_t at = header_bytes;
    for (const LayerRows& layer : layers) {
        LayerPlace& place = places.emplace_back();
        place.k_offset = at;
        at += std::uint64_t{layer.k_row_bytes} * n_tokens;
        place.v_offset = at;
        at += std::uint64_t{layer.v_row_bytes} * n_tokens;
    }
    return places;
}

Result<std::string> encode_chunk_header(const Chunk& chunk, std::span<const LayerPlace> places, std::uint32_t align) {
    if (const char* fault = fault_of(chunk)) return fail(Errc::bad_request, std::string("not a chunk: ") + fault);
    if (places.size() != chunk.layers.size())
        return fail(Errc::bad_request, "not a chunk: one checksum pair for each layer");
    if (!is_alignment(align)) return fail(Errc::bad_request, "not a chunk: alignment");
    std::string out = begin_header(BlobKind::chunk, chunk.scope);
    put(out, chunk.parent);
    put(out, chunk.media);
    put(out, chunk.start);
    put(out, static_cast<std::uint32_t>(chunk.tokens.size()));
    put(out, static_cast<std::uint32_t>(chunk.layers.size()));
    put(out, align);
    put(out, (chunk.positions.empty() ? 0 : has_positions) | (chunk.extensions.empty() ? 0 : has_extensions));
    put_zeros(out, 12);
    for (std::size_t i = 0; i < places.size(); ++i) {
        const LayerRows& layer = chunk.layers[i];
        for (const auto number : {layer.layer, layer.k_type, layer.k_row_bytes, layer.v_type, layer.v_row_bytes, 0u}) {
            put(out, number);
        }
        put(out, places[i].k_sum);
        put(out, layer.v_row_bytes == 0 ? 0 : places[i].v_sum);
    }
    for (const Token token : chunk.tokens) put(out, token);
    for (const std::int32_t position : chunk.positions) put(out, position);
    out += chunk.extensions;
    seal(out, align, bytes_per_token(chunk.layers) * chunk.tokens.size());
    return out;
}

Result<ParsedChunk> parse_chunk(std::string_view bytes, std::uint64_t file_bytes) {
    const auto head = parse_head(bytes, file_bytes, BlobKind::chunk);
    if (!head) return tl::unexpected(head.error());
    if (bytes.size() < head->header_bytes) return damaged("the header is not complete");
    ParsedChunk out;
    out.mac = head->mac;
    out.header_bytes = head->header_bytes;
    out.payload_bytes = head->payload_bytes;
    Chunk& chunk = out.chunk;
    chunk.scope = head->scope;
    Reader in(bytes.substr(0, head->header_bytes), head_bytes);
    chunk.parent = in.digest();
    chunk.media = in.digest();
    chunk.start = in.number<std::uint32_t>();
    const auto n_tokens = in.number<std::uint32_t>();
    const auto n_layers = in.number<std::uint32_t>();
    const auto align = in.number<std::uint32_t>();
    const auto flags = in.number<std::uint32_t>();
    in.zeros(12);
    if (!in.ok() || n_tokens == 0 || n_tokens > chunk_tokens || n_layers == 0 || n_layers > max_layers ||
        !is_alignment(align) || (flags & ~(has_positions | has_extensions)) != 0 ||
        head->header_bytes !=
            chunk_header_bytes(n_layers, n_tokens, flags & has_positions, flags & has_extensions, align)) {
        return damaged("impossible sizes");
    }
    std::vector<LayerPlace> sums(n_layers);
    chunk.layers.resize(n_layers);
    for (std::uint32_t i = 0; i < n_layers; ++i) {
        LayerRows& layer = chunk.layers[i];
        for (auto* number : {&layer.layer, &layer.k_type, &layer.k_row_bytes, &layer.v_type, &layer.v_row_bytes}) {
            *number = in.number<std::uint32_t>();
        }
        in.zeros(4);
        sums[i].k_sum = in.number<std::uint64_t>();
        sums[i].v_sum = in.number<std::uint64_t>();
        if (layer.v_row_bytes == 0 && sums[i].v_sum != 0) return damaged("checksum of V rows that are not there");
    }
    chunk.tokens.resize(n_tokens);
    for (Token& token : chunk.tokens) token = in.number<Token>();
    if (flags & has_positions) {
        chunk.positions.resize(n_tokens);
        for (std::int32_t& position : chunk.positions) position = in.number<std::int32_t>();
    }
    if (flags & has_extensions) chunk.extensions = in.take(std::uint64_t{n_tokens} * extension_bytes);
    in.zeros(in.left());
    if (!in.ok()) return damaged("bytes that must be zero are not");
    if (const char* fault = fault_of(chunk)) return damaged(fault);
    if (head->payload_bytes != bytes_per_token(chunk.layers) * n_tokens) return damaged("wrong length of the rows");
    out.places = layer_places(chunk.layers, n_tokens, head->header_bytes);
    for (std::uint32_t i = 0; i < n_layers; ++i) {
        out.places[i].k_sum = sums[i].k_sum;
        out.places[i].v_sum = sums[i].v_sum;
    }
    out.name = chunk_name(chunk.scope, chunk.parent, chunk.media, chunk.tokens);
    return out;
}

Result<void> check_rows(const ParsedChunk& chunk, std::string_view file) {
    if (file.size() != chunk.header_bytes + chunk.payload_bytes) return damaged("wrong length");
    for (std::size_t i = 0; i < chunk.places.size(); ++i) {
        const LayerPlace& place = chunk.places[i];
        const bool v = chunk.chunk.layers[i].v_row_bytes != 0;
        if (checksum(k_rows(chunk, i, file)) != place.k_sum || (v && checksum(v_rows(chunk, i, file)) != place.v_sum)) {
            return damaged("wrong checksum of the rows of layer " + std::to_string(chunk.chunk.layers[i].layer));
        }
    }
    return {};
}

}  // namespace lc::kv
