#include "core/kv/slot_file.hpp"

#include <gtest/gtest.h>

#include "core/kv/testing.hpp"
#include "core/kv/wire.hpp"

namespace lc::kv {
namespace {

using namespace lc::kv::testing;

struct Shape {
    std::uint32_t n_stream = 2, stream = 1;
    bool transposed = false, extensions = false, packed = true;
    std::uint32_t sections = 1;
};

constexpr std::uint32_t k_row = 6, v_row = 4, element = 2, layers = 3;

char value(std::uint32_t layer, bool v, std::int32_t position, std::uint32_t byte) {
    return static_cast<char>(layer * 64 + v * 32 + static_cast<std::uint32_t>(position) * 5 + byte);
}

/// As llama_kv_cache::state_write does it, for cells at `positions`.
void put_section(std::string& out, const Shape& shape, const std::vector<std::int32_t>& positions) {
    put(out, shape.n_stream);
    for (std::uint32_t s = 0; s < shape.n_stream; ++s) {
        put(out, s == shape.stream ? static_cast<std::uint32_t>(positions.size()) : 0u);
        if (s != shape.stream) continue;
        for (const std::int32_t position : positions) {
            put(out, position);
            put(out, 1u);
            if (shape.extensions) out += "ext" + std::to_string(100'000'000 + position);
            put(out, 5);
        }
        put(out, std::uint32_t{shape.transposed});
        put(out, layers);
        for (std::uint32_t l = 0; l < layers; ++l) {
            put(out, 1u);
            put(out, std::uint64_t{k_row});
            for (const auto p : positions) {
                for (std::uint32_t b = 0; b < k_row; ++b) out.push_back(value(l, false, p, b));
            }
        }
        for (std::uint32_t l = 0; l < layers; ++l) {
            put(out, 1u);
            if (!shape.transposed) {
                put(out, std::uint64_t{v_row});
                for (const auto p : positions) {
                    for (std::uint32_t b = 0; b < v_row; ++b) out.push_back(value(l, true, p, b));
                }
                continue;
            }
            put(out, element);
            put(out, v_row / element);
            for (std::uint32_t j = 0; j < v_row / element; ++j) {
                for (const auto p : positions) {
                    for (std::uint32_t b = 0; b < element; ++b) out.push_back(value(l, true, p, j * element + b));
                }
            }
        }
    }
}

std::string slot_file(const Shape& shape, const std::vector<Token>& tokens,
                      const std::vector<std::int32_t>& positions) {
    std::string block;
    if (shape.packed) {
        put(block, media_token);
        put(block, 1u);
        put(block, static_cast<std::uint32_t>(tokens.size()));
    }
    for (const Token token : tokens) put(block, token);
    if (shape.packed) put(block, 0u);
    std::string out = "qsgg";
    put(out, 3u);
    put(out, static_cast<std::uint32_t>(block.size() / 4));
    out += block;
    for (std::uint32_t i = 0; i < shape.sections; ++i) put_section(out, shape, positions);
    return out;
}

std::vector<std::int32_t> in_order(std::int32_t n) {
    std::vector<std::int32_t> out;
    for (std::int32_t i = 0; i < n; ++i) out.push_back(i);
    return out;
}

std::vector<std::string> cut_all(const std::string& file, bool extensions) {
    const auto slot = parse_slot_file(file, extensions).value();
    const auto order = rows_by_position(slot.sections[0]).value();
    std::vector<std::string> out;
    Digest parent{};
    for (std::uint32_t at = 0; at < order.size(); at += chunk_tokens) {
        const auto n = std::min<std::uint32_t>(chunk_tokens, static_cast<std::uint32_t>(order.size()) - at);
        out.push_back(cut_chunk(file, slot, slot.sections[0], order, {test_scope(), parent, {}, at, n}).value());
        parent = parse_chunk(out.back(), out.back().size()).value().name;
    }
    return out;
}

std::string assemble(const std::vector<std::string>& files, std::uint32_t n, const SlotTarget& target) {
    std::vector<ParsedChunk> parsed;
    for (const auto& file : files) parsed.push_back(parse_chunk(file, file.size()).value());
    std::vector<ChunkFile> chunks;
    for (std::size_t i = 0; i < files.size(); ++i) chunks.push_back({&parsed[i], files[i]});
    const auto plan = assemble_slot_file(chunks, n, target);
    if (!plan) return "error: " + plan.error().detail;
    std::string out;
    for (const auto piece : plan->pieces) out += piece;
    EXPECT_EQ(out.size(), plan->bytes);
    return out;
}

/// What the engine would write for slot 0: sequence id 0, stream 0.
std::string expected(Shape shape, const std::vector<Token>& tokens, std::int32_t n) {
    shape.stream = 0;
    shape.packed = true;
    std::string out = slot_file(shape, {tokens.begin(), tokens.begin() + n}, in_order(n));
    // The writer above puts 5 as sequence id.
    const std::size_t a_cell = shape.extensions ? 24 : 12;
    const std::size_t cells = 12 + (4 + static_cast<std::size_t>(n)) * 4 + 8;
    for (std::int32_t i = 0; i < n; ++i)
        put_at(out, cells + static_cast<std::size_t>(i) * a_cell + a_cell - 4, std::int32_t{0});
    return out;
}

TEST(SlotFile, CutAndPutTogether) {
    const struct {
        const char* name;
        Shape shape;
        std::int32_t n, take;
    } cases[] = {
        {"unified", {1, 0}, 300, 300},
        {"split", {4, 2}, 300, 300},
        {"less than all", {2, 1}, 700, 513},
        {"inside the first chunk", {2, 1}, 700, 3},
        {"V transposed", {2, 1, true}, 300, 300},
        {"extensions", {2, 1, false, true}, 300, 299},
        {"old token list", {1, 0, false, false, false}, 20, 20},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto tokens = test_tokens(static_cast<std::size_t>(c.n));
        const auto files = cut_all(slot_file(c.shape, tokens, in_order(c.n)), c.shape.extensions);
        for (const auto& file : files) EXPECT_TRUE(check_rows(parse_chunk(file, file.size()).value(), file));
        SlotTarget target{c.shape.n_stream, c.shape.transposed};
        if (c.shape.transposed) target.v_element_bytes.assign(layers, element);
        EXPECT_EQ(assemble(files, static_cast<std::uint32_t>(c.take), target), expected(c.shape, tokens, c.take));
    }
}

TEST(SlotFile, FlashAttentionOnAndOffShareChunks) {
    const auto tokens = test_tokens(300);
    const auto rows = cut_all(slot_file({1, 0, false}, tokens, in_order(300)), false);
    const auto transposed = cut_all(slot_file({1, 0, true}, tokens, in_order(300)), false);
    EXPECT_EQ(rows, transposed);
}

TEST(SlotFile, CellsMayBeInAnyOrder) {
    const auto tokens = test_tokens(300);
    auto positions = in_order(300);
    std::reverse(positions.begin(), positions.begin() + 150);
    for (const bool transposed : {false, true}) {
        EXPECT_EQ(cut_all(slot_file({1, 0, transposed, true}, tokens, positions), true),
                  cut_all(slot_file({1, 0, transposed, true}, tokens, in_order(300)), true));
    }
    positions[0] = positions[1];
    auto file = slot_file({}, tokens, positions);
    EXPECT_FALSE(rows_by_position(parse_slot_file(file, false)->sections[0])) << "twice the same position";
    positions[0] = 300;
    file = slot_file({}, tokens, positions);
    EXPECT_FALSE(rows_by_position(parse_slot_file(file, false)->sections[0])) << "a gap, as after a shift";
}

TEST(SlotFile, TwoSections) {
    Shape shape;
    shape.sections = 2;
    EXPECT_EQ(parse_slot_file(slot_file(shape, test_tokens(20), in_order(20)), false).value().sections.size(), 2u);
}

TEST(SlotFile, ForeignBytes) {
    const auto tokens = test_tokens(10);
    const std::string file = slot_file({}, tokens, in_order(10));
    EXPECT_EQ(parse_slot_file(file, false).value().tokens, tokens);
    for (std::size_t size = 0; size < file.size(); ++size) {
        const auto cut = parse_slot_file(std::string_view(file).substr(0, size), false);
        EXPECT_FALSE(cut) << size;
    }
    EXPECT_FALSE(parse_slot_file(file, true)) << "extensions that are not there";
    std::string other = file;
    put_at(other, 4, 4u);
    EXPECT_EQ(parse_slot_file(other, false).error().code, Errc::unsupported);
    for (std::size_t at = 0; at < file.size(); ++at) {
        other = file;
        other[at] = static_cast<char>(other[at] ^ 0x81);
        (void)parse_slot_file(other, false);  // must not crash
    }
}

TEST(SlotFile, OnlyAChainIsPutTogether) {
    const auto files = cut_all(slot_file({}, test_tokens(600), in_order(600)), false);
    EXPECT_TRUE(assemble({files[1], files[2]}, 100, {}).starts_with("error"));
    EXPECT_TRUE(assemble({files[0], files[2]}, 100, {}).starts_with("error"));
    EXPECT_TRUE(assemble(files, 601, {}).starts_with("error"));
    EXPECT_TRUE(assemble(files, 0, {}).starts_with("error"));
    EXPECT_TRUE(assemble({}, 1, {}).starts_with("error"));
    EXPECT_TRUE(assemble(files, 600, {1, true, {3, 3, 3}}).starts_with("error"));
    EXPECT_FALSE(assemble(files, 600, {}).starts_with("error"));
}

}  // namespace
}  // namespace lc::kv
