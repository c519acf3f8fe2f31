#include "core/states/exchange.hpp"

#include <boost/json.hpp>
#include <limits>

#include "base/text.hpp"

namespace lc::states {

namespace json = boost::json;

namespace {

constexpr std::uint64_t most_generation = std::uint64_t{1} << 62;

std::optional<json::object> object_of(std::string_view text) {
    boost::system::error_code ec;
    auto value = json::parse(json::string_view(text.data(), text.size()), ec);
    if (ec || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

std::string text_at(const json::object& in, std::string_view key) {
    const auto* value = in.if_contains(key);
    const auto* text = value ? value->if_string() : nullptr;
    return text ? std::string(text->data(), text->size()) : std::string();
}

bool flag_at(const json::object& in, std::string_view key, bool otherwise = false) {
    const auto* value = in.if_contains(key);
    const auto* flag = value ? value->if_bool() : nullptr;
    return flag ? *flag : otherwise;
}

/// Not negative, at most `max`; nothing when it is absent, anything else or more.
std::optional<std::uint64_t> whole_at(const json::object& in, std::string_view key, std::uint64_t max) {
    const auto* value = in.if_contains(key);
    const auto* number = value ? value->if_int64() : nullptr;
    if (!number || *number < 0 || static_cast<std::uint64_t>(*number) > max) return std::nullopt;
    return static_cast<std::uint64_t>(*number);
}

std::uint32_t tokens_at(const json::object& in, std::string_view key) {
    return static_cast<std::uint32_t>(whole_at(in, key, 1u << 24).value_or(0));
}

double number_at(const json::object& in, std::string_view key) {
    const auto* value = in.if_contains(key);
    if (!value) return 0;
    if (const auto* number = value->if_double()) return *number;
    if (const auto* number = value->if_int64()) return static_cast<double>(*number);
    return 0;
}

std::optional<Digest> digest_at(const json::object& in, std::string_view key) {
    const auto digest = kv::digest_of_hex(text_at(in, key));
    return digest ? std::optional(*digest) : std::nullopt;
}

const json::array* list_at(const json::object& in, std::string_view key) {
    const auto* value = in.if_contains(key);
    return value ? value->if_array() : nullptr;
}

std::optional<kv::BlobKind> kind_of(std::string_view name) {
    for (const auto kind : {kv::BlobKind::chunk, kv::BlobKind::snapshot, kv::BlobKind::manifest}) {
        if (kv::name_of(kind) == name) return kind;
    }
    return std::nullopt;
}

json::array numbers(const std::vector<std::uint32_t>& from) {
    json::array out;
    for (const auto number : from) out.emplace_back(number);
    return out;
}

json::array turns_of(const std::vector<AnswerTurn>& turns) {
    json::array out;
    for (const auto& turn : turns) out.push_back(json::array{turn.begin, turn.end});
    return out;
}

Result<SaveEvent> malformed(std::string_view what) {
    return fail(Errc::bad_request, "the engine's report of a save has no valid " + std::string(what));
}

Result<SaveEvent> parse_saved(const json::object& in) {
    Saved out;
    out.n_tokens = tokens_at(in, "n_tokens");
    const auto* tokens = list_at(in, "tokens");
    if (!tokens || out.n_tokens == 0 || tokens->size() != out.n_tokens) return malformed("tokens");
    for (const auto& token : *tokens) {
        const auto* id = token.if_int64();
        if (!id || *id < -1 || *id > std::numeric_limits<kv::Token>::max()) return malformed("tokens");
        out.tokens.push_back(static_cast<kv::Token>(*id));
    }
    if (const auto* media = list_at(in, "media")) {
        for (const auto& item : *media) {
            const auto* object = item.if_object();
            const auto digest = object ? digest_at(*object, "digest") : std::nullopt;
            if (!digest) return malformed("media");
            out.media.push_back({tokens_at(*object, "start"), tokens_at(*object, "n_tokens"), *digest});
        }
    }
    if (const auto* files = list_at(in, "files")) {
        for (const auto& item : *files) {
            const auto* object = item.if_object();
            const auto kind = object ? kind_of(text_at(*object, "kind")) : std::nullopt;
            const auto name = object ? digest_at(*object, "name") : std::nullopt;
            const auto path = object ? text_at(*object, "path") : std::string();
            // Below the store's folder and nowhere else.
            if (!kind || !name || path.empty() || path[0] == '/' || path.find("..") != std::string::npos) {
                return malformed("files");
            }
            const auto bytes = whole_at(*object, "bytes", std::uint64_t{1} << 50).value_or(0);
            out.files.push_back({*kind, *name, path, bytes});
        }
    }
    if (const auto* snapshots = list_at(in, "snapshots")) {
        for (const auto& item : *snapshots) {
            const auto* object = item.if_object();
            const auto name = object ? digest_at(*object, "name") : std::nullopt;
            const auto bytes = object ? whole_at(*object, "bytes", std::uint64_t{1} << 50) : std::nullopt;
            if (!name || !bytes) return malformed("snapshots");
            out.snapshots.push_back({*name, tokens_at(*object, "n_tokens"), *bytes});
        }
    }
    out.has_chunks = flag_at(in, "has_chunks", true);
    out.complete = flag_at(in, "complete", true);
    out.generation = whole_at(in, "generation", most_generation).value_or(0);
    out.copy_ms = number_at(in, "copy_ms");
    out.ms = number_at(in, "ms");
    return SaveEvent(std::move(out));
}

}  // namespace

EngineState parse_engine_state(std::string_view about) {
    EngineState out;
    out.why = "the engine cannot keep states";
    const auto root = object_of(about);
    if (!root) return out;
    if (const auto why = text_at(*root, "state_why"); !why.empty()) out.why = why;
    const auto* value = root->if_contains("state");
    const auto* state = value ? value->if_object() : nullptr;
    const auto* identity = state ? state->if_contains("identity") : nullptr;
    const auto* fields = identity ? identity->if_object() : nullptr;
    if (!fields) return out;
    for (const auto& field : *fields) {
        if (const auto* text = field.value().if_string()) {
            out.identity.push_back({std::string(field.key()), std::string(text->data(), text->size())});
        } else if (const auto* list = field.value().if_array()) {
            for (const auto& item : *list) {
                const auto* line = item.if_string();
                if (!line) return out;
                out.identity.push_back({std::string(field.key()), std::string(line->data(), line->size())});
            }
        } else {
            return out;
        }
    }
    out.kind = text_at(*state, "kind");
    out.cuttable = flag_at(*state, "cuttable");
    out.supported = true;
    out.why.clear();
    return out;
}

std::string print(const UseState& use) {
    json::object out;
    out["token"] = use.token;
    out["namespace"] = hex(use.scope.name_space);
    out["identity"] = hex(use.scope.identity);
    json::array states;
    for (const auto& state : use.states) states.emplace_back(hex(state));
    out["states"] = std::move(states);
    out["chunks"] = use.chunks;
    if (use.limit) out["limit"] = *use.limit;
    if (!use.checkpoints.empty()) out["checkpoints"] = numbers(use.checkpoints);
    if (use.history) {
        json::object history;
        history["generation"] = use.history->generation;
        history["slot"] = turns_of(use.history->slot);
        json::array all;
        for (const auto& turns : use.history->states) all.push_back(turns_of(turns));
        history["states"] = std::move(all);
        out["history"] = std::move(history);
    }
    return json::serialize(out);
}

std::optional<StateReport> parse_state_report(std::string_view text) {
    const auto in = object_of(text);
    if (!in) return std::nullopt;
    StateReport out;
    out.slot = static_cast<int>(whole_at(*in, "slot", 1 << 20).value_or(0));
    out.prompt = tokens_at(*in, "prompt");
    out.had = tokens_at(*in, "had");
    out.used = tokens_at(*in, "used");
    out.from = text_at(*in, "from");
    out.state = digest_at(*in, "state");
    out.bytes = whole_at(*in, "bytes", std::uint64_t{1} << 50).value_or(0);
    out.ms = number_at(*in, "ms");
    out.reason = text_at(*in, "reason");
    out.generation = whole_at(*in, "generation", most_generation).value_or(0);
    const auto* history = in->if_contains("history");
    if (const auto* told = history ? history->if_object() : nullptr) {
        out.history = HistoryReport{tokens_at(*told, "tokens"), tokens_at(*told, "turns"), tokens_at(*told, "slot"),
                                    tokens_at(*told, "state")};
    }
    if (const auto* bad = list_at(*in, "bad")) {
        for (const auto& item : *bad) {
            const auto* object = item.if_object();
            const auto kind = object ? kind_of(text_at(*object, "kind")) : std::nullopt;
            const auto name = object ? digest_at(*object, "name") : std::nullopt;
            if (kind && name) out.bad.push_back({*kind, *name, text_at(*object, "why")});
        }
    }
    return out;
}

std::optional<StateReport> report_in(std::string_view frame) {
    constexpr std::string_view mark = ": localcode-state ";
    if (!frame.starts_with(mark)) return std::nullopt;
    return parse_state_report(trim(frame.substr(mark.size(), frame.find('\n') - mark.size())));
}

std::string print(const SaveState& save) {
    json::object out;
    out["token"] = save.token;
    out["slot"] = save.slot;
    out["namespace"] = hex(save.scope.name_space);
    out["identity"] = hex(save.scope.identity);
    out["cuts"] = numbers(save.cuts);
    out["staging"] = save.staging;
    return json::serialize(out);
}

Result<SaveEvent> parse_save_event(std::string_view line) {
    const auto in = object_of(line);
    if (!in) return malformed("line");
    const auto event = text_at(*in, "event");
    if (event == "copied") return SaveEvent(Copied{tokens_at(*in, "n_tokens")});
    if (event == "error") return SaveEvent(SaveRefused{text_at(*in, "code"), text_at(*in, "message")});
    if (event == "done") return parse_saved(*in);
    return malformed("event");
}

}  // namespace lc::states
