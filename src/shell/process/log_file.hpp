// A log on disk that stays bounded: at most two files of `max_bytes`.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "shell/sys/fd.hpp"

namespace lc::process {

class LogFile {
  public:
    LogFile() = default;  ///< writes nowhere

    /// Opens for appending, mode 0600, symlinks refused.
    [[nodiscard]] static Result<LogFile> open(std::string path, std::size_t max_bytes);

    /// A write that fails (disk full) ends the log, not the program; `broken` says so.
    void append(std::string_view bytes);
    [[nodiscard]] bool broken() const { return broken_; }

  private:
    std::string path_;
    std::size_t max_bytes_ = 0, size_ = 0;
    sys::UniqueFd fd_;
    bool broken_ = false;
};

}  // namespace lc::process
