#include "core/kv/head.hpp"

#include <algorithm>
#include <array>

#include "core/kv/checksum.hpp"
#include "core/kv/wire.hpp"

namespace lc::kv {

namespace {

constexpr std::size_t header_bytes_at = 12, payload_bytes_at = 16, checksum_at = 24;
constexpr std::uint64_t max_payload = 1ull << 40;

std::string_view magic_of(BlobKind kind) {
    switch (kind) {
        case BlobKind::chunk: return "LCKVCHNK";
        case BlobKind::snapshot: return "LCKVSNAP";
        case BlobKind::manifest: return "LCKVMANI";
    }
    return {};
}

/// As if the eight bytes of the checksum were zero.
std::uint64_t header_checksum(std::string_view header) {
    // Headers are small (a manifest of 100,000 tokens: some 300 kB), and XXH3 has no cheap way to skip bytes.
    std::string copy(header);
    put_at(copy, checksum_at, std::uint64_t{0});
    return checksum(copy);
}

tl::unexpected<Error> damaged(BlobKind kind, std::string_view why) {
    return fail(Errc::bad_request, "damaged " + std::string(name_of(kind)) + ": " + std::string(why));
}

}  // namespace

std::string_view name_of(BlobKind kind) {
    switch (kind) {
        case BlobKind::chunk: return "chunk";
        case BlobKind::snapshot: return "snapshot";
        case BlobKind::manifest: return "manifest";
    }
    return "blob";
}

bool is_alignment(std::uint32_t align) {
    return align != 0 && align <= 65'536 && (align & (align - 1)) == 0;
}

Result<Head> parse_head(std::string_view bytes, std::uint64_t file_bytes, BlobKind kind) {
    if (bytes.size() < head_bytes) return damaged(kind, "shorter than its head");
    Reader in(bytes);
    if (in.take(8) != magic_of(kind)) return damaged(kind, "wrong magic");
    const auto version = in.number<std::uint32_t>();
    if (version != format_version) {
        // A flipped bit must not make a file look like a later version's: those are left alone, not quarantined.
        if (version == 0 || version > 1000) return damaged(kind, "impossible version");
        return fail(Errc::unsupported, std::string(name_of(kind)) + " of format version " + std::to_string(version));
    }
    Head head;
    head.kind = kind;
    head.header_bytes = in.number<std::uint32_t>();
    head.payload_bytes = in.number<std::uint64_t>();
    const auto sum = in.number<std::uint64_t>();
    head.mac = in.digest();
    head.scope.name_space = in.digest();
    head.scope.identity = in.digest();
    if (head.header_bytes < head_bytes || head.payload_bytes > max_payload ||
        head.header_bytes + head.payload_bytes != file_bytes) {
        return damaged(kind, "wrong length");
    }
    if (bytes.size() >= head.header_bytes && header_checksum(bytes.substr(0, head.header_bytes)) != sum) {
        return damaged(kind, "wrong checksum of the header");
    }
    return head;
}

std::string begin_header(BlobKind kind, const Scope& scope) {
    std::string out(magic_of(kind));
    put(out, format_version);
    put_zeros(out, 4 + 8 + 8 + 32);  // header_bytes, payload_bytes, checksum, mac
    put(out, scope.name_space);
    put(out, scope.identity);
    return out;
}

void seal(std::string& header, std::uint32_t align, std::uint64_t payload_bytes) {
    header.resize((header.size() + align - 1) / align * align, '\0');
    put_at(header, header_bytes_at, static_cast<std::uint32_t>(header.size()));
    put_at(header, payload_bytes_at, payload_bytes);
    put_at(header, checksum_at, header_checksum(header));
}

Digest namespace_digest(std::string_view tenant) {
    return Sha256().update("localcode kv namespace 1\n").update(tenant).finish();
}

Digest media_digest(std::span<const Media> media, std::uint32_t start, std::uint32_t n) {
    std::string text;
    // Ascending and not overlapping, so their ends ascend too.
    auto item = std::upper_bound(media.begin(), media.end(), start,
                                 [](std::uint32_t at, const Media& m) { return at < m.start + m.n_tokens; });
    for (; item != media.end() && item->start < start + n; ++item) {
        put(text, static_cast<std::int32_t>(item->start) - static_cast<std::int32_t>(start));
        put(text, item->n_tokens);
        put(text, item->digest);
    }
    if (text.empty()) return {};
    return Sha256().update("localcode kv media 1\n").update(text).finish();
}

Digest chunk_name(const Scope& scope, const Digest& parent, const Digest& media, std::span<const Token> tokens) {
    std::string text = "localcode kv chunk 1\n";
    text.reserve(text.size() + 4 * 32 + 4 + tokens.size_bytes());
    put(text, scope.name_space);
    put(text, scope.identity);
    put(text, parent);
    put(text, media);
    put(text, static_cast<std::uint32_t>(tokens.size()));
    text.append(reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes());
    return sha256(text);
}

std::vector<Digest> chunk_names(const Scope& scope, std::span<const Token> tokens, std::span<const Media> media) {
    std::vector<Digest> names;
    names.reserve((tokens.size() + chunk_tokens - 1) / chunk_tokens);
    Digest parent{};
    for (std::size_t at = 0; at < tokens.size(); at += chunk_tokens) {
        const auto part = tokens.subspan(at, std::min<std::size_t>(chunk_tokens, tokens.size() - at));
        const auto start = static_cast<std::uint32_t>(at);
        parent = chunk_name(scope, parent, media_digest(media, start, static_cast<std::uint32_t>(part.size())), part);
        names.push_back(parent);
    }
    return names;
}

bool media_fit(std::span<const Media> media, std::span<const Token> tokens) {
    std::size_t at = 0;
    const auto no_media = [&](std::size_t end) {
        return std::all_of(tokens.begin() + static_cast<std::ptrdiff_t>(at),
                           tokens.begin() + static_cast<std::ptrdiff_t>(end), [](Token token) { return token >= 0; });
    };
    for (const Media& item : media) {
        if (item.n_tokens == 0 || item.start < at || item.start > tokens.size() ||
            item.n_tokens > tokens.size() - item.start || !no_media(item.start)) {
            return false;
        }
        const auto part = tokens.subspan(item.start, item.n_tokens);
        if (!std::all_of(part.begin(), part.end(), [](Token token) { return token == media_token; })) return false;
        at = item.start + item.n_tokens;
    }
    return no_media(tokens.size());
}

}  // namespace lc::kv
