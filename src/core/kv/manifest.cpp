#include "core/kv/manifest.hpp"

#include <optional>

#include "core/kv/wire.hpp"

namespace lc::kv {

namespace {

constexpr std::size_t max_file_bytes = 64u << 20;
constexpr std::uint32_t max_tokens = 1u << 24, max_snapshots = 4096, max_keys = 65'536;
constexpr std::size_t max_text = 512;

tl::unexpected<Error> damaged(std::string_view why) {
    return fail(Errc::bad_request, "damaged manifest: " + std::string(why));
}

template <class List>
bool ascending_within(const List& list, std::size_t n_tokens) {
    std::uint32_t last = 1;
    for (const auto& entry : list) {
        if (entry.n_tokens < last || entry.n_tokens > n_tokens) return false;
        last = entry.n_tokens;
    }
    return true;
}

const char* fault_of(const Manifest& m) {
    if (m.tokens.empty() || m.tokens.size() > max_tokens) return "number of tokens";
    if (m.session.size() > max_text || m.model.size() > max_text) return "length of session or model";
    if (m.snapshots.size() > max_snapshots || m.keys.size() > max_keys) return "number of snapshots or keys";
    for (const Token token : m.tokens) {
        if (token < media_token) return "token ids";
    }
    if (!media_fit(m.media, m.tokens)) return "media do not fit the tokens";
    if (!ascending_within(m.snapshots, m.tokens.size())) return "tokens of snapshots";
    if (!ascending_within(m.keys, m.tokens.size())) return "tokens of keys";
    if (!m.has_chunks && m.snapshots.empty()) return "neither chunks nor snapshots";
    return nullptr;
}

void put_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<char>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<char>(value));
}

/// Only the shortest form, so that there is one encoding for each manifest.
std::optional<std::uint64_t> take_varint(Reader& in) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        const auto byte = in.number<std::uint8_t>();
        if (!in.ok()) return std::nullopt;
        value |= std::uint64_t{byte & 0x7fu} << shift;
        if ((byte & 0x80) == 0) return byte == 0 && shift > 0 ? std::nullopt : std::optional(value);
    }
    return std::nullopt;
}

std::string token_block(std::span<const Token> tokens) {
    std::string out;
    out.reserve(tokens.size() * 3);
    std::int64_t before = 0;
    for (const Token token : tokens) {
        const std::int64_t difference = token - before;
        put_varint(out, (static_cast<std::uint64_t>(difference) << 1) ^ static_cast<std::uint64_t>(difference >> 63));
        before = token;
    }
    return out;
}

bool read_tokens(std::string_view block, std::uint32_t count, std::vector<Token>& tokens) {
    if (count > block.size()) return false;  // each takes at least a byte: bounds what is allocated
    Reader in(block);
    tokens.reserve(count);
    std::int64_t value = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto raw = take_varint(in);
        if (!raw) return false;
        value += static_cast<std::int64_t>(*raw >> 1) ^ -static_cast<std::int64_t>(*raw & 1);
        if (value < media_token || value > INT32_MAX) return false;
        tokens.push_back(static_cast<Token>(value));
    }
    return in.left() == 0;
}

}  // namespace

Digest manifest_name(std::string_view file) {
    static constexpr char zeros[40] = {};
    return Sha256().update(file.substr(0, 24)).update({zeros, sizeof zeros}).update(file.substr(64)).finish();
}

Result<std::string> encode_manifest(const Manifest& m) {
    if (const char* fault = fault_of(m)) return fail(Errc::bad_request, std::string("not a manifest: ") + fault);
    const auto chunks = m.has_chunks ? chunk_names(m.scope, m.tokens, m.media) : std::vector<Digest>{};
    const std::string tokens = token_block(m.tokens);
    std::string out = begin_header(BlobKind::manifest, m.scope);
    put(out, m.rendering);
    put(out, m.saved_ms);
    put(out, static_cast<std::uint32_t>(m.tokens.size()));
    put(out, chunk_tokens);
    for (const std::size_t count : {m.media.size(), chunks.size(), m.snapshots.size(), m.keys.size(), tokens.size()}) {
        put(out, static_cast<std::uint32_t>(count));
    }
    put(out, static_cast<std::uint16_t>(m.session.size()));
    put(out, static_cast<std::uint16_t>(m.model.size()));
    put_zeros(out, 24);
    out += m.session;
    out += m.model;
    for (const Media& item : m.media) {
        put(out, item.start);
        put(out, item.n_tokens);
        put(out, item.digest);
    }
    for (const Digest& name : chunks) put(out, name);
    for (const SnapshotRef& ref : m.snapshots) {
        put(out, ref.name);
        put(out, ref.n_tokens);
        put_zeros(out, 4);
        put(out, ref.bytes);
    }
    for (const StateKey& key : m.keys) {
        put(out, key.key);
        put(out, key.n_tokens);
        put(out, static_cast<std::uint32_t>(key.kind));
    }
    out += tokens;
    if (out.size() > max_file_bytes) return fail(Errc::bad_request, "not a manifest: too large");
    seal(out, 1, 0);
    return out;
}

Result<ParsedManifest> parse_manifest(std::string_view file) {
    if (file.size() > max_file_bytes) return damaged("too large");
    const auto head = parse_head(file, file.size(), BlobKind::manifest);
    if (!head) return tl::unexpected(head.error());
    if (head->payload_bytes != 0) return damaged("wrong length");
    ParsedManifest out;
    out.mac = head->mac;
    Manifest& m = out.manifest;
    m.scope = head->scope;
    Reader in(file, head_bytes);
    m.rendering = in.digest();
    m.saved_ms = in.number<std::int64_t>();
    const auto n_tokens = in.number<std::uint32_t>();
    const auto per_chunk = in.number<std::uint32_t>();
    const auto n_media = in.number<std::uint32_t>();
    const auto n_chunks = in.number<std::uint32_t>();
    const auto n_snapshots = in.number<std::uint32_t>();
    const auto n_keys = in.number<std::uint32_t>();
    const auto token_bytes = in.number<std::uint32_t>();
    const auto session_bytes = in.number<std::uint16_t>();
    const auto model_bytes = in.number<std::uint16_t>();
    in.zeros(24);
    // Sizes are checked against what is there before anything is allocated.
    const std::uint64_t wanted = std::uint64_t{session_bytes} + model_bytes + 40ull * n_media + 32ull * n_chunks +
                                 48ull * n_snapshots + 40ull * n_keys + token_bytes;
    if (!in.ok() || per_chunk != chunk_tokens || n_tokens == 0 || n_tokens > max_tokens || wanted != in.left() ||
        (n_chunks != 0 && n_chunks != (n_tokens + chunk_tokens - 1) / chunk_tokens)) {
        return damaged("impossible sizes");
    }
    m.has_chunks = n_chunks != 0;
    m.session = in.take(session_bytes);
    m.model = in.take(model_bytes);
    m.media.resize(n_media);
    for (Media& item : m.media) {
        item.start = in.number<std::uint32_t>();
        item.n_tokens = in.number<std::uint32_t>();
        item.digest = in.digest();
    }
    out.chunks.resize(n_chunks);
    for (Digest& name : out.chunks) name = in.digest();
    m.snapshots.resize(n_snapshots);
    for (SnapshotRef& ref : m.snapshots) {
        ref.name = in.digest();
        ref.n_tokens = in.number<std::uint32_t>();
        in.zeros(4);
        ref.bytes = in.number<std::uint64_t>();
    }
    m.keys.resize(n_keys);
    for (StateKey& key : m.keys) {
        key.key = in.digest();
        key.n_tokens = in.number<std::uint32_t>();
        const auto kind = in.number<std::uint32_t>();
        if (kind < static_cast<std::uint32_t>(KeyKind::head) || kind > static_cast<std::uint32_t>(KeyKind::answer)) {
            return damaged("kind of a key");
        }
        key.kind = static_cast<KeyKind>(kind);
    }
    if (!read_tokens(in.take(token_bytes), n_tokens, m.tokens) || !in.ok()) return damaged("tokens");
    if (const char* fault = fault_of(m)) return damaged(fault);
    if (m.has_chunks && out.chunks != chunk_names(m.scope, m.tokens, m.media)) return damaged("names of chunks");
    out.name = manifest_name(file);
    return out;
}

}  // namespace lc::kv
