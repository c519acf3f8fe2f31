// Reading JSON answers without asking for more than is there: what is missing or of another type is empty or 0.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lc::commands {

/// Null when it is absent or `from` is no object.
[[nodiscard]] const boost::json::value* member(const boost::json::value& from, std::string_view key);
[[nodiscard]] std::string text_at(const boost::json::value& from, std::string_view key);
[[nodiscard]] std::int64_t integer_at(const boost::json::value& from, std::string_view key);
[[nodiscard]] bool flag_at(const boost::json::value& from, std::string_view key);
[[nodiscard]] std::vector<std::string> texts_at(const boost::json::value& from, std::string_view key);
/// Lives as long as `from`.
[[nodiscard]] const boost::json::array& items_at(const boost::json::value& from, std::string_view key);

}  // namespace lc::commands
