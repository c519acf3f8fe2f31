#include "core/kv/identity.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>

#include "core/kv/wire.hpp"

namespace lc::kv {

namespace {

tl::unexpected<Error> refuse(std::string_view key, std::string_view why) {
    return fail(Errc::bad_request, "identity: '" + std::string(key) + "' " + std::string(why));
}

/// "10000" and "1e4" are the same number; 17 digits tell all doubles apart.
std::optional<std::string> canonical_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    char out[40];
    const int size = std::snprintf(out, sizeof out, "%.17g", value == 0 ? 0.0 : value);
    return std::string(out, static_cast<std::size_t>(size));
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> out;
    while (true) {
        const std::size_t space = text.find(' ');
        out.push_back(text.substr(0, space));
        if (space == std::string_view::npos) return out;
        text.remove_prefix(space + 1);
    }
}

Result<void> read(std::vector<Digest>& out, std::string_view key, const std::string& value) {
    const auto digest = digest_of_hex(value);
    if (!digest) return refuse(key, "is not a SHA-256");
    out.push_back(*digest);
    return {};
}

Result<void> read(std::vector<Adapter>& out, std::string_view key, const std::string& value) {
    const auto parts = words(value);
    const auto digest = digest_of_hex(parts[0]);
    const auto scale = parts.size() > 1 ? canonical_number(parts[1]) : std::nullopt;
    if (!digest || !scale || (parts.size() != 2 && parts.size() != 4))
        return refuse(key, "must be 'HEX SCALE [FIRST LAST]'");
    Adapter adapter{*digest, *scale};
    for (std::size_t i = 2; i < parts.size(); ++i) {
        int& layer = i == 2 ? adapter.layer_first : adapter.layer_last;
        const auto [end, error] = std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), layer);
        if (error != std::errc() || end != parts[i].data() + parts[i].size()) return refuse(key, "has no layer range");
    }
    out.push_back(adapter);
    return {};
}

Result<void> read_bool(bool& out, std::string_view key, const std::string& value) {
    if (value != "true" && value != "false") return refuse(key, "must be true or false");
    out = value == "true";
    return {};
}

Result<void> read_text(std::string& out, std::string_view key, const std::string& value) {
    if (value.empty()) return refuse(key, "is empty");
    out = value;
    return {};
}

Result<void> read_number(std::string& out, std::string_view key, const std::string& value) {
    auto number = canonical_number(value);
    if (!number) return refuse(key, "is not a number");
    out = std::move(*number);
    return {};
}

enum class Need { once, any };
using Read = Result<void> (*)(Identity&, std::string_view key, const std::string& value);
struct Known {
    std::string_view key;
    Need need;
    Read read;
};

/// Every field of Identity, once. identity_digest goes through the struct itself, so a field forgotten here is a report
/// that is refused, never one that is ignored.
constexpr Known known[] = {
    {"model", Need::any, [](Identity& i, std::string_view k, const std::string& v) { return read(i.model, k, v); }},
    {"mmproj", Need::any, [](Identity& i, std::string_view k, const std::string& v) { return read(i.mmproj, k, v); }},
    {"draft", Need::any, [](Identity& i, std::string_view k, const std::string& v) { return read(i.draft, k, v); }},
    {"override_kv", Need::any,
     [](Identity& i, std::string_view k, const std::string& v) {
         return read_text(i.override_kv.emplace_back(), k, v);
     }},
    {"k_type", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_text(i.k_type, k, v); }},
    {"v_type", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_text(i.v_type, k, v); }},
    {"flash_attention", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_bool(i.flash_attention, k, v); }},
    {"kv_rotation", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_bool(i.kv_rotation, k, v); }},
    {"swa_full", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_bool(i.swa_full, k, v); }},
    {"n_swa", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_number(i.n_swa, k, v); }},
    {"rope_type", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_text(i.rope_type, k, v); }},
    {"rope_base", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_number(i.rope_base, k, v); }},
    {"rope_scale", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_number(i.rope_scale, k, v); }},
    {"yarn_orig_ctx", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_number(i.yarn_orig_ctx, k, v); }},
    {"yarn_ext", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_number(i.yarn_ext, k, v); }},
    {"yarn_attn", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_number(i.yarn_attn, k, v); }},
    {"yarn_beta_fast", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_number(i.yarn_beta_fast, k, v); }},
    {"yarn_beta_slow", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_number(i.yarn_beta_slow, k, v); }},
    {"loras", Need::any, [](Identity& i, std::string_view k, const std::string& v) { return read(i.loras, k, v); }},
    {"control_vectors", Need::any,
     [](Identity& i, std::string_view k, const std::string& v) { return read(i.control_vectors, k, v); }},
    {"sections", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_text(i.sections, k, v); }},
    {"build", Need::once,
     [](Identity& i, std::string_view k, const std::string& v) { return read_text(i.build, k, v); }},
};

/// Lengths before texts: no two identities share an encoding.
struct Encoder {
    std::string out = "localcode kv identity 1\n";

    void text(std::string_view value) {
        put(out, static_cast<std::uint64_t>(value.size()));
        out += value;
    }
    void flag(bool value) { out.push_back(value ? 1 : 0); }
    template <class T, class Fn>
    void list(const std::vector<T>& values, Fn&& each) {
        put(out, static_cast<std::uint64_t>(values.size()));
        for (const T& value : values) each(value);
    }
};

}  // namespace

Result<Digest> digest_of_hex(std::string_view hex) {
    Digest out{};
    if (hex.size() != out.size() * 2) return fail(Errc::bad_request, "not a SHA-256 in hexadecimal");
    const auto nibble = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0) return fail(Errc::bad_request, "not a SHA-256 in hexadecimal");
        out[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return out;
}

Result<Identity> identity_of(std::span<const ReportField> report) {
    Identity identity;
    for (const Known& field : known) {
        const auto count =
            std::count_if(report.begin(), report.end(), [&](const auto& f) { return f.key == field.key; });
        if (field.need == Need::once && count != 1)
            return refuse(field.key, count == 0 ? "is missing" : "is there twice");
    }
    for (const ReportField& line : report) {
        const auto* field =
            std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return k.key == line.key; });
        if (field == std::end(known)) return refuse(line.key, "is not known");
        if (auto done = field->read(identity, line.key, line.value); !done) return tl::unexpected(done.error());
    }
    if (identity.model.empty()) return refuse("model", "is missing");
    if (identity.mmproj.size() > 1) return refuse("mmproj", "is there twice");
    return identity;
}

Digest identity_digest(const Identity& identity) {
    // A structured binding of all fields: one that is added to the struct does not compile until it is encoded here.
    const auto& [model, mmproj, draft, override_kv, k_type, v_type, flash_attention, kv_rotation, swa_full, n_swa,
                 rope_type, rope_base, rope_scale, yarn_orig_ctx, yarn_ext, yarn_attn, yarn_beta_fast, yarn_beta_slow,
                 loras, control_vectors, sections, build] = identity;
    Encoder encoder;
    const auto digest = [&](const Digest& value) { put(encoder.out, value); };
    const auto adapter = [&](const Adapter& value) {
        digest(value.file);
        encoder.text(value.scale);
        put(encoder.out, value.layer_first);
        put(encoder.out, value.layer_last);
    };
    encoder.list(model, digest);
    encoder.list(mmproj, digest);
    encoder.list(draft, digest);
    encoder.list(override_kv, [&](const std::string& value) { encoder.text(value); });
    for (const auto* value : {&k_type, &v_type}) encoder.text(*value);
    for (const bool value : {flash_attention, kv_rotation, swa_full}) encoder.flag(value);
    for (const auto* value : {&n_swa, &rope_type, &rope_base, &rope_scale, &yarn_orig_ctx, &yarn_ext, &yarn_attn,
                              &yarn_beta_fast, &yarn_beta_slow}) {
        encoder.text(*value);
    }
    encoder.list(loras, adapter);
    encoder.list(control_vectors, adapter);
    for (const auto* value : {&sections, &build}) encoder.text(*value);
    return sha256(encoder.out);
}

}  // namespace lc::kv
