// Decisions of a download: what to ask for, what an answer means, when to try again. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/hub/listing.hpp"

namespace lc::hub {

/// What is remembered beside a part file ("<name>.part.json"): which content it is the beginning of.
struct PartNote {
    std::string sha256;  ///< as listed; empty: none was
    std::string etag;    ///< of the answer that the bytes came from; empty: it had none
    std::int64_t size = 0;
    bool operator==(const PartNote&) const = default;
};

/// How many bytes of a part can be built upon: all, or 0 when it may be the beginning of something else. `note`:
/// nullopt when there is none. Without checksum and without a strong ETag nothing would notice a changed file.
[[nodiscard]] std::int64_t usable_bytes(std::int64_t part_size, const std::optional<PartNote>& note,
                                        const RepoFile& file);

/// Fields of the request for the rest of a file. Empty strings: not sent.
struct RangeFields {
    std::string range, if_range;
    bool operator==(const RangeFields&) const = default;
};
[[nodiscard]] RangeFields range_for(std::int64_t offset, const std::string& etag);

/// What is looked at in an answer's head. Empty strings: absent.
struct AnswerHead {
    int status = 0;
    std::string content_range, content_length, content_encoding, retry_after;
    std::string error_code, error_message;  ///< X-Error-Code, X-Error-Message of the hub
};

enum class Use : std::uint8_t {
    append,     ///< the bytes go behind those that are there
    from_zero,  ///< the bytes are the whole file
    ask_anew,   ///< of no use; ask again, for the whole file
    retry,      ///< ask again later for the same
    give_up,    ///< no point in asking again
};
struct Verdict {
    Use use = Use::give_up;
    std::string why;  ///< for retry and give_up
    bool operator==(const Verdict&) const = default;
};
/// `offset`: what was asked for; `size`: of the whole file, as listed.
[[nodiscard]] Verdict judge(const AnswerHead& head, std::int64_t offset, std::int64_t size);

[[nodiscard]] bool is_temporary(int status);  ///< worth another attempt: 408, 425, 429, 500, 502, 503, 504

/// Seconds to wait, from a Retry-After field: a number, or a date as seen from `now_unix_s`. 0: none or not understood.
[[nodiscard]] std::int64_t retry_after_seconds(std::string_view field, std::int64_t now_unix_s);

/// What an error status of the hub means for a person. `what`: "org/repo" or a file in it. Never mentions the token's
/// value.
[[nodiscard]] Error explain_status(const AnswerHead& head, std::string_view what, std::string_view host,
                                   bool had_token);

/// How patient a download is.
struct Patience {
    std::chrono::milliseconds first{1'000}, most{30'000};  ///< doubled each time
    std::chrono::seconds longest_retry_after{300};
    int attempts = 8;           ///< in a row without a new byte
    int attempts_to_reach = 3;  ///< as long as no server ever answered: likely there is no network
};
struct Attempts {
    int in_a_row = 0;       ///< failed ones since the last new byte
    bool answered = false;  ///< some server answered in this run
};
/// How long to wait before the next attempt, after one that failed; nullopt: give up. `retry_after`: what the server
/// asked for, 0: nothing.
[[nodiscard]] std::optional<std::chrono::milliseconds> next_wait(const Attempts& attempts,
                                                                 std::chrono::seconds retry_after,
                                                                 const Patience& patience);

}  // namespace lc::hub
