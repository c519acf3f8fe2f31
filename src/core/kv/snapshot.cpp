#include "core/kv/snapshot.hpp"

#include <algorithm>

#include "core/kv/checksum.hpp"
#include "core/kv/wire.hpp"

namespace lc::kv {

namespace {

constexpr std::size_t fixed_bytes = 192, entry_bytes = 64, name_bytes = 48;
constexpr std::uint32_t max_sections = 256;
constexpr std::uint64_t max_section_bytes = 1ull << 36;  // sums of 256 do not overflow

tl::unexpected<Error> damaged(std::string_view why) {
    return fail(Errc::bad_request, "damaged snapshot: " + std::string(why));
}

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= name_bytes && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

const char* fault_of(const Snapshot& snapshot) {
    if (snapshot.n_tokens == 0) return "no tokens";
    if (is_zero(snapshot.prefix)) return "no prefix";
    if (snapshot.sections.empty() || snapshot.sections.size() > max_sections) return "number of sections";
    for (std::size_t i = 0; i < snapshot.sections.size(); ++i) {
        if (!is_name(snapshot.sections[i].name)) return "name of a section";
        if (i > 0 && snapshot.sections[i].name <= snapshot.sections[i - 1].name) return "sections are not ascending";
        if (snapshot.sections[i].bytes > max_section_bytes) return "size of a section";
    }
    return nullptr;
}

void put_name(std::string& out, const std::string& name) {
    out += name;
    put_zeros(out, name_bytes - name.size());
}

std::uint64_t payload_of(const Snapshot& snapshot) {
    std::uint64_t sum = 0;
    for (const Section& entry : snapshot.sections) sum += entry.bytes;
    return sum;
}

}  // namespace

Digest prefix_name(const Scope& scope, std::span<const Token> tokens, std::span<const Media> media) {
    const auto names = chunk_names(scope, tokens, media);
    return names.empty() ? Digest{} : names.back();
}

Digest snapshot_name(const Snapshot& snapshot) {
    std::string text = "localcode kv snapshot 1\n";
    put(text, snapshot.scope.name_space);
    put(text, snapshot.scope.identity);
    put(text, snapshot.prefix);
    put(text, snapshot.n_tokens);
    put(text, static_cast<std::uint32_t>(snapshot.sections.size()));
    for (const Section& entry : snapshot.sections) put_name(text, entry.name);
    return sha256(text);
}

Result<std::string> encode_snapshot_header(const Snapshot& snapshot, std::uint32_t align) {
    if (const char* fault = fault_of(snapshot)) return fail(Errc::bad_request, std::string("not a snapshot: ") + fault);
    if (!is_alignment(align)) return fail(Errc::bad_request, "not a snapshot: alignment");
    std::string out = begin_header(BlobKind::snapshot, snapshot.scope);
    put(out, snapshot.prefix);
    put(out, snapshot.n_tokens);
    put(out, static_cast<std::uint32_t>(snapshot.sections.size()));
    put(out, align);
    put_zeros(out, 20);
    for (const Section& entry : snapshot.sections) {
        put_name(out, entry.name);
        put(out, entry.bytes);
        put(out, entry.sum);
    }
    seal(out, align, payload_of(snapshot));
    return out;
}

Result<ParsedSnapshot> parse_snapshot(std::string_view bytes, std::uint64_t file_bytes) {
    const auto head = parse_head(bytes, file_bytes, BlobKind::snapshot);
    if (!head) return tl::unexpected(head.error());
    if (bytes.size() < head->header_bytes) return damaged("the header is not complete");
    ParsedSnapshot out;
    out.mac = head->mac;
    out.header_bytes = head->header_bytes;
    out.payload_bytes = head->payload_bytes;
    Snapshot& snapshot = out.snapshot;
    snapshot.scope = head->scope;
    Reader in(bytes.substr(0, head->header_bytes), head_bytes);
    snapshot.prefix = in.digest();
    snapshot.n_tokens = in.number<std::uint32_t>();
    const auto n_sections = in.number<std::uint32_t>();
    const auto align = in.number<std::uint32_t>();
    in.zeros(20);
    if (!in.ok() || n_sections == 0 || n_sections > max_sections || !is_alignment(align) ||
        head->header_bytes != (fixed_bytes + n_sections * entry_bytes + align - 1) / align * align) {
        return damaged("impossible sizes");
    }
    for (std::uint32_t i = 0; i < n_sections; ++i) {
        const std::string_view raw = in.take(name_bytes);
        const std::size_t length = std::min(raw.find('\0'), raw.size());
        if (raw.find_first_not_of('\0', length) != std::string_view::npos) return damaged("name of a section");
        Section& entry = snapshot.sections.emplace_back();
        entry.name = raw.substr(0, length);
        entry.bytes = in.number<std::uint64_t>();
        entry.sum = in.number<std::uint64_t>();
    }
    in.zeros(in.left());
    if (!in.ok()) return damaged("bytes that must be zero are not");
    if (const char* fault = fault_of(snapshot)) return damaged(fault);
    if (head->payload_bytes != payload_of(snapshot)) return damaged("wrong length of the sections");
    std::uint64_t at = head->header_bytes;
    for (const Section& entry : snapshot.sections) {
        out.offsets.push_back(at);
        at += entry.bytes;
    }
    out.name = snapshot_name(snapshot);
    return out;
}

Result<void> check_sections(const ParsedSnapshot& snapshot, std::string_view file) {
    if (file.size() != snapshot.header_bytes + snapshot.payload_bytes) return damaged("wrong length");
    for (std::size_t i = 0; i < snapshot.offsets.size(); ++i) {
        const Section& entry = snapshot.snapshot.sections[i];
        if (checksum(section(snapshot, i, file)) != entry.sum)
            return damaged("wrong checksum of section " + entry.name);
    }
    return {};
}

}  // namespace lc::kv
