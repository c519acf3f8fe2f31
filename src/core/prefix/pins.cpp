#include "core/prefix/pins.hpp"

#include <algorithm>
#include <optional>

#include "base/sha256.hpp"
#include "core/api/json_scan.hpp"

namespace lc::prefix {

namespace {

using api::Range;

/// Hash of the system's texts, blocks left out.
std::string system_of(const Input& in, const std::vector<Block>& blocks) {
    Sha256 hash;
    std::size_t next = 0;
    for (std::size_t i = 0; i < leading_system(in.view); ++i) {
        for (const auto text : texts_of(in, i)) {
            std::size_t at = text.begin;
            for (; next < blocks.size() && blocks[next].message == i && blocks[next].range.end <= text.end; ++next) {
                hash.update(in.body.substr(at, blocks[next].range.begin - at)).update("\n[]\n");
                at = blocks[next].range.end;
            }
            hash.update(in.body.substr(at, text.end - at)).update("\n--\n");
        }
    }
    return hex(hash.finish());
}

/// For each message the hash of what was said up to it: texts without reminders, calls, results. Whether a text came as a
/// string or as a list of parts does not count.
std::vector<std::string> chains_of(const Input& in, std::size_t from) {
    std::vector<std::string> chains(in.view.messages.size());
    std::string chain;
    for (std::size_t i = from; i < in.view.messages.size(); ++i) {
        const auto& message = in.view.messages[i];
        Sha256 hash;
        hash.update(chain).update(api::name_of(message.role));
        for (const auto text : texts_of(in, i)) {
            const auto raw = api::slice(in.body, text);
            if (!is_reminder(raw)) hash.update("\ntext ").update(plain(raw));
        }
        for (const auto& call : message.calls) hash.update("\ncall ").update(call);
        for (const auto& id : message.result_ids) hash.update("\nresult ").update(id);
        hash.update("\nmedia ").update(std::to_string(message.media));
        chain = hex(hash.finish());
        chains[i] = chain;
    }
    return chains;
}

struct Reminders {
    std::vector<std::string> texts;  ///< raw
    bool others = false;             ///< the message says something besides
};

Reminders reminders_of(const Input& in, std::size_t message) {
    Reminders out;
    for (const auto text : texts_of(in, message)) {
        const auto raw = api::slice(in.body, text);
        if (is_reminder(raw)) {
            out.texts.emplace_back(raw);
        } else {
            out.others = true;
        }
    }
    return out;
}

std::vector<std::string_view> lines_of(std::string_view raw) {
    std::vector<std::string_view> lines;
    while (!raw.empty()) {
        const auto end = find_escape(raw, "\\n");
        lines.push_back(raw.substr(0, end));
        raw = end == std::string_view::npos ? std::string_view() : raw.substr(end + 2);
    }
    return lines;
}

std::string lines_only_in(std::string_view text, std::string_view other) {
    const auto known = lines_of(other);
    std::string out;
    for (const auto line : lines_of(text)) {
        const bool blank = line.find_first_not_of(" ") == std::string_view::npos;
        if (blank || std::ranges::find(known, line) != known.end()) continue;
        if (!out.empty()) out += "\\n";
        out += line;
    }
    return out;
}

std::size_t size_of(const Pins& pins) {
    std::size_t size = 0;
    for (const auto& block : pins.blocks) size += block.first.size() + block.last.size();
    for (const auto& mark : pins.marks) size += mark.raw.size() + mark.chain.size();
    for (const auto& addition : pins.additions) size += addition.text.size() + addition.chain.size();
    return size;
}

struct Pinning {
    const Input& in;
    Pins pins;
    std::vector<std::string> chains;
    std::vector<api::Splice> splices;
    std::string news;  ///< raw, to be said at the end

    void add_news(std::string_view text) {
        if (text.empty()) return;
        if (!news.empty()) news += R"(\n\n)";
        news += text;
    }

    [[nodiscard]] bool same(std::size_t message, const std::string& chain) const {
        return message < chains.size() && !chain.empty() && chains[message] == chain;
    }

    void begin_anew(const std::vector<Block>& blocks, std::string system) {
        pins.system = std::move(system);
        pins.blocks.clear();
        pins.additions.clear();
        for (const auto& block : blocks) {
            std::string raw(api::slice(in.body, block.range));
            pins.blocks.push_back({raw, raw});
        }
    }

    void blocks() {
        const auto found = volatile_blocks(in);
        auto system = system_of(in, found);
        if (system != pins.system || found.size() != pins.blocks.size()) return begin_anew(found, std::move(system));
        // What was said at the end holds only where it still stands: else all that differs from the beginning is said again.
        const auto gone = std::erase_if(pins.additions, [&](const auto& a) { return !same(a.message, a.chain); });
        for (std::size_t i = 0; i < found.size(); ++i) {
            const auto now = api::slice(in.body, found[i].range);
            auto& block = pins.blocks[i];
            if (now != block.first) splices.push_back({found[i].range, block.first});
            if (!found[i].metadata) add_news(what_changed(gone > 0 ? block.first : block.last, now));
            block.last = now;
        }
    }

    /// Messages that were sent with reminders keep them.
    void marks(std::size_t from) {
        std::erase_if(pins.marks, [&](const auto& mark) { return !same(mark.message, mark.chain); });
        for (std::size_t i = from; i < in.view.messages.size(); ++i) {
            // What is not text is not compared: such messages stay as they are.
            if (in.view.messages[i].role != api::Role::user || in.view.messages[i].media > 0) continue;
            const auto raw = api::slice(in.body, in.view.messages[i].raw);
            const auto mark = std::ranges::find(pins.marks, i, &Pins::Mark::message);
            const bool last = i + 1 == in.view.messages.size();
            const auto there = reminders_of(in, i);
            if (mark == pins.marks.end()) {
                if (!there.texts.empty() && there.others) pins.marks.push_back({i, chains[i], std::string(raw)});
                continue;
            }
            if (mark->raw == raw) continue;
            bool news_here = false;
            for (const auto& text : there.texts) {
                if (mark->raw.find(text) != std::string::npos) continue;
                news_here = true;
                if (!last) add_news(text);
            }
            if (last && news_here) {
                mark->raw = raw;  // nothing stands behind it yet
            } else {
                splices.push_back({in.view.messages[i].raw, mark->raw});
            }
        }
    }

    /// Where something can be added that is said last: behind the last message, unless an answer has been begun for the model.
    [[nodiscard]] std::optional<std::size_t> place() const {
        const auto& messages = in.view.messages;
        if (messages.empty()) return std::nullopt;
        const auto role = messages.back().role;
        if (role != api::Role::user && role != api::Role::tool) return std::nullopt;
        return messages.size() - 1;
    }

    void additions() {
        if (const auto at = place(); at && !news.empty()) {
            pins.additions.push_back({*at, chains[*at], as_reminder(news)});
        }
        for (const auto& addition : pins.additions) {
            // A message that is put back whole takes no splice inside.
            const auto raw = in.view.messages[addition.message].raw;
            const auto whole = std::ranges::find(splices, raw, &api::Splice::range);
            if (whole == splices.end()) {
                (void)put_behind(in, addition.message, addition.text, splices);
                continue;
            }
            const bool responses = in.view.dialect == api::Dialect::responses;
            const std::string body = (responses ? R"({"input":[)" : R"({"messages":[)") + whole->text + "]}";
            const auto alone = api::parse_request(in.view.dialect, body);
            std::vector<api::Splice> inner;
            if (!alone || alone->messages.empty() || !put_behind({*alone, body, in.client}, 0, addition.text, inner)) continue;
            const std::string changed = api::apply(body, std::move(inner));
            const auto begin = alone->messages[0].raw.begin;
            whole->text = changed.substr(begin, changed.size() - (body.size() - alone->messages[0].raw.end) - begin);
        }
    }
};

}  // namespace

std::string what_changed(std::string_view before, std::string_view after) {
    if (before == after) return {};
    const auto fresh = lines_only_in(after, before), gone = lines_only_in(before, after);
    std::string out;
    if (!fresh.empty()) out += R"(This has changed since the conversation began:\n)" + fresh;
    if (!gone.empty()) out += (out.empty() ? "" : R"(\n)") + std::string(R"(This does not hold any more:\n)") + gone;
    return out;
}

Pinned pin(const Input& in, Pins pins) {
    const auto from = leading_system(in.view);
    Pinning pinning{in, std::move(pins), chains_of(in, from), {}, {}};
    pinning.blocks();
    pinning.marks(from);
    pinning.additions();
    if (size_of(pinning.pins) > max_pinned_bytes) return {};
    return {std::move(pinning.splices), std::move(pinning.pins)};
}

}  // namespace lc::prefix
