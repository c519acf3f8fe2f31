// The newest bytes of an endless text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lc::process {

class Ring {
  public:
    explicit Ring(std::size_t capacity) : capacity_(capacity) {}

    void append(std::string_view bytes) {
        if (bytes.size() >= capacity_) {
            dropped_ = dropped_ || !text_.empty() || bytes.size() > capacity_;
            text_.assign(bytes.substr(bytes.size() - capacity_));
            return;
        }
        text_.append(bytes);
        // Cut only when twice as long: each byte is moved once on average.
        if (text_.size() >= 2 * capacity_) cut();
    }

    /// At most `capacity` bytes; when older ones were dropped it begins after a newline.
    [[nodiscard]] std::string text() const {
        std::string_view out = text_;
        bool dropped = dropped_;
        if (out.size() > capacity_) {
            out.remove_prefix(out.size() - capacity_);
            dropped = true;
        }
        if (dropped) {
            const std::size_t newline = out.find('\n');
            if (newline != std::string_view::npos) out.remove_prefix(newline + 1);
        }
        return std::string(out);
    }

  private:
    void cut() {
        text_.erase(0, text_.size() - capacity_);
        dropped_ = true;
    }

    std::size_t capacity_;
    std::string text_;
    bool dropped_ = false;
};

}  // namespace lc::process
