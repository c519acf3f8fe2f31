#include "core/dialect/write.hpp"

#include <algorithm>

#include "core/dialect/write_parts.hpp"

namespace lc::dialect {

const ToolName* named(const Writer& writer, std::string_view model) {
    const auto it = std::find_if(writer.names.begin(), writer.names.end(),
                                 [&](const ToolName& name) { return name.model == model; });
    return it == writer.names.end() ? nullptr : &*it;
}

namespace {

/// The steps of the writer's dialect.
struct Form {
    std::string (*open)(Writer&);
    std::string (*begin)(Writer&);
    std::string (*piece)(Writer&, std::string_view);
    std::string (*close)(Writer&);
    std::string (*end)(Writer&);
};

Form form_of(const Writer& writer) {
    if (writer.dialect == api::Dialect::messages)
        return {messages::open, messages::begin, messages::piece, messages::close, messages::end};
    return {responses::open, responses::begin, responses::piece, responses::close, responses::end};
}

std::string open(Writer& writer) {
    if (writer.opened) return {};
    writer.opened = true;
    return form_of(writer).open(writer);
}

std::string close(Writer& writer) {
    if (writer.block == Writer::Block::none) return {};
    std::string out = form_of(writer).close(writer);
    writer.block = Writer::Block::none;
    writer.call_index = -1;
    writer.text.clear();
    return out;
}

std::string begin(Writer& writer, Writer::Block block) {
    std::string out = open(writer) + close(writer);
    writer.block = block;
    ++writer.blocks;
    return out + form_of(writer).begin(writer);
}

std::string piece(Writer& writer, std::string_view text) {
    writer.text += text;
    return form_of(writer).piece(writer, text);
}

std::string text(Writer& writer, Writer::Block block, std::string_view more) {
    if (more.empty()) return {};
    std::string out = writer.block == block ? "" : begin(writer, block);
    return out + piece(writer, more);
}

struct Write {
    Writer& writer;
    std::string operator()(const api::TextDelta& e) const {
        return e.choice == 0 ? text(writer, Writer::Block::text, e.text) : "";
    }
    std::string operator()(const api::ReasoningDelta& e) const {
        return e.choice == 0 ? text(writer, Writer::Block::reasoning, e.text) : "";
    }
    std::string operator()(const api::ToolBegin& e) const {
        if (e.choice != 0) return {};
        std::string out = open(writer) + close(writer);
        writer.call_id = e.id.empty() ? "call_" + writer.id + "_" + std::to_string(writer.blocks) : e.id;
        writer.call_name = e.name;
        out += begin(writer, Writer::Block::call);
        writer.call_index = e.index;
        return out;
    }
    std::string operator()(const api::ToolArguments& e) const {
        const bool mine = writer.block == Writer::Block::call && writer.call_index == e.index && !e.text.empty();
        return mine ? piece(writer, e.text) : "";
    }
    std::string operator()(const api::ToolEnd& e) const {
        return writer.block == Writer::Block::call && writer.call_index == e.index ? close(writer) : "";
    }
    std::string operator()(const api::Usage& e) const {
        writer.usage = e;
        return {};
    }
    std::string operator()(const api::Timings& e) const {
        if (!writer.usage) {
            const std::int64_t prompt = e.cache_n + e.prompt_n;
            writer.usage = api::Usage{prompt, e.predicted_n, prompt + e.predicted_n, e.cache_n, std::nullopt};
        }
        return {};
    }
    std::string operator()(const api::Progress& e) const {
        writer.prompt = e.total;
        writer.cached = e.cached;
        return {};
    }
    std::string operator()(const api::Finish& e) const {
        if (e.choice != 0) return {};
        writer.reason = e.reason;
        return {};  // a cut call must know it when it is closed
    }
    std::string operator()(const api::StreamFailure&) const { return {}; }
    std::string operator()(const api::Done&) const {
        std::string out = open(writer) + close(writer);
        writer.ended = true;
        return out + form_of(writer).end(writer);
    }
};

}  // namespace

std::string write(Writer& writer, const api::StreamEvent& event) {
    return writer.ended ? std::string() : std::visit(Write{writer}, event);
}

std::string write(Writer& writer, const std::vector<api::StreamEvent>& events) {
    std::string out;
    // Of events that come together the finish counts first: the calls it cuts are among them.
    for (const auto& event : events) {
        if (const auto* finish = std::get_if<api::Finish>(&event); finish && finish->choice == 0) writer.reason = finish->reason;
    }
    for (const auto& event : events) out += write(writer, event);
    return out;
}

std::string write_whole(Writer writer, const std::vector<api::StreamEvent>& events) {
    (void)write(writer, events);
    (void)write(writer, api::Done{});
    return writer.dialect == api::Dialect::messages ? messages::whole(writer) : responses::whole(writer);
}

}  // namespace lc::dialect
