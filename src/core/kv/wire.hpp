// Little-endian reading and writing for the on-disk formats (docs/formats).
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/sha256.hpp"

namespace lc::kv {

static_assert(std::endian::native == std::endian::little, "formats are little-endian; add byte swaps for this machine");

template <std::integral T>
void put(std::string& out, T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    out.append(raw, sizeof(T));
}
inline void put(std::string& out, const Digest& digest) {
    out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}
inline void put_zeros(std::string& out, std::size_t count) {
    out.append(count, '\0');
}

template <std::integral T>
void put_at(std::string& out, std::size_t at, T value) {
    std::memcpy(out.data() + at, &value, sizeof(T));
}

[[nodiscard]] inline std::string_view view_of(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// A cursor that stays failed once it ran past the end and yields zeros from then on: check `ok()` before trusting
/// values. Borrows the bytes.
class Reader {
  public:
    explicit Reader(std::string_view bytes, std::size_t at = 0) : bytes_(bytes), at_(at), ok_(at <= bytes.size()) {}

    template <std::integral T>
    T number() {
        T value{};
        const std::string_view raw = take(sizeof(T));
        if (raw.size() == sizeof(T)) std::memcpy(&value, raw.data(), sizeof(T));
        return value;
    }
    Digest digest() {
        Digest out{};
        const std::string_view raw = take(out.size());
        if (raw.size() == out.size()) std::memcpy(out.data(), raw.data(), out.size());
        return out;
    }
    std::string_view take(std::uint64_t count) {
        if (!ok_ || count > bytes_.size() - at_) {
            ok_ = false;
            return {};
        }
        const std::string_view out = bytes_.substr(at_, count);
        at_ += count;
        return out;
    }
    /// Takes `count` bytes that must all be zero.
    void zeros(std::uint64_t count) {
        const std::string_view raw = take(count);
        if (!std::all_of(raw.begin(), raw.end(), [](char c) { return c == 0; })) ok_ = false;
    }

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t at() const { return at_; }
    [[nodiscard]] std::size_t left() const { return ok_ ? bytes_.size() - at_ : 0; }

  private:
    std::string_view bytes_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace lc::kv
