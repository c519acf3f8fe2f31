// For the tests of the steps: requests that are easy to write and to look at.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/api/json_scan.hpp"
#include "core/prefix/text.hpp"

namespace lc::prefix {

/// A request that owns its text.
struct Request {
    std::string client, body;
    api::RequestView view;
    Request(std::string who, std::string text, api::Dialect dialect = api::Dialect::chat)
        : client(std::move(who)), body(std::move(text)) {
        auto parsed = api::parse_request(dialect, body);
        if (!parsed) throw std::runtime_error(parsed.error().detail + ": " + body);
        view = std::move(*parsed);
    }
    [[nodiscard]] Input input() const { return {view, body, client}; }
    /// Of a message, parts joined by '|'.
    [[nodiscard]] std::string text(std::size_t message) const {
        std::string out;
        bool first = true;
        for (const auto range : texts_of(input(), message)) {
            if (!std::exchange(first, false)) out += '|';
            out += plain(api::slice(body, range));
        }
        return out;
    }
};

inline std::string chat(const std::vector<std::pair<std::string, std::string>>& messages, const std::string& more = "") {
    std::string out = R"({"model":"m","messages":[)";
    for (const auto& [role, text] : messages) {
        if (out.back() != '[') out += ',';
        out += R"({"role":")" + role + R"(","content":)" + api::json_quote(text) + "}";
    }
    return out + "]" + more + "}";
}

}  // namespace lc::prefix
