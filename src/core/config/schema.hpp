// The keys of the config file as tables: name, member, range, documentation. The parser, the annotated example and the
// printer are all driven by them, so that a key cannot be known to one and not to another.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/config/config.hpp"

namespace lc::config {

template <class T>
using Member = std::variant<bool T::*, std::int64_t T::*, std::uint16_t T::*, std::string T::*, Secret T::*,
                            std::vector<std::string> T::*, std::map<std::string, std::string> T::*,
                            std::map<std::string, double> T::*, RouteMatch T::*, Sampling T::*, Thinking T::*>;

/// How a file name that is not absolute is read: relative to the config file's folder.
enum class Anchor : std::uint8_t {
    none,      ///< not a file name
    always,    ///< a file name
    if_slash,  ///< a file name when it holds '/', else the name of something installed
};

template <class T>
struct Entry {
    std::string_view name;
    Member<T> member;
    std::string_view doc;     ///< for the example; lines split by '\n'
    std::string_view sample;  ///< TOML value of the commented-out line; empty: the default is shown as a live line
    std::int64_t min = 0, max = 0;                  ///< of integers
    std::span<const std::string_view> one_of = {};  ///< of strings, alone or in a list; empty: any
    Anchor anchor = Anchor::none;
};

template <class T>
using Entries = std::span<const Entry<T>>;

[[nodiscard]] Entries<Server> server_keys();
[[nodiscard]] Entries<Tls> tls_keys();
[[nodiscard]] Entries<Limits> limits_keys();
[[nodiscard]] Entries<Auth> auth_keys();  ///< without the list `keys`
[[nodiscard]] Entries<Key> auth_key_keys();
[[nodiscard]] Entries<Log> log_keys();
[[nodiscard]] Entries<Kv> kv_keys();
[[nodiscard]] Entries<Tools> tools_keys();
[[nodiscard]] Entries<Prefix> prefix_keys();  ///< without the list `rules`
[[nodiscard]] Entries<PrefixRule> prefix_rule_keys();
[[nodiscard]] Entries<Model> model_keys();
[[nodiscard]] Entries<Backend> backend_keys();
[[nodiscard]] Entries<Route> route_keys();

/// A key or table that later versions know. It is refused with words of its own: doing nothing silently would be a lie.
/// `section` is empty for tables. Returns false for names that nobody plans.
[[nodiscard]] bool planned(std::string_view section, std::string_view name);

}  // namespace lc::config
