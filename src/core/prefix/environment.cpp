#include "core/prefix/environment.hpp"

#include <algorithm>

#include "core/api/json_scan.hpp"

namespace lc::prefix {

namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::string_view blank_line = R"(\n\n)";

/// The paragraph with the tag, from the blank line before it.
api::Range environment_in(std::string_view raw, bool to_the_end) {
    constexpr std::string_view open = R"(<env>\n)", close = "</env>";
    const auto tag = raw.find(open);
    const auto end = tag == npos ? npos : raw.find(close, tag);
    if (end == npos) return {};
    const auto paragraph = rfind_escape(raw, blank_line, tag);
    if (paragraph == npos) return {};  // all of the text: somebody's own, nothing that we know
    return {paragraph, to_the_end ? raw.size() : end + close.size()};
}

/// Sections of the first level that name the folder in which a client keeps what it remembers of a project.
void memory_sections(std::string_view raw, std::vector<api::Range>& out) {
    constexpr std::string_view heading = R"(\n# )";
    for (auto at = find_escape(raw, heading); at != npos;) {
        const auto next = find_escape(raw, heading, at + 2);
        const auto section = raw.substr(at, next == npos ? npos : next - at);
        const bool names_it = section.find("/.claude/projects/") != npos || section.find("/.qwen/projects/") != npos;
        if (names_it) out.push_back({at, at + section.size()});
        at = next;
    }
}

}  // namespace

std::vector<Block> volatile_blocks(const Input& in) {
    std::vector<Block> blocks;
    const auto n = leading_system(in.view);
    for (std::size_t i = 0; i < n; ++i) {
        for (const auto text : texts_of(in, i)) {
            const auto raw = api::slice(in.body, text);
            if (raw.starts_with("x-anthropic-billing-header:")) {
                blocks.push_back({i, text, true});
                continue;
            }
            std::vector<api::Range> found;
            if (const auto env = environment_in(raw, in.client == "opencode"); !env.empty()) found.push_back(env);
            memory_sections(raw, found);
            std::sort(found.begin(), found.end(), [](auto a, auto b) { return a.begin < b.begin; });
            std::size_t end = 0;
            for (const auto range : found) {
                if (range.begin < end) continue;
                blocks.push_back({i, {text.begin + range.begin, text.begin + range.end}, false});
                end = range.end;
            }
        }
    }
    return blocks;
}

std::vector<api::Splice> environment_last(const Input& in) {
    const auto blocks = volatile_blocks(in);
    const auto n = leading_system(in.view);
    const bool has_place = n > 0 && n < in.view.messages.size() && in.view.messages[n].role == api::Role::user;
    if (blocks.empty() || !has_place) return {};
    std::vector<api::Splice> splices;
    std::string moved;
    for (const auto& block : blocks) {
        moved += (moved.empty() ? "" : blank_line);
        moved += trim_lines(api::slice(in.body, block.range));
        splices.push_back({block.range, ""});
    }
    if (moved.empty() || !put_before(in, n, as_reminder(moved), splices)) return {};
    return splices;
}

std::string probe_body(std::string_view model) {
    return R"({"model":)" + api::json_quote(model) +
           R"(,"messages":[{"role":"system","content":"lcprobesystem"},{"role":"user","content":"lcprobefirst"},)"
           R"({"role":"assistant","content":"lcprobeanswer"},{"role":"user","content":"lcprobesecond"}],)"
           R"("tools":[{"type":"function","function":{"name":"lcprobetool","description":"lcprobetool",)"
           R"("parameters":{"type":"object","properties":{}}}}]})";
}

bool tools_behind_system(std::string_view rendered) {
    const auto system = rendered.find("lcprobesystem"), tool = rendered.find("lcprobetool"),
               user = rendered.find("lcprobefirst");
    return user != npos && tool != npos && system < tool && tool < user;
}

}  // namespace lc::prefix
