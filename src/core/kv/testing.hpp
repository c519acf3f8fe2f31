// For tests: small valid files of each format, golden files, and what every parser must survive.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/kv/checksum.hpp"
#include "core/kv/chunk.hpp"
#include "core/kv/manifest.hpp"
#include "core/kv/snapshot.hpp"

namespace lc::kv::testing {

inline Scope test_scope(std::string_view tenant = "", std::string_view identity = "identity") {
    return {namespace_digest(tenant), sha256(identity)};
}

inline std::vector<Token> test_tokens(std::size_t n, std::uint32_t seed = 1) {
    std::vector<Token> out;
    for (std::size_t i = 0; i < n; ++i) {
        seed = seed * 1664525u + 1013904223u;
        out.push_back(static_cast<Token>(seed >> 15));
    }
    return out;
}

inline std::vector<LayerRows> test_layers(std::uint32_t n = 2, std::uint32_t row_bytes = 8) {
    std::vector<LayerRows> out;
    for (std::uint32_t i = 0; i < n; ++i) out.push_back({i, 1, row_bytes, 1, row_bytes});
    return out;
}

/// Rows that depend on what they are rows of, so that two chunks never hold the same bytes by accident.
inline std::string chunk_file(const Chunk& chunk, std::uint32_t align = 64) {
    const auto n = static_cast<std::uint32_t>(chunk.tokens.size());
    auto places = layer_places(chunk.layers, n, 0);
    std::string rows;
    for (std::size_t i = 0; i < places.size(); ++i) {
        for (const bool v : {false, true}) {
            std::string part;
            const std::size_t row = v ? chunk.layers[i].v_row_bytes : chunk.layers[i].k_row_bytes;
            for (const Token token : chunk.tokens) {
                for (std::size_t b = 0; b < row; ++b)
                    part.push_back(static_cast<char>(token * 7 + static_cast<Token>(b + i * 3 + v)));
            }
            (v ? places[i].v_sum : places[i].k_sum) = checksum(part);
            rows += part;
        }
    }
    return encode_chunk_header(chunk, places, align).value() + rows;
}

/// The chunk files of a prompt, in order.
inline std::vector<std::string> chunk_files(const Scope& scope, std::span<const Token> tokens,
                                            const std::vector<LayerRows>& layers = test_layers(),
                                            std::uint32_t align = 64) {
    std::vector<std::string> out;
    Digest parent{};
    for (std::size_t at = 0; at < tokens.size(); at += chunk_tokens) {
        const auto part = tokens.subspan(at, std::min<std::size_t>(chunk_tokens, tokens.size() - at));
        Chunk chunk{scope, parent, {}, static_cast<std::uint32_t>(at), layers, {part.begin(), part.end()}};
        out.push_back(chunk_file(chunk, align));
        parent = parse_chunk(out.back(), out.back().size()).value().name;
    }
    return out;
}

inline std::string snapshot_file(Snapshot snapshot, std::span<const std::string> sections, std::uint32_t align = 64) {
    std::string payload;
    for (std::size_t i = 0; i < sections.size(); ++i) {
        snapshot.sections[i].bytes = sections[i].size();
        snapshot.sections[i].sum = checksum(sections[i]);
        payload += sections[i];
    }
    return encode_snapshot_header(snapshot, align).value() + payload;
}

/// `bytes` equals testdata/NAME.hex. With LOCALCODE_WRITE_GOLDEN set the file is written instead.
inline void expect_golden(const char* test_file, const std::string& name, std::string_view bytes) {
    const auto path = std::filesystem::path(test_file).parent_path() / "testdata" / (name + ".hex");
    std::string text;
    constexpr char digits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        text += {digits[static_cast<unsigned char>(bytes[i]) >> 4], digits[bytes[i] & 15]};
        if (i % 32 == 31 || i + 1 == bytes.size()) text += '\n';
    }
    if (std::getenv("LOCALCODE_WRITE_GOLDEN") != nullptr) std::ofstream(path) << text;
    std::ifstream in(path);
    std::stringstream stored;
    stored << in.rdbuf();
    EXPECT_EQ(stored.str(), text) << "the format has changed: " << path;
}

/// Every byte of the first `header_bytes` flipped (each bit pattern of `masks`), and the file cut at every length:
/// `parse(bytes, size)` must refuse it.
template <class Parse>
void expect_damage_refused(const std::string& file, std::size_t header_bytes, Parse&& parse) {
    for (std::size_t at = 0; at < header_bytes; ++at) {
        for (const char mask : {'\x01', '\x80', '\xff'}) {
            std::string bad = file;
            bad[at] = static_cast<char>(bad[at] ^ mask);
            EXPECT_FALSE(parse(std::string_view(bad))) << "byte " << at << " flipped";
        }
    }
    for (std::size_t size = 0; size < file.size(); ++size) {
        EXPECT_FALSE(parse(std::string_view(file).substr(0, size))) << "cut at " << size;
    }
    EXPECT_FALSE(parse(file + '\0'));
}

}  // namespace lc::kv::testing
