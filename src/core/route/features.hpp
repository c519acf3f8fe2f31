// What routing looks at in a request. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/api/request_view.hpp"
#include "core/api/session.hpp"

namespace lc::route {

struct Features {
    std::string kind, client, session, model;  ///< model: as asked for; empty: none was named
    std::int64_t tokens = 0;    ///< of the prompt, estimated
    std::int64_t answer = 0;    ///< tokens that the request allows for its answer; 0: not said
    double code_share = 0;      ///< 0 to 1: of the text looked at, how much stands in fenced blocks or looks like code
    std::string language;       ///< of most fenced blocks and file names; empty: none seen
    std::string last_role;
    std::int64_t turn = 0;      ///< user messages so far
    std::int64_t tools = 0;     ///< tools that it offers
    std::int64_t media = 0;     ///< images and the like
    bool stream = false;
};

/// Tokens of a prompt without a tokeniser. `tokens_per_byte`: learned for the model and client; 0: a middle value.
[[nodiscard]] std::int64_t estimate_tokens(const api::RequestView& view, double tokens_per_byte = 0);

/// At most the last 64 kB of the messages are looked at for code and language.
[[nodiscard]] Features features_of(const api::RequestView& view, std::string_view body, const api::Session& session,
                                   std::string_view kind, double tokens_per_byte = 0);

/// JSON object, as `localcode route --explain` prints it.
[[nodiscard]] std::string to_json(const Features& features);

}  // namespace lc::route
