#include "shell/store/record_json.hpp"

#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <concepts>
#include <optional>
#include <type_traits>
#include <vector>

namespace lc::store {

namespace {

namespace json = boost::json;
using log::MessageSummary;
using log::RequestRecord;
using log::TimingSummary;
using log::ToolCallSummary;
using log::UsageSummary;

// One list of members for writing and reading; `R` is the struct or the const struct.

template <class R, class F>
requires std::same_as<std::remove_const_t<R>, MessageSummary>
void members(R& r, F&& f) {
    f("role", r.role), f("preview", r.preview), f("tool_call_id", r.tool_call_id), f("calls", r.calls);
}

template <class R, class F>
requires std::same_as<std::remove_const_t<R>, ToolCallSummary>
void members(R& r, F&& f) {
    f("id", r.id), f("name", r.name), f("arguments", r.arguments), f("truncated", r.truncated);
    f("complete", r.complete), f("outcome", r.outcome);
}

template <class R, class F>
requires std::same_as<std::remove_const_t<R>, log::PromptEdit>
void members(R& r, F&& f) {
    f("step", r.step), f("where", r.where), f("before", r.before), f("after", r.after);
}

template <class R, class F>
requires std::same_as<std::remove_const_t<R>, UsageSummary>
void members(R& r, F&& f) {
    f("prompt", r.prompt), f("completion", r.completion), f("total", r.total), f("cached", r.cached);
    f("reasoning", r.reasoning);
}

template <class R, class F>
requires std::same_as<std::remove_const_t<R>, TimingSummary>
void members(R& r, F&& f) {
    f("parse", r.parse), f("wait", r.wait), f("connect", r.connect), f("first_byte", r.first_byte);
    f("first_token", r.first_token), f("total", r.total);
}

template <class R, class F>
requires std::same_as<std::remove_const_t<R>, RequestRecord>
void members(R& r, F&& f) {
    f("id", r.id), f("unix_ms", r.unix_ms), f("key", r.key), f("client", r.client), f("session", r.session),
        f("parent", r.parent);
    f("kind", r.kind), f("dialect", r.dialect), f("endpoint", r.endpoint), f("model_asked", r.model_asked);
    f("model_used", r.model_used), f("backend", r.backend), f("stream", r.stream), f("n_messages", r.n_messages);
    f("n_tools", r.n_tools), f("messages", r.messages), f("tools", r.tools);
    f("response_preview", r.response_preview), f("reasoning_preview", r.reasoning_preview), f("calls", r.calls);
    f("finish_reason", r.finish_reason), f("usage", r.usage), f("status", r.status), f("error_code", r.error_code);
    f("error_detail", r.error_detail), f("ms", r.ms), f("tokens_per_second", r.tokens_per_second);
    f("bytes_in", r.bytes_in), f("bytes_out", r.bytes_out), f("route_reason", r.route_reason), f("route", r.route);
    f("cache_outcome", r.cache_outcome), f("prefix", r.prefix), f("cancelled", r.cancelled), f("prompt", r.prompt);
}

template <class R>
concept Struct = requires(R& r) {
    members(r, [](std::string_view, auto&) {});
};

// --- writing
// ----------------------------------------------------------------------------------------------------------

/// Length of the well-formed UTF-8 character at the beginning; 0: there is none.
std::size_t character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    const unsigned char second = byte(1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool outside = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
    return overlong || outside ? 0 : length;
}

void write(std::string& out, std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    out += '"';
    while (!text.empty()) {
        const std::size_t length = character(text);
        if (length == 0) {
            out += "\xef\xbf\xbd";
            text.remove_prefix(1);
            continue;
        }
        const auto c = static_cast<unsigned char>(text.front());
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\t': out += "\\t"; break;
            case '\r': out += "\\r"; break;
            default:
                if (length == 2 && c == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) {
                    // C1 control characters: some terminals take them for the beginning of a command.
                    const auto low = static_cast<unsigned char>(text[1]);
                    out += {'\\', 'u', '0', '0', digits[low >> 4], digits[low & 15]};
                } else if (c < 0x20 || c == 0x7f) {
                    out += {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
                } else {
                    out += text.substr(0, length);
                }
        }
        text.remove_prefix(length);
    }
    out += '"';
}
void write(std::string& out, const std::string& text) {
    write(out, std::string_view(text));
}
void write(std::string& out, bool value) {
    out += value ? "true" : "false";
}
void write(std::string& out, double value) {
    char buffer[32];
    // Microseconds are enough, and keep the text short. `absent` has kept out what is no sensible number.
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, std::round(value * 1000) / 1000);
    out.append(buffer, result.ptr);
}
template <std::integral I>
void write(std::string& out, I value) {
    out += std::to_string(value);
}
template <class T>
void write(std::string& out, const std::vector<T>& values);
template <Struct R>
void write(std::string& out, const R& record);

bool absent(const std::string& value) {
    return value.empty();
}
/// Times and speeds: what is not finite or beyond all measure has no JSON form that reads back as the same.
bool absent(const std::optional<double>& value) {
    return !value || !(std::abs(*value) < 1e12);
}
template <class T>
bool absent(const std::optional<T>& value) {
    return !value;
}
template <class T>
bool absent(const std::vector<T>& values) {
    return values.empty();
}
template <class T>
bool absent(const T&) {
    return false;
}

template <class T>
const T& value_of(const T& value) {
    return value;
}
template <class T>
const T& value_of(const std::optional<T>& value) {
    return *value;
}

template <class T>
void write(std::string& out, const std::vector<T>& values) {
    out += '[';
    for (const T& value : values) {
        if (out.back() != '[') out += ',';
        write(out, value);
    }
    out += ']';
}

template <Struct R>
void write(std::string& out, const R& record) {
    out += '{';
    members(record, [&](std::string_view name, const auto& value) {
        if (absent(value)) return;
        if (out.back() != '{') out += ',';
        write(out, name);
        out += ':';
        write(out, value_of(value));
    });
    out += '}';
}

// --- reading: what has another type than expected is left alone -----------------------------------------------------

void read(const json::value& from, std::string& to) {
    if (const auto* text = from.if_string()) to.assign(text->data(), text->size());
}
void read(const json::value& from, bool& to) {
    if (const auto* value = from.if_bool()) to = *value;
}
void read(const json::value& from, double& to) {
    if (from.is_number()) to = from.to_number<double>();
}
template <std::integral I>
void read(const json::value& from, I& to) {
    json::error_code error;
    const auto value = from.is_number() ? from.to_number<I>(error) : I{};
    if (from.is_number() && !error) to = value;
}
template <class T>
void read(const json::value& from, std::optional<T>& to);
template <class T>
void read(const json::value& from, std::vector<T>& to);
template <Struct R>
void read(const json::value& from, R& to);

template <class T>
void read(const json::value& from, std::optional<T>& to) {
    if (!from.is_null()) read(from, to.emplace());
}
template <class T>
void read(const json::value& from, std::vector<T>& to) {
    if (const auto* list = from.if_array()) {
        for (const json::value& element : *list) read(element, to.emplace_back());
    }
}
template <Struct R>
void read(const json::value& from, R& to) {
    const auto* object = from.if_object();
    if (object == nullptr) return;
    members(to, [&](std::string_view name, auto& value) {
        if (const auto* member = object->if_contains(name)) read(*member, value);
    });
}

}  // namespace

std::string to_json_without_bodies(const RequestRecord& record) {
    std::string out;
    out.reserve(1024);
    write(out, record);
    return out;
}

std::string to_json(const RequestRecord& record) {
    std::string out = to_json_without_bodies(record);
    const auto add = [&out](std::string_view name, const std::string& body) {
        if (body.empty()) return;
        out.back() = ',';
        write(out, name);
        out += ':';
        write(out, body);
        out += '}';
    };
    add("request_body", record.request_body);
    add("response_body", record.response_body);
    return out;
}

Result<RequestRecord> record_from_json(std::string_view text) {
    json::error_code error;
    const json::value value = json::parse(text, error);
    if (error) return fail(Errc::internal, "a stored request is not JSON: " + error.message());
    if (!value.is_object()) return fail(Errc::internal, "a stored request is not a JSON object");
    RequestRecord record;
    read(value, record);
    const auto& object = value.get_object();
    if (const auto* body = object.if_contains("request_body")) read(*body, record.request_body);
    if (const auto* body = object.if_contains("response_body")) read(*body, record.response_body);
    return record;
}

}  // namespace lc::store
