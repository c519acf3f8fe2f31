#include "core/tools/text_call.hpp"

#include <algorithm>

#include "core/tools/text_parts.hpp"

namespace lc::tools {

std::string_view name_of(Format format) {
    switch (format) {
        case Format::json: return "json";
        case Format::glm: return "glm";
        case Format::qwen_xml: return "qwen_xml";
        case Format::invoke: return "invoke";
        case Format::mistral: return "mistral";
        case Format::deepseek: return "deepseek";
        case Format::harmony: return "harmony";
        case Format::kimi: return "kimi";
        case Format::fenced: return "fenced";
        case Format::bare: return "bare";
    }
    return "";
}

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::size_t skip_space(std::string_view text, std::size_t at) {
    while (at < text.size() && is_space(text[at])) ++at;
    return at;
}

/// Markup can only begin with one of these.
bool may_begin(char c) {
    return c == '<' || c == '[' || c == '`' || c == '{';
}

/// `text` was passed on: what follows stands behind it.
void pass(TextScan& scan, std::string_view text, std::string& out) {
    out += text;
    for (const char c : text) {
        if (c == '\n') {
            scan.line_start = true;
            scan.in_code = false;
            scan.marks = 0;
            continue;
        }
        const bool mark = c == '`' || c == '~';
        if (mark && scan.line_start && ++scan.marks == 3) scan.in_fence = !scan.in_fence;
        if (c == '`') scan.in_code = scan.marks >= 3 ? false : !scan.in_code;
        if (is_space(c)) continue;
        scan.anything = true;
        scan.before = c;
        if (!mark) scan.line_start = false;
    }
}

/// Whether a call may begin where the scan stands: not in code, not in the middle of a sentence.
bool may_stand_here(const TextScan& scan, char first) {
    if (first == '`') return !scan.anything;
    if (scan.in_fence || scan.in_code) return false;
    if (scan.line_start) return true;
    const auto c = static_cast<unsigned char>(scan.before);
    return c >= 0x80 || std::string_view(".!?:;>)]}*").find(scan.before) != std::string_view::npos;
}

/// Gives up what is held up to `count`: it is text.
void release(TextScan& scan, std::size_t count, std::string& out) {
    const std::string text = scan.held.substr(0, count);
    scan.held.erase(0, count);
    scan.settled = scan.looked = 0;
    scan.open = false;
    pass(scan, text, out);
}

/// A tag that closes what was not opened, or the end of a turn: behind whole calls it means nothing. Taken off `text`.
Begin closing_mark(std::string_view& text) {
    bool perhaps = false;
    for (const std::string_view mark : {"</tool_call>", "</function_calls>", "</tool_calls>", "<|im_end|>",
                                        "<|eot_id|>", "<|eom_id|>", "</s>", "<|call|>", "<|end|>", "<|return|>"}) {
        if (text.starts_with(mark)) {
            text.remove_prefix(mark.size());
            return Begin::yes;
        }
        perhaps = perhaps || mark.starts_with(text);
    }
    return perhaps ? Begin::perhaps : Begin::no;
}

/// One look at what is held. False: nothing more to be said before more text comes.
bool advance(const ToolSet& tools, TextScan& scan, std::string& out) {
    if (scan.settled == 0) {
        const auto found = std::find_if(scan.held.begin(), scan.held.end(), may_begin);
        const auto count = static_cast<std::size_t>(found - scan.held.begin());
        if (count > 0) release(scan, count, out);
        if (scan.held.empty()) return false;
    } else if (scan.settled >= scan.held.size()) {
        return false;
    }
    const bool first = scan.settled == 0;
    const auto rest = std::string_view(scan.held).substr(scan.settled);
    std::string_view tail = rest;
    if (!first) {
        const Begin mark = closing_mark(tail);
        if (mark == Begin::perhaps) return false;
        if (mark == Begin::yes) {
            scan.settled = skip_space(scan.held, scan.held.size() - tail.size());
            return true;
        }
    }
    const bool allowed = !first || may_stand_here(scan, rest[0]);
    const Opener opener = allowed ? opener_at(tools, rest, first && !scan.anything, scan.bare) : Opener{};
    if (opener.begin == Begin::perhaps) return false;
    if (opener.begin == Begin::no) {
        // Something else behind whole calls: they were only talked about.
        release(scan, first ? 1 : scan.settled, out);
        return true;
    }
    scan.open = true;
    if (opener.closer.empty()) return false;
    const std::size_t from =
        std::max(opener.inside, scan.looked > opener.closer.size() ? scan.looked - opener.closer.size() : 0);
    for (std::size_t at = rest.find(opener.closer, from); at != std::string_view::npos;
         at = rest.find(opener.closer, at + 1)) {
        if (!is_closed(opener.format, rest.substr(opener.inside, at - opener.inside))) continue;
        scan.settled = skip_space(scan.held, scan.settled + at + opener.closer.size());
        scan.looked = 0;
        scan.open = false;
        return true;
    }
    scan.looked = rest.size();
    return false;
}

/// The calls of a whole text that begins with markup; empty when anything of it is none.
std::vector<TextCall> all_calls(const ToolSet& tools, const TextScan& scan, bool cut) {
    std::vector<TextCall> calls;
    std::string_view text = scan.held;
    while (true) {
        text.remove_prefix(skip_space(text, 0));
        if (text.empty()) return calls;
        if (!calls.empty() && closing_mark(text) == Begin::yes) continue;
        const bool start = calls.empty() && !scan.anything;
        const Opener opener = opener_at(tools, text, start, scan.bare);
        if (opener.begin != Begin::yes) return {};
        std::size_t end = std::string_view::npos;
        if (!opener.closer.empty()) {
            end = text.find(opener.closer, opener.inside);
            while (end != std::string_view::npos &&
                   !is_closed(opener.format, text.substr(opener.inside, end - opener.inside))) {
                end = text.find(opener.closer, end + 1);
            }
        }
        const bool closed = end != std::string_view::npos;
        if (!closed && cut && !opener.closer.empty()) return {};
        auto some = calls_in(tools, opener.format, text.substr(opener.inside, closed ? end - opener.inside : end), cut);
        if (some.empty()) return {};
        for (auto& call : some) calls.push_back(std::move(call));
        if (!closed) return calls;
        text.remove_prefix(end + opener.closer.size());
    }
}

}  // namespace

std::string step(const ToolSet& tools, TextScan& scan, std::string_view chunk) {
    std::string out;
    if (tools.empty()) return std::string(chunk);
    while (!chunk.empty()) {
        const std::size_t take = std::min(chunk.size(), TextScan::max_held - scan.held.size());
        scan.held += chunk.substr(0, take);
        chunk.remove_prefix(take);
        if (scan.settled > 0 && !scan.open) scan.settled = skip_space(scan.held, scan.settled);
        while (advance(tools, scan, out)) {
        }
        if (scan.held.size() >= TextScan::max_held) release(scan, scan.held.size(), out);
    }
    return out;
}

TextEnd finish(const ToolSet& tools, TextScan& scan, bool cut) {
    TextEnd end;
    if (!scan.held.empty() && may_stand_here(scan, scan.held[0])) end.calls = all_calls(tools, scan, cut);
    end.text = std::move(scan.held);
    const bool bare = scan.bare;
    scan = TextScan{};
    scan.bare = bare;
    return end;
}

}  // namespace lc::tools
