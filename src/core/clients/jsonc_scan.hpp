// Where the parts of a JSONC text stand. Internal to core/clients.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace lc::clients::scan {

struct Member {
    std::string key;                                ///< decoded
    std::size_t key_begin = 0, begin = 0, end = 0;  ///< of the key, and of the value
};

/// An object or a list: its members (without keys in a list) and where it ends.
struct Container {
    std::size_t open = 0, close = 0;  ///< of the brackets
    bool object = false;
    bool trailing_comma = false;
    std::vector<Member> members;
};

/// After spaces and comments from `at` on.
[[nodiscard]] std::size_t skip(std::string_view text, std::size_t at);

/// Where the text between `from` and the bracket at `close` ends, spaces before the bracket left out; whether a line
/// comment is the last thing in it does not matter, because the next thing begins on a new line.
[[nodiscard]] std::size_t content_end(std::string_view text, std::size_t from, std::size_t close);

/// The end of the value that begins at `at`. Every value inside is checked.
[[nodiscard]] Result<std::size_t> value_end(std::string_view text, std::size_t at);

/// `at`: of '{' or '['.
[[nodiscard]] Result<Container> container(std::string_view text, std::size_t at);

/// The value without comments and trailing commas: plain JSON.
[[nodiscard]] Result<std::string> plain(std::string_view text);

/// The outermost value's beginning; fails when something follows it. npos: the text is blank.
[[nodiscard]] Result<std::size_t> top(std::string_view text);

}  // namespace lc::clients::scan
