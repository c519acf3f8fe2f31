// Bounds-checked reading of little-endian values from bytes nobody vouches for.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lc::gguf {

/// A cursor that, once anything was wrong, stays failed and yields zeros: the caller checks `ok()` where it matters, at
/// the latest before it trusts a value. Borrows the bytes.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    template <class T>
    requires std::integral<T> || std::floating_point<T> T number() {
        T value{};
        const std::string_view raw = take(sizeof(T));
        if (raw.size() == sizeof(T)) std::memcpy(&value, raw.data(), sizeof(T));
        return value;
    }

    /// u64 length, then bytes.
    std::string_view string(std::uint64_t max_bytes, const char* what) {
        const auto length = number<std::uint64_t>();
        if (ok() && length > max_bytes) {
            damaged(std::string(what) + " is " + std::to_string(length) + " bytes long, more than " +
                    std::to_string(max_bytes));
            return {};
        }
        return take(length);
    }

    std::string_view take(std::uint64_t count) {
        if (!ok()) return {};
        if (count > bytes_.size() - position_) {
            error_ = {Errc::too_large,
                      "the header goes on beyond the " + std::to_string(bytes_.size()) + " bytes read"};
            return {};
        }
        const std::string_view out = bytes_.substr(position_, count);
        position_ += count;
        return out;
    }

    void damaged(std::string why) {
        if (ok()) error_ = {Errc::bad_request, "damaged GGUF: " + std::move(why)};
    }

    [[nodiscard]] bool ok() const { return error_.detail.empty(); }
    [[nodiscard]] const Error& error() const { return error_; }
    [[nodiscard]] std::uint64_t position() const { return position_; }

  private:
    std::string_view bytes_;
    std::uint64_t position_ = 0;
    Error error_;
};

}  // namespace lc::gguf
