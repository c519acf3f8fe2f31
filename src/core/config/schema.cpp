// Over 250 lines of tables by nature: every key with its range and its documentation stands once, here.
#include "core/config/schema.hpp"

#include <algorithm>
#include <array>

#include "core/config/presets.hpp"

namespace lc::config {

namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t max_tokens = std::int64_t{1} << 26;

constexpr std::string_view levels[] = {"error", "warn", "info", "debug"};
constexpr std::string_view formats[] = {"text", "json"};
constexpr std::string_view progress[] = {"comments", "reasoning"};
constexpr std::string_view flash[] = {"on", "off", "auto"};
constexpr std::string_view prefix_steps[] = {"environment", "pinned", "tools", "compaction"};
constexpr std::string_view kv_policies[] = {"adaptive", "lru", "lru2", "hazard"};
constexpr std::string_view on_invalid[] = {"pass", "content", "error"};
constexpr std::string_view cache_types[] = {"f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "iq4_nl", "q4_0"};

constexpr std::string_view roles[] = {"coder", "general", "small", "vision", "fim", "embed", "rerank"};
constexpr std::string_view prefer[] = {"order", "fastest"};

constexpr Entry<Server> server[] = {
    {"host", &Server::host,
     "Address to listen on. Beyond loopback (\"0.0.0.0\", \"::\", a network address) at least one\n"
     "key in [[auth.keys]] is required.",
     ""},
    {"port", &Server::port, "TCP port; 0 takes any free one.", "", 0, 65535},
    {"unix_socket",
     &Server::unix_socket,
     "A further listener for clients on a Unix socket (mode 0600).",
     "\"/run/user/1000/localcode-clients.sock\"",
     0,
     0,
     {},
     Anchor::always},
    {"model", &Server::model,
     "Model of requests that name none. Default: the first [[model]], else \"glm-4.7\".",
     "\"coder\""},
    {"preload", &Server::preload, "Models to start at once rather than with their first request.", "[\"coder\"]"},
    {"engine",
     &Server::engine,
     "Engine program. Default: the localcode-engine that was installed with LocalCode. A stock\n"
     "llama-server works too; what it lacks is reported.",
     "\"/usr/local/bin/llama-server\"",
     0,
     0,
     {},
     Anchor::if_slash},
    {"header_hold_ms", &Server::header_hold_ms,
     "How long the head of a streamed answer waits for the first byte or a definite error, before it\n"
     "is sent and pings begin.",
     "", 0, 60'000},
    {"progress", &Server::progress,
     "How a client that streams is told that it waits for a model, a slot or the prompt: comments (which\n"
     "clients do not show), or reasoning: as a line of reasoning text too, once a few seconds. Such lines\n"
     "are taken out again when a client sends them back.",
     "", 0, 0, progress},
    {"cors_origins", &Server::cors_origins,
     "Web pages that may call the API from a browser: origins such as \"https://chat.example\", or \"*\".\n"
     "None by default, other ports of localhost included.",
     "[\"https://chat.example\"]"},
    {"allowed_hosts", &Server::allowed_hosts,
     "Further names that clients may use for this server (\"box.lan\", \"*.example.com\"). Loopback names\n"
     "and the listening address always work; others are refused, against DNS rebinding.",
     "[\"box.lan\"]"},
    {"drain_ms", &Server::drain_ms, "How long running requests may go on after SIGTERM.", "", 0, hour_ms},
};

constexpr Entry<Tls> tls[] = {
    {"certificate", &Tls::certificate, "Certificate chain (PEM).", "\"server.pem\"", 0, 0, {}, Anchor::always},
    {"key", &Tls::key, "Its private key (PEM).", "\"server-key.pem\"", 0, 0, {}, Anchor::always},
};

constexpr Entry<Limits> limits[] = {
    {"max_header_bytes", &Limits::max_header_bytes, "Head of a request; more is 431.", "", 1 << 10, 1 << 20},
    {"max_body_bytes", &Limits::max_body_bytes, "Body of a request, after decompression too; more is 413.", "", 1 << 10,
     std::int64_t{1} << 32},
    {"max_json_depth", &Limits::max_json_depth, "Nesting of a JSON body.", "", 8, 1024},
    {"max_connections", &Limits::max_connections, "Open connections; further ones get 503.", "", 1, 100'000},
    {"request_time_ms", &Limits::request_time_ms, "Time to send head and body.", "", 100, hour_ms},
    {"idle_time_ms", &Limits::idle_time_ms, "Time between two requests of one connection.", "", 100, hour_ms},
    {"write_stall_ms", &Limits::write_stall_ms, "A client that takes no byte for so long is gone.", "", 100, hour_ms},
};

constexpr Entry<Auth> auth[] = {
    {"admin_key", &Auth::admin_key,
     "Key of the admin API (/localcode/v1/...) over TCP. Without one it is served on the admin socket\n"
     "only, which needs no key and which only you can open.",
     "\"env:LOCALCODE_ADMIN_KEY\""},
    {"namespaces", &Auth::namespaces,
     "Each key is a tenant of its own: sessions and KV states are not shared between keys.", ""},
};

constexpr Entry<Kv> kv_[] = {
    {"enabled", &Kv::enabled, "Keep the KV states of sessions on disk, so that no prompt is prefilled twice.", ""},
    {"dir", &Kv::dir, "Folder of the states. Default: kv in the state folder.", "\"/fast-disk/localcode-kv\"", 0, 0, {},
     Anchor::always},
    {"max_bytes", &Kv::max_bytes, "Limit in bytes; 0: a fifth of the free disk, at most 50 GB.", "", 0,
     std::int64_t{1} << 50},
    {"staging_dir", &Kv::staging_dir,
     "Where the slot files of a stock llama-server are put together. Default: a folder in /dev/shm.",
     "\"/dev/shm/localcode\"", 0, 0, {}, Anchor::always},
    {"policy", &Kv::policy,
     "Which states go when the store is full: those used longest ago (lru), whose use but one is longest ago\n"
     "(lru2), or that are least likely to be wanted again, as learned from use (hazard). adaptive: whichever\n"
     "of these would have saved more prefill lately.",
     "", 0, 0, kv_policies},
    {"writes_per_day", &Kv::writes_per_day,
     "Limit in bytes of what is written to the disk in a day (UTC), so that an SSD lives long; 0: none. Within\n"
     "it prompts that took over 2 s and what is saved at the end are always written.",
     "", 0, std::int64_t{1} << 50},
};

constexpr Entry<Tools> tools_[] = {
    {"repair", &Tools::repair,
     "Mend tool calls (and those of the history) where their meaning is plain; find calls that a model wrote\n"
     "in its text. What is valid is never touched.",
     ""},
    {"reask", &Tools::reask, "How often a call that cannot be mended is asked for again; 0: never.", "", 0, 10},
    {"on_invalid", &Tools::on_invalid,
     "What the client gets of a call that is still not valid: pass (what the model wrote, so that the client\n"
     "can tell it), content (a text that says what was wrong) or error.",
     "", 0, 0, on_invalid},
};

constexpr Entry<Prefix> prefix_[] = {
    {"steps", &Prefix::steps,
     "What is done to prompts of local models so that the cache can keep them (docs/guide/prefix.md): environment\n"
     "(what differs between projects and days goes behind the tools), pinned (what changes inside a session keeps\n"
     "its first form), tools (a lasting order), compaction (a summary is written from the session's own state).\n"
     "[] turns all of it off; one request does so with \"localcode\": {\"prefix\": false}.",
     "", 0, 0, prefix_steps},
    {"exact_history", &Prefix::exact_history,
     "The tokens that a local model generated stand in the next prompt as they are, also where the client or the\n"
     "template writes the same answer differently (docs/guide/states.md). Needs localcode-engine;\n"
     "one request goes without it by \"localcode\": {\"prefix\": false}.",
     ""},
};

constexpr Entry<PrefixRule> prefix_rule[] = {
    {"model", &PrefixRule::model, "Only requests to this model.", "\"coder\""},
    {"client", &PrefixRule::client, "Only requests of this client (opencode, claude, codex, qwen, ...).", "\"opencode\""},
    {"backend", &PrefixRule::backend,
     "Requests to this [[backend]]. Without it a rule is about local models; remote ones get requests as they came.",
     "\"cloud\""},
    {"steps", &PrefixRule::steps, "The steps instead of those above.", "[\"tools\"]", 0, 0, prefix_steps},
};

constexpr Entry<Key> auth_keys_[] = {
    {"name", &Key::name, "Name of the key's holder, to tell keys apart.", "\"alice\""},
    {"key",
     &Key::key,
     "The key: \"env:NAME\", \"file:PATH\", or the text itself.",
     "\"env:LOCALCODE_KEY_ALICE\"",
     0,
     0,
     {},
     Anchor::always},
};

constexpr Entry<Log> log_[] = {
    {"level", &Log::level, "error, warn, info or debug (debug prints answers chunk by chunk).", "", 0, 0, levels},
    {"format", &Log::format, "text for people, json for one JSON object a line.", "", 0, 0, formats},
    {"requests", &Log::requests, "Print each request and answer on the console.", ""},
    {"bodies", &Log::bodies,
     "Keep each request's and answer's full text in requests.db (mode 0600); `localcode requests ID --json`\n"
     "shows them. They may hold whatever your files hold.",
     ""},
    {"retention_days", &Log::retention_days, "Age at which requests are removed from requests.db.", "", 1, 3650},
    {"max_bytes", &Log::max_bytes, "Size at which the oldest requests are removed from requests.db.", "", 1 << 20,
     std::int64_t{1} << 40},
};

constexpr Entry<Model> model[] = {
    {"name", &Model::name, "Name that clients use. Required.", "\"coder\""},
    {"path",
     &Model::path,
     "The GGUF file. Either this or hf.",
     "\"/models/coder-q4_k_m.gguf\"",
     0,
     0,
     {},
     Anchor::always},
    {"hf", &Model::hf, "Or a model on Hugging Face: \"org/repo:quant\".", "\"ggml-org/Qwen3-0.6B-GGUF:Q4_0\""},
    {"aliases", &Model::aliases, "Further names.", "[\"gpt-4o\", \"default\"]"},
    {"roles", &Model::roles,
     "What it is for: coder, general, small (titles and the like), vision, fim, embed, rerank. Default: coder.\n"
     "`model = \"auto\"` of a request chooses by them; so do embeddings, reranking and code completion that name no\n"
     "model. embed and rerank stand alone: an engine does only that.",
     "[\"coder\", \"fim\"]", 0, 0, roles},
    {"context", &Model::context, "Tokens per slot. Default: as trained, but at least 16,384 where memory allows.",
     "32768", 0, max_tokens},
    {"slots", &Model::slots, "Requests answered at the same time, each with a context of its own.", "2", 1, 256},
    {"output", &Model::output,
     "Tokens of one answer that clients are told to ask for; 0: 2,048, or an eighth of the context if that is less.",
     "4096", 0, max_tokens},
    {"mmproj",
     &Model::mmproj,
     "Vision or audio projector (a GGUF file with \"mmproj\" in its name). Default: the one that lies\n"
     "beside the model and fits it; \"none\" leaves it out.",
     "\"/models/mmproj-coder-f16.gguf\"",
     0,
     0,
     {},
     Anchor::if_slash},
    {"chat_template",
     &Model::chat_template,
     "Jinja chat template: a file, or the name of one that ships with llama.cpp. Default: the model's own.",
     "\"/templates/coder.jinja\"",
     0,
     0,
     {},
     Anchor::if_slash},
    {"gpu_layers", &Model::gpu_layers, "Layers on the GPU; -1 leaves it to llama.cpp.", "-1", -1, 10'000},
    {"n_cpu_moe", &Model::n_cpu_moe,
     "Mixture of experts: of so many layers the experts' weights stay in main memory; 0: of none.", "24", 0, 10'000},
    {"tensor_split", &Model::tensor_split, "Several GPUs: the share of each. Default: llama.cpp decides.", "\"3,1\""},
    {"threads", &Model::threads, "CPU threads; 0 shares the cores between the engines.", "0", 0, 1024},
    {"cache_type_k", &Model::cache_type_k, "Number format of the KV cache. Default: llama.cpp's (f16).", "\"q8_0\"", 0,
     0, cache_types},
    {"cache_type_v", &Model::cache_type_v, "", "\"q8_0\"", 0, 0, cache_types},
    {"flash_attention", &Model::flash_attention, "on, off or auto.", "\"on\"", 0, 0, flash},
    {"sampling", &Model::sampling,
     "Sampling of requests that name no values themselves: temperature, top_p, top_k, min_p, typical_p,\n"
     "repeat_penalty, presence_penalty, frequency_penalty, seed; for all requests and by their kind (main,\n"
     "plan, subagent, title, summary, compaction, fim, vision, other). Default: the model's, else llama.cpp's.",
     "{ temperature = 0.7, top_p = 0.8, title = { temperature = 0 } }"},
    {"thinking", &Model::thinking,
     "Whether a model that can think does so, for requests that do not say: true, false, or by kind.\n"
     "Default: as its chat template has it.",
     "{ all = true, title = false, compaction = false }"},
    {"args", &Model::args, "Further arguments for the engine; they come last and win.", "[\"--no-mmap\"]"},
    {"engine",
     &Model::engine,
     "Engine program of this model; overrides server.engine.",
     "\"/usr/bin/llama-server\"",
     0,
     0,
     {},
     Anchor::if_slash},
    {"load_timeout_s", &Model::load_timeout_s, "Time for loading the model.", "600", 1, 86'400},
};

constexpr Entry<Backend> backend[] = {
    {"name", &Backend::name, "Name in \"backend/model\" and in the log. Required.", "\"cloud\""},
    {"preset", &Backend::preset,
     "A server that LocalCode knows: \"zai\" is the GLM-4.7 coding API, key from ZAI_API_KEY.\n"
     "Fills what is not given below. Either this or url.",
     "\"zai\""},
    {"url", &Backend::url, "Base URL, with /v1 where the server has it.", "\"https://llm.example/v1\""},
    {"key",
     &Backend::key,
     "Sent as bearer token: \"env:NAME\", \"file:PATH\", or the text itself.",
     "\"env:CLOUD_API_KEY\"",
     0,
     0,
     {},
     Anchor::always},
    {"models", &Backend::models,
     "Names that it serves; the first is its default. Default: the server is asked (GET /models).", "[\"glm-4.7\"]"},
    {"ca_file",
     &Backend::ca_file,
     "Certificate authority to trust instead of the system's (PEM).",
     "\"ca.pem\"",
     0,
     0,
     {},
     Anchor::always},
    {"connect_timeout_ms", &Backend::connect_timeout_ms, "Time for connecting, TLS included.", "10000", 10, hour_ms},
    {"first_byte_timeout_ms", &Backend::first_byte_timeout_ms, "Time until the answer begins.", "300000", 10,
     24 * hour_ms},
    {"silence_timeout_ms", &Backend::silence_timeout_ms, "Time between two pieces of the answer.", "120000", 10,
     24 * hour_ms},
    {"headers", &Backend::headers, "Headers added to each request.", "{ X-Team = \"tools\" }"},
    {"context", &Backend::context, "Context size to report to clients; 0: unknown.", "131072", 0, max_tokens},
    {"output", &Backend::output, "Tokens of one answer to report to clients; 0: unknown.", "32000", 0, max_tokens},
    {"roles", &Backend::roles, "What its models are for, as of a model. Default: coder.", "[\"coder\", \"vision\"]", 0, 0,
     roles},
};

constexpr Entry<Route> route[] = {
    {"match", &Route::match,
     "Which requests: all that is given must hold. kind (main, subagent, title, compaction, plan, fim, vision,\n"
     "embedding, rerank, other), model (as asked for), client and language are globs, one or a list; header = { name =\n"
     "glob }; min_tokens and max_tokens of the prompt, as estimated; media and tools, true or false. Without a match:\n"
     "every request. The first route that matches is taken.",
     "{ kind = [\"title\", \"compaction\"], client = \"opencode\" }"},
    {"use", &Route::use, "The place: \"model\", \"backend/model\", or \"auto\". Required.", "\"coder\""},
    {"fallback", &Route::fallback,
     "Places to try, in this order, where that one cannot answer: not capable, not to be reached, overloaded.",
     "[\"cloud/glm-4.7\"]"},
    {"prefer", &Route::prefer,
     "order takes the first capable place; fastest the one with the lowest predicted time to first token.", "\"order\"", 0,
     0, prefer},
    {"max_wait_ms", &Route::max_wait_ms,
     "A place that would take longer to its first token gives way to the next; 0: no limit.", "20000", 0, 24 * hour_ms},
    {"weights", &Route::weights,
     "By place, or local and remote: so many times its predicted time is compared (2.0: it must be twice as fast).",
     "{ remote = 2.0 }"},
};

struct Later {
    std::string_view section, name;
};
// From the plan of config tables; an entry leaves this list when its feature arrives.
constexpr Later later[] = {
    {"", "queue"},
    {"", "grammar"},
    {"", "search"},
    {"server", "memory_budget"},
    {"model", "speculative"},
    {"model", "control_vectors"},
    {"model", "lora"},
    {"model", "grammar"},
    {"model", "ttl"},
    {"model", "pin"},
    {"model", "group"},
};

}  // namespace

Entries<Server> server_keys() {
    return server;
}
Entries<Tls> tls_keys() {
    return tls;
}
Entries<Limits> limits_keys() {
    return limits;
}
Entries<Auth> auth_keys() {
    return auth;
}
Entries<Key> auth_key_keys() {
    return auth_keys_;
}
Entries<Log> log_keys() {
    return log_;
}
Entries<Kv> kv_keys() {
    return kv_;
}
Entries<Tools> tools_keys() {
    return tools_;
}
Entries<Prefix> prefix_keys() {
    return prefix_;
}
Entries<PrefixRule> prefix_rule_keys() {
    return prefix_rule;
}
Entries<Model> model_keys() {
    return model;
}
Entries<Backend> backend_keys() {
    return backend;
}
Entries<Route> route_keys() {
    return route;
}

bool planned(std::string_view section, std::string_view name) {
    return std::any_of(std::begin(later), std::end(later),
                       [&](const Later& l) { return l.section == section && l.name == name; });
}

}  // namespace lc::config
