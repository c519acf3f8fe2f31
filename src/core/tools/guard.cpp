#include "core/tools/guard.hpp"

#include <algorithm>

#include "core/api/splice.hpp"

namespace lc::tools {

namespace {

using api::StreamEvent;

std::string frame_of(const Value& chunk) {
    return "data: " + write(chunk) + "\n\n";
}

Value number(std::int64_t n) {
    Value value;
    value.kind = Kind::number;
    value.text = std::to_string(n);
    return value;
}

void set(Value& object, std::string_view key, Value value) {
    if (Value* old = find(object, key)) {
        *old = std::move(value);
    } else {
        object.members.push_back({std::string(key), std::move(value)});
    }
}

void erase(Value& object, std::string_view key) {
    std::erase_if(object.members, [&](const Member& member) { return member.key == key; });
}

/// A chunk like `like`, with this delta and no finish.
std::string chunk_like(const std::string& like, Value delta) {
    Value chunk = object_value();
    const auto parsed = parse(like);
    for (const std::string_view key : {"id", "object", "created", "model", "system_fingerprint"}) {
        const Value* same = parsed.value ? find(*parsed.value, key) : nullptr;
        if (same) chunk.members.push_back({std::string(key), *same});
    }
    Value choice = object_value();
    choice.members.push_back({"index", number(0)});
    choice.members.push_back({"delta", std::move(delta)});
    choice.members.push_back({"finish_reason", {}});
    Value choices;
    choices.kind = Kind::array;
    choices.items.push_back(std::move(choice));
    chunk.members.push_back({"choices", std::move(choices)});
    return frame_of(chunk);
}

std::string text_chunk(const std::string& like, std::string_view text) {
    Value delta = object_value();
    delta.members.push_back({"content", string_value(std::string(text))});
    return chunk_like(like, std::move(delta));
}

std::string id_of(const Guard& guard, const Guard::HeldCall& call) {
    return call.new_id || call.id.empty() ? "call_" + guard.id_seed + "_" + std::to_string(call.index) : call.id;
}

void emit_call(const Guard& guard, const Guard::HeldCall& call, const std::string& like, GuardOut& out) {
    Value function = object_value();
    function.members.push_back({"name", string_value(call.outcome.name)});
    function.members.push_back({"arguments", string_value(call.outcome.arguments)});
    Value entry = object_value();
    entry.members.push_back({"index", number(call.index)});
    entry.members.push_back({"id", string_value(id_of(guard, call))});
    entry.members.push_back({"type", string_value("function")});
    entry.members.push_back({"function", std::move(function)});
    Value list;
    list.kind = Kind::array;
    list.items.push_back(std::move(entry));
    Value delta = object_value();
    delta.members.push_back({"tool_calls", std::move(list)});
    out.bytes += chunk_like(like, std::move(delta));
    out.events.push_back(api::ToolBegin{call.index, id_of(guard, call), call.outcome.name, 0});
    out.events.push_back(api::ToolArguments{call.index, call.outcome.arguments});
    out.events.push_back(api::ToolEnd{call.index});
}

Value* first_choice(Value& chunk) {
    Value* choices = find(chunk, "choices");
    return choices && !choices->items.empty() ? &choices->items[0] : nullptr;
}

/// A held frame without its calls, with `text` for its text, and with another reason of its finish. Empty when nothing
/// is left.
std::string edited(const Guard::HeldFrame& frame, std::string_view text, std::string_view reason) {
    auto parsed = parse(frame.data);
    if (!parsed.value) return frame.raw;
    Value* choice = first_choice(*parsed.value);
    Value* delta = choice ? find(*choice, "delta") : nullptr;
    if (!delta) return frame.raw;
    erase(*delta, "tool_calls");
    const bool had_text = find(*delta, "content") && find(*delta, "content")->kind == Kind::string;
    if (had_text && text.empty())
        erase(*delta, "content");
    else if (had_text)
        set(*delta, "content", string_value(std::string(text)));
    Value* finish = find(*choice, "finish_reason");
    const bool finishes = finish && finish->kind == Kind::string && !finish->text.empty();
    if (finishes && !reason.empty()) *finish = string_value(std::string(reason));
    if (delta->members.empty() && !finishes && !find(*parsed.value, "usage")) return {};
    return frame_of(*parsed.value);
}

void pass_front(Guard& guard, GuardOut& out) {
    auto& frame = guard.frames.front();
    out.bytes += frame.raw;
    for (auto& event : frame.events) out.events.push_back(std::move(event));
    guard.frames.pop_front();
}

void pass_all(Guard& guard, GuardOut& out) {
    while (!guard.frames.empty()) pass_front(guard, out);
    guard.calls.clear();
}

bool is_hopeless(const Guard::HeldCall& call) {
    return call.outcome.verdict == Verdict::hopeless;
}

void count(Guard& guard, const Guard::HeldCall& call, std::string_view outcome) {
    guard.judged.push_back({call.outcome.name, std::string(outcome), call.outcome.fixes, call.outcome.why});
}

void judge(const ToolSet& tools, Guard::HeldCall& call, bool cut) {
    if (call.judged) return;
    call.judged = true;
    call.call.cut = cut;
    call.outcome = repair(tools, call.call);
    if (call.from_text && !is_hopeless(call)) {
        note(call.outcome.fixes, Fix::from_text);
        call.outcome.verdict = Verdict::repaired;
    }
}

/// Everything up to the finish is known: passes what needs no change, else writes the rest anew.
void settle(Guard& guard, GuardOut& out) {
    const bool cut =
        std::any_of(guard.calls.begin(), guard.calls.end(), [](const auto& c) { return is_hopeless(c) && c.call.cut; });
    const bool hopeless = std::any_of(guard.calls.begin(), guard.calls.end(), is_hopeless);
    const bool changed = std::any_of(guard.calls.begin(), guard.calls.end(), [&](const auto& c) {
        return c.from_text || c.again || c.new_id || (guard.options.repair && c.outcome.verdict == Verdict::repaired);
    });
    for (const auto& call : guard.calls) {
        if (is_hopeless(call))
            count(guard, call, call.call.cut ? "cut" : "given_up");
        else
            count(guard, call, call.again ? "asked_again" : name_of(call.outcome.verdict));
    }
    guard.settled = true;
    const bool say_so = hopeless && !cut && guard.options.on_invalid != OnInvalid::pass;
    if (hopeless && !cut && guard.options.on_invalid == OnInvalid::error) {
        const auto bad = std::find_if(guard.calls.begin(), guard.calls.end(), is_hopeless);
        guard.failed = true;
        guard.failure = "the model's call of the tool '" + bad->call.name + "' is not valid: " + bad->outcome.why;
        guard.frames.clear();
        guard.calls.clear();
        return;
    }
    // A text that was not a call after all stays what it was.
    const bool text_failed = hopeless && !guard.text_before.empty();
    if ((!changed && !say_so) || (text_failed && !say_so)) {
        pass_all(guard, out);
        return;
    }
    guard.changed = true;
    const bool some_passed = guard.calls_seen > static_cast<int>(guard.calls.size());
    const int first_held = guard.calls.empty() ? guard.calls_seen : guard.calls.front().index;
    std::vector<Guard::HeldCall> calls;
    std::string notes;
    for (auto& call : guard.calls) {
        if (is_hopeless(call) && say_so) {
            notes += "The call of the tool '" + call.call.name + "' was not valid: " + call.outcome.why + "\n" +
                     call.call.arguments + "\n";
        } else {
            calls.push_back(std::move(call));
        }
    }
    guard.calls.clear();
    const std::size_t text_until = guard.text_seen - guard.text_before.size();
    const std::string_view reason = calls.empty() && !some_passed ? "stop" : "tool_calls";
    bool emitted = false;
    while (!guard.frames.empty()) {
        auto& frame = guard.frames.front();
        std::string text;
        bool finishes = false;
        for (const auto& event : frame.events) {
            if (const auto* delta = std::get_if<api::TextDelta>(&event)) text += delta->text;
            finishes = finishes || std::holds_alternative<api::Finish>(event);
        }
        if (frame.text_end > text_until) {
            const std::size_t begin = frame.text_end - text.size();
            text.resize(begin < text_until ? text_until - begin : 0);
        }
        if (finishes && !emitted) {
            emitted = true;
            if (!text.empty()) {
                out.bytes += text_chunk(frame.data, text);
                out.events.push_back(api::TextDelta{text, 0});
                text.clear();
            }
            if (!notes.empty()) {
                out.bytes += text_chunk(frame.data, notes);
                out.events.push_back(api::TextDelta{notes, 0});
            }
            for (const auto& call : calls) emit_call(guard, call, frame.data, out);
        }
        out.bytes += edited(frame, text, finishes ? reason : "");
        if (!text.empty()) out.events.push_back(api::TextDelta{text, 0});
        for (auto& event : frame.events) {
            const auto* ended = std::get_if<api::ToolEnd>(&event);
            const bool replaced =
                std::holds_alternative<api::TextDelta>(event) || std::holds_alternative<api::ToolBegin>(event) ||
                std::holds_alternative<api::ToolArguments>(event) || (ended && ended->index >= first_held);
            if (replaced) continue;
            if (auto* finish = std::get_if<api::Finish>(&event)) finish->reason = reason;
            out.events.push_back(std::move(event));
        }
        guard.frames.pop_front();
    }
}

/// After a finish: asks again where that helps, else settles.
void decide(Guard& guard, GuardOut& out) {
    const auto bad = std::find_if(guard.calls.begin(), guard.calls.end(), is_hopeless);
    const bool worth =
        bad != guard.calls.end() && !bad->call.cut && guard.options.repair && guard.asked < guard.options.reask;
    guard.asking = worth;
    if (!worth) settle(guard, out);
}

void on_finish(const ToolSet& tools, Guard& guard, const std::string& reason, GuardOut& out) {
    const bool cut = reason == "length" || reason == "content_filter";
    for (auto& call : guard.calls) judge(tools, call, cut && &call == &guard.calls.back());
    if (!guard.options.hold_calls) {  // they have passed already
        for (const auto& call : guard.calls) {
            const bool sound = call.outcome.verdict == Verdict::valid || call.outcome.verdict == Verdict::unchecked;
            count(guard, call, sound ? name_of(call.outcome.verdict) : call.call.cut ? "cut" : "given_up");
        }
        guard.calls.clear();
    }
    if (guard.options.scan_text && guard.calls_seen == 0) {
        auto end = finish(tools, guard.scan, cut);
        for (auto& found : end.calls) {
            Guard::HeldCall call;
            call.index = guard.calls_seen++;
            call.from_text = true;
            call.call = {std::move(found.name), std::move(found.arguments), false};
            judge(tools, call, false);
            for (const Fix fix : found.fixes) note(call.outcome.fixes, fix);
            guard.calls.push_back(std::move(call));
        }
        if (!guard.calls.empty()) guard.text_before = std::move(end.text);
    }
    guard.text_passed = guard.text_seen;
    decide(guard, out);
}

/// Takes one event into account. Returns whether the finish came.
void take(const ToolSet& tools, Guard& guard, const StreamEvent& event) {
    if (const auto* delta = std::get_if<api::TextDelta>(&event)) {
        guard.text_seen += delta->text.size();
        if (guard.options.scan_text && guard.calls_seen == 0)
            guard.text_passed += step(tools, guard.scan, delta->text).size();
        else
            guard.text_passed = guard.text_seen;
    } else if (const auto* begin = std::get_if<api::ToolBegin>(&event)) {
        if (guard.options.scan_text) guard.scan = {};  // what was held before a real call is text
        guard.text_passed = guard.text_seen;
        for (auto& call : guard.calls) judge(tools, call, false);
        Guard::HeldCall call;
        call.index = begin->index;
        call.id = begin->id;
        call.call.name = begin->name;
        call.new_id = call.id.empty() || std::find(guard.ids.begin(), guard.ids.end(), call.id) != guard.ids.end();
        guard.ids.push_back(call.id);
        guard.calls.push_back(std::move(call));
        ++guard.calls_seen;
    } else if (const auto* piece = std::get_if<api::ToolArguments>(&event)) {
        for (auto& call : guard.calls) {
            if (call.index == piece->index) call.call.arguments += piece->text;
        }
    }
}

/// Passes the frames at the front that nothing holds.
void pass_free(Guard& guard, GuardOut& out) {
    const auto done = [](const Guard::HeldCall& call) {
        return call.judged && !call.new_id &&
               (call.outcome.verdict == Verdict::valid || call.outcome.verdict == Verdict::unchecked);
    };
    const bool hold = guard.options.hold_calls;
    const bool calls_hold = hold && !guard.calls.empty();
    // Frames of whole valid calls go when the next call has begun: only the last frames belong to it.
    const auto of_others = [&](const StreamEvent& event) {
        const auto* begin = std::get_if<api::ToolBegin>(&event);
        const auto* piece = std::get_if<api::ToolArguments>(&event);
        return (begin && begin->index != guard.calls.back().index) ||
               (piece && piece->index != guard.calls.back().index);
    };
    const auto shared = [&] {
        return std::any_of(guard.frames.back().events.begin(), guard.frames.back().events.end(), of_others);
    };
    const bool all_but_last =
        hold && guard.calls.size() > 1 && std::all_of(guard.calls.begin(), guard.calls.end() - 1, done) && !shared();
    if (all_but_last) {
        while (guard.frames.size() > 1) pass_front(guard, out);
        for (std::size_t i = 0; i + 1 < guard.calls.size(); ++i)
            count(guard, guard.calls[i], name_of(guard.calls[i].outcome.verdict));
        guard.calls.erase(guard.calls.begin(), guard.calls.end() - 1);
        return;
    }
    while (!guard.frames.empty()) {
        const auto& frame = guard.frames.front();
        if (frame.text_end > guard.text_passed || (calls_hold && frame.tool)) return;
        pass_front(guard, out);
    }
}

}  // namespace

Guard make_guard(const GuardOptions& options, std::string seed) {
    Guard guard;
    guard.options = options;
    guard.scan.bare = options.bare;
    guard.id_seed = std::move(seed);
    return guard;
}

GuardOut step(const ToolSet& tools, Guard& guard, const sse::Frame& frame, const std::vector<StreamEvent>& events) {
    GuardOut out;
    const auto choice_of = [](const StreamEvent& event) {
        if (const auto* text = std::get_if<api::TextDelta>(&event)) return text->choice;
        if (const auto* begin = std::get_if<api::ToolBegin>(&event)) return begin->choice;
        return 0;
    };
    const bool several = std::any_of(events.begin(), events.end(), [&](const auto& e) { return choice_of(e) != 0; });
    const bool failed = std::any_of(events.begin(), events.end(),
                                    [](const auto& e) { return std::holds_alternative<api::StreamFailure>(e); });
    if ((several || failed) && !guard.off) {
        out = flush(guard);
        guard.off = true;
    }
    if (guard.off || (guard.settled && !guard.failed)) {
        out.bytes += frame.raw;
        out.events.insert(out.events.end(), events.begin(), events.end());
        return out;
    }
    if (guard.failed) return out;
    Guard::HeldFrame held{frame.raw, frame.data, events, 0, false};
    const std::string* finish = nullptr;
    for (const auto& event : events) {
        take(tools, guard, event);
        held.tool = held.tool || std::holds_alternative<api::ToolBegin>(event) ||
                    std::holds_alternative<api::ToolArguments>(event);
        if (const auto* end = std::get_if<api::Finish>(&event)) finish = &end->reason;
    }
    held.text_end = guard.text_seen;
    guard.frames.push_back(std::move(held));
    if (guard.asking) return out;  // what follows the finish waits for the answer
    if (finish) {
        on_finish(tools, guard, *finish, out);
    } else {
        pass_free(guard, out);
    }
    return out;
}

Question question(const ToolSet& tools, const Guard& guard) {
    const auto bad = std::find_if(guard.calls.begin(), guard.calls.end(), is_hopeless);
    if (bad == guard.calls.end()) return {};
    const Tool* tool = find_tool(tools, bad->call.name).tool;
    return {tool ? tool->name : "", bad->call.name, bad->call.arguments, bad->outcome.why, guard.asked + 1};
}

GuardOut answered(const ToolSet& tools, Guard& guard, const Call& call) {
    GuardOut out;
    if (!guard.asking) return out;
    ++guard.asked;
    const auto bad = std::find_if(guard.calls.begin(), guard.calls.end(), is_hopeless);
    if (call.name.empty()) {
        guard.asked = guard.options.reask;
    } else {
        const Outcome outcome = repair(tools, call);
        if (outcome.verdict != Verdict::hopeless) {
            bad->outcome = outcome;
            bad->again = true;
        }
    }
    decide(guard, out);
    return out;
}

GuardOut flush(Guard& guard) {
    GuardOut out;
    guard.asking = false;
    pass_all(guard, out);
    return out;
}

GuardOut open_whole(const ToolSet& tools, Guard& guard, std::string_view body) {
    const auto parsed = parse(body);
    const Value* choices = parsed.value ? find(*parsed.value, "choices") : nullptr;
    if (!choices || choices->items.size() != 1) {
        guard.off = true;
        return {};
    }
    // The whole answer as one chunk of a stream.
    Value chunk = *parsed.value;
    for (auto& member : find(chunk, "choices")->items[0].members) {
        if (member.key == "message") member.key = "delta";
    }
    sse::Frame frame;
    frame.data = write(chunk);
    frame.has_data = true;
    frame.raw = frame_of(chunk);
    api::StreamReader reader;
    return step(tools, guard, frame, api::read(reader, frame));
}

std::string close_whole(const Guard& guard, std::string_view body, const std::vector<StreamEvent>& events) {
    if (guard.off || !guard.changed) return std::string(body);
    auto parsed = parse(body);
    Value* choice = parsed.value ? first_choice(*parsed.value) : nullptr;
    Value* message = choice ? find(*choice, "message") : nullptr;
    if (!message) return std::string(body);
    std::string text, reason;
    Value calls;
    calls.kind = Kind::array;
    for (const auto& event : events) {
        if (const auto* delta = std::get_if<api::TextDelta>(&event)) text += delta->text;
        if (const auto* finish = std::get_if<api::Finish>(&event)) reason = finish->reason;
        if (const auto* begin = std::get_if<api::ToolBegin>(&event)) {
            Value function = object_value();
            function.members.push_back({"name", string_value(begin->name)});
            function.members.push_back({"arguments", string_value("")});
            Value call = object_value();
            call.members.push_back({"id", string_value(begin->id)});
            call.members.push_back({"type", string_value("function")});
            call.members.push_back({"function", std::move(function)});
            calls.items.push_back(std::move(call));
        }
        if (const auto* piece = std::get_if<api::ToolArguments>(&event); piece && !calls.items.empty()) {
            find(*find(calls.items.back(), "function"), "arguments")->text += piece->text;
        }
    }
    Value content;
    if (!text.empty()) content = string_value(text);
    set(*message, "content", std::move(content));
    if (calls.items.empty())
        erase(*message, "tool_calls");
    else
        set(*message, "tool_calls", std::move(calls));
    if (!reason.empty()) set(*choice, "finish_reason", string_value(reason));
    return write(*parsed.value);
}

}  // namespace lc::tools
