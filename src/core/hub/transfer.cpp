#include "core/hub/transfer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"

namespace lc::hub {
namespace {

/// A whole text of decimal digits.
std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty() || out < 0) return std::nullopt;
    return out;
}

struct ContentRange {
    std::int64_t first = 0, last = 0;
    std::optional<std::int64_t> total;
};

/// "bytes 100-199/200", "bytes 100-199/*".
std::optional<ContentRange> content_range(std::string_view field) {
    constexpr std::string_view unit = "bytes ";
    if (!iequals(field.substr(0, unit.size()), unit)) return std::nullopt;
    field = trim(field.substr(unit.size()));
    const auto dash = field.find('-'), slash = field.find('/');
    if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
    const auto first = number(field.substr(0, dash)), last = number(field.substr(dash + 1, slash - dash - 1));
    if (!first || !last) return std::nullopt;
    ContentRange out{.first = *first, .last = *last};
    if (const auto total = field.substr(slash + 1); total != "*") {
        out.total = number(total);
        if (!out.total) return std::nullopt;
    }
    return out;
}

bool is_strong(std::string_view etag) {
    return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"';
}

}  // namespace

std::int64_t usable_bytes(std::int64_t part_size, const std::optional<PartNote>& note, const RepoFile& file) {
    if (!note || part_size <= 0 || part_size > file.size) return 0;
    if (note->size != file.size || note->sha256 != file.sha256) return 0;
    if (file.sha256.empty() && !is_strong(note->etag)) return 0;
    return part_size;
}

RangeFields range_for(std::int64_t offset, const std::string& etag) {
    if (offset <= 0) return {};
    // If-Range takes strong validators only (RFC 9110, 13.1.5).
    return {.range = "bytes=" + std::to_string(offset) + "-", .if_range = is_strong(etag) ? etag : std::string()};
}

bool is_temporary(int status) {
    constexpr std::array<int, 7> temporary = {408, 425, 429, 500, 502, 503, 504};
    return std::find(temporary.begin(), temporary.end(), status) != temporary.end();
}

Verdict judge(const AnswerHead& head, std::int64_t offset, std::int64_t size) {
    if (is_temporary(head.status)) return {Use::retry, "the server answered " + std::to_string(head.status)};
    if (head.status == 416 && offset > 0) return {Use::ask_anew, {}};
    if (head.status != 200 && head.status != 206)
        return {Use::give_up, "the server answered " + std::to_string(head.status)};
    if (!head.content_encoding.empty() && !iequals(head.content_encoding, "identity")) {
        return {Use::give_up,
                "the server sends the file in a coding that was not asked for (" + head.content_encoding + ")"};
    }
    if (head.status == 200) {
        const auto length = number(head.content_length);
        if (length && *length != size) {
            return {Use::give_up, "the server offers " + std::to_string(*length) + " bytes where the hub's list says " +
                                      std::to_string(size) +
                                      "; if the repository is just being changed, try again later"};
        }
        return {Use::from_zero, {}};
    }
    if (offset == 0) return {Use::give_up, "the server sends a part of the file where all of it was asked for"};
    const auto range = content_range(head.content_range);
    if (!range || range->first != offset || range->last < range->first || range->last >= size ||
        (range->total && *range->total != size)) {
        return {Use::ask_anew, {}};
    }
    return {Use::append, {}};
}

std::int64_t retry_after_seconds(std::string_view field, std::int64_t now_unix_s) {
    field = trim(field);
    if (const auto seconds = number(field)) return *seconds;
    // "Sun, 06 Nov 1994 08:49:37 GMT": the only form of a date that is sent today.
    constexpr std::string_view form = "Sun, 06 Nov 1994 08:49:37 GMT";
    if (field.size() != form.size() || !field.ends_with(" GMT")) return 0;
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const auto month = months.find(field.substr(8, 3));
    const auto day = number(field.substr(5, 2)), year = number(field.substr(12, 4)), hour = number(field.substr(17, 2)),
               minute = number(field.substr(20, 2)), second = number(field.substr(23, 2));
    if (month == std::string_view::npos || month % 3 != 0 || !day || !year || !hour || !minute || !second) return 0;
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return 0;
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return std::max<std::int64_t>(0, days * 86'400 + *hour * 3'600 + *minute * 60 + *second - now_unix_s);
}

Error explain_status(const AnswerHead& head, std::string_view what, std::string_view host, bool had_token) {
    const std::string name(what), server(host), status = std::to_string(head.status);
    const std::string said =
        head.error_message.empty() ? std::string() : " (\"" + preview(head.error_message, 200) + "\")";
    const bool gated = head.error_code == "GatedRepo";
    if (gated || head.status == 403) {
        return {Errc::unauthorized,
                name + " is gated or not open to you" + said + ". Accept its terms on its page on " + server +
                    (had_token ? ", with the account that HF_TOKEN belongs to, and see that the token may read it"
                               : ", then set HF_TOKEN to an access token of that account")};
    }
    if (head.status == 401) {
        // The hub says 401 for repositories that do not exist, so as not to tell which private ones there are.
        return {Errc::unauthorized,
                had_token ? server + " does not accept HF_TOKEN for " + name + said + ". Check the token, and the name"
                          : name + " does not exist on " + server + ", or is private" + said +
                                ". Check the name; for a private one set HF_TOKEN to an access token"};
    }
    if (head.status == 404 || head.status == 410) {
        return {Errc::not_found, name + " does not exist on " + server + said + ". Check the name" +
                                     (had_token ? "" : "; for a private one set HF_TOKEN to an access token")};
    }
    if (head.status == 429) {
        return {Errc::rate_limited, server + " asks to slow down" + said + ". Try again later" +
                                        (had_token ? "" : "; with HF_TOKEN set the limits are higher")};
    }
    return {Errc::upstream_error, server + " answered " + status + " for " + name + said};
}

std::optional<std::chrono::milliseconds> next_wait(const Attempts& attempts, std::chrono::seconds retry_after,
                                                   const Patience& patience) {
    const int limit = attempts.answered ? patience.attempts : patience.attempts_to_reach;
    if (attempts.in_a_row >= limit || retry_after > patience.longest_retry_after) return std::nullopt;
    auto wait = patience.first;
    for (int i = 1; i < attempts.in_a_row && wait < patience.most; ++i) wait *= 2;
    return std::max<std::chrono::milliseconds>(std::min(wait, patience.most), retry_after);
}

}  // namespace lc::hub
