// For tests: writes small GGUF files.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace lc::gguf::testing {

template <class T>
std::string le(T value) {
    std::string out(sizeof(T), '\0');
    std::memcpy(out.data(), &value, sizeof(T));
    return out;
}

inline std::string str(std::string_view text) {
    return le<std::uint64_t>(text.size()).append(text);
}

/// Collects metadata and tensors; `bytes()` is the file, its data zeros.
struct Builder {
    std::uint32_t version = 3;
    std::vector<std::string> metadata, tensors;
    std::uint64_t data = 0;

    Builder& raw(std::string_view key, std::uint32_t type, std::string_view value) {
        metadata.push_back(str(key) + le(type) + std::string(value));
        return *this;
    }
    Builder& text(std::string_view key, std::string_view value) { return raw(key, 8, str(value)); }
    Builder& u32(std::string_view key, std::uint32_t value) { return raw(key, 4, le(value)); }
    Builder& f32(std::string_view key, float value) { return raw(key, 6, le(value)); }
    Builder& boolean(std::string_view key, bool value) { return raw(key, 7, std::string(1, value ? '\1' : '\0')); }
    Builder& u32s(std::string_view key, const std::vector<std::uint32_t>& values) {
        std::string body = le<std::uint32_t>(4) + le<std::uint64_t>(values.size());
        for (const auto v : values) body += le(v);
        return raw(key, 9, body);
    }
    Builder& texts(std::string_view key, const std::vector<std::string>& values) {
        std::string body = le<std::uint32_t>(8) + le<std::uint64_t>(values.size());
        for (const auto& v : values) body += str(v);
        return raw(key, 9, body);
    }
    /// `bytes`: of its data, which follows that of the tensor before.
    Builder& tensor(std::string_view name, const std::vector<std::uint64_t>& shape, std::uint32_t type,
                    std::uint64_t bytes) {
        std::string body = str(name) + le(static_cast<std::uint32_t>(shape.size()));
        for (const auto d : shape) body += le(d);
        tensors.push_back(body + le(type) + le(data));
        data += (bytes + 31) / 32 * 32;
        return *this;
    }
    [[nodiscard]] std::string header() const {
        std::string out = "GGUF" + le(version) + le<std::uint64_t>(tensors.size()) + le<std::uint64_t>(metadata.size());
        for (const auto& m : metadata) out += m;
        for (const auto& t : tensors) out += t;
        return out;
    }
    [[nodiscard]] std::string bytes() const {
        std::string out = header();
        out.resize((out.size() + 31) / 32 * 32 + data);
        return out;
    }
};

/// As a small llama would have it: 30 layers, 9 heads, 3 for K and V, 8,192 tokens.
inline Builder small_llama() {
    Builder b;
    b.text("general.architecture", "llama").text("general.name", "Small").u32("general.file_type", 3);
    b.u32("llama.block_count", 30).u32("llama.context_length", 8192).u32("llama.embedding_length", 576);
    b.u32("llama.attention.head_count", 9)
        .u32("llama.attention.head_count_kv", 3)
        .u32("llama.rope.dimension_count", 64);
    b.texts("tokenizer.ggml.tokens", {"a", "b", "c"}).text("tokenizer.chat_template", "{{ messages }}");
    b.tensor("token_embd.weight", {576, 3}, 3, 576 * 3 / 32 * 20);
    return b;
}

}  // namespace lc::gguf::testing
