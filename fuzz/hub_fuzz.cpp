// What a hub says is foreign bytes: no path leads outside, what is chosen is whole, what is recorded is read back the
// same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "check.hpp"
#include "core/hub/choose.hpp"
#include "core/hub/quant.hpp"
#include "core/hub/record.hpp"
#include "core/hub/url.hpp"

using namespace lc;

namespace {

void check_list(std::string_view text) {
    const auto files = hub::parse_listing(text);
    if (!files) return;
    std::int64_t sum = 0;
    for (const auto& file : *files) {
        CHECK(hub::is_safe_path(file.path) && ("/" + file.path + "/").find("/../") == std::string::npos);
        CHECK(file.size >= 0 && (file.sha256.empty() || file.sha256.size() == 64));
        CHECK(sum <= sum + file.size);
        sum += file.size;
    }
    for (const hub::Spec& spec :
         {hub::Spec{"o", "r", "", ""}, hub::Spec{"o", "r", "Q4_K_M", ""}, hub::Spec{"o", "r", "", "m.gguf"}}) {
        const auto choice = hub::choose(*files, spec);
        if (!choice) continue;
        CHECK(!choice->files.empty() && choice->projector.size() <= 1);
        const auto split = hub::split_of(choice->files.front().path);
        CHECK(choice->files.size() == (split ? static_cast<std::size_t>(split->count) : 1));
        CHECK(hub::parse_record(hub::to_json(*choice)) == *choice);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_list(text);
    (void)hub::parse_record(text);
    (void)hub::parse_part_note(text);
    (void)hub::retry_after_seconds(text, 1'000'000'000);
    if (const auto spec = hub::parse_spec(text)) CHECK(hub::parse_spec(hub::to_text(*spec)) == *spec);
    const hub::Url from = *hub::parse_url("https://hub.example/o/r?x=1");
    for (const std::string& location : {std::string(text), hub::next_link(text)}) {
        const auto to = hub::follow(from, location, 0);
        if (!to) continue;
        CHECK(to->tls && !to->host.empty() && to->target.starts_with('/'));
        CHECK(to->target.find_first_of("\r\n \t") == std::string::npos);
        // What leaves the hub for another host is never told the token.
        CHECK(to->host == from.host || !hub::may_carry_token(*to, from));
    }
    return 0;
}
