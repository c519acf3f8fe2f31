// SHA-256 over byte spans (OpenSSL's implementation).
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace lc {

using Digest = std::array<unsigned char, 32>;

/// Incremental SHA-256. Movable, not copyable; `finish` may be called once.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    Sha256& update(std::string_view bytes);
    [[nodiscard]] Digest finish();

  private:
    struct Free {
        void operator()(void* ctx) const;
    };
    std::unique_ptr<void, Free> ctx_;
};

[[nodiscard]] Digest sha256(std::string_view bytes);

/// Lower-case hexadecimal.
[[nodiscard]] std::string hex(const Digest& digest);

/// Compares in time that depends on the lengths only: for keys and MACs.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace lc
