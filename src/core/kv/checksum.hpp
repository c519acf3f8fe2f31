// XXH3-64 with seed 0: finds damage (not forgery) at the speed of memory, so that checking a state costs less than
// copying it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace lc::kv {

/// Pure.
[[nodiscard]] std::uint64_t checksum(std::string_view bytes);

/// The same of bytes that come in pieces.
class RunningChecksum {
  public:
    RunningChecksum();
    ~RunningChecksum();
    RunningChecksum(const RunningChecksum&) = delete;
    RunningChecksum& operator=(const RunningChecksum&) = delete;

    void update(std::string_view bytes);
    [[nodiscard]] std::uint64_t value() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace lc::kv
