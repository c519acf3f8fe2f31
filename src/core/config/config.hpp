// The configuration as plain values, with the defaults of a run without any config file.
// Keys of features that do not exist yet are not accepted: a key that would do nothing is a lie.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lc::config {

/// A secret as written: "env:NAME", "file:PATH" or the text itself. Resolved by the shell; never printed.
struct Secret {
    std::string spec;
    [[nodiscard]] bool empty() const { return spec.empty(); }
    bool operator==(const Secret&) const = default;
};

struct Tls {
    std::string certificate, key;  ///< PEM files; both or none
    bool operator==(const Tls&) const = default;
};

struct Limits {
    std::int64_t max_header_bytes = 64 << 10;
    std::int64_t max_body_bytes = 64 << 20;
    std::int64_t max_json_depth = 256;
    std::int64_t max_connections = 4096;
    std::int64_t request_time_ms = 30'000;  ///< to send head and body
    std::int64_t idle_time_ms = 75'000;     ///< between requests of one connection
    std::int64_t write_stall_ms = 60'000;   ///< a client that takes no byte for so long is gone
    bool operator==(const Limits&) const = default;
};

struct Server {
    std::string host = "127.0.0.1";
    std::uint16_t port = 4242;
    std::string unix_socket;  ///< further listener for clients
    Tls tls;                  ///< for the TCP listener
    std::int64_t header_hold_ms = 1'000;
    std::string progress = "comments";  ///< comments | reasoning: how a waiting client is told
    Limits limits;
    std::string engine;                      ///< path of an engine program; empty: the installed localcode-engine
    std::vector<std::string> preload;        ///< models to start at once
    std::string model;                       ///< default model of requests that name none
    std::vector<std::string> cors_origins;   ///< CORS is off when empty
    std::vector<std::string> allowed_hosts;  ///< further Host names to accept (DNS rebinding guard)
    std::int64_t drain_ms = 10'000;          ///< how long running requests may go on after SIGTERM
    bool operator==(const Server&) const = default;
};

struct Key {
    std::string name;
    Secret key;
    bool operator==(const Key&) const = default;
};

struct Auth {
    std::vector<Key> keys;  ///< required when listening beyond loopback
    Secret admin_key;       ///< for the admin API over TCP
    bool namespaces = false;  ///< each key is a tenant of its own: KV states are not shared between them
    bool operator==(const Auth&) const = default;
};

struct Log {
    std::string level = "info";   ///< error | warn | info | debug
    std::string format = "text";  ///< text | json
    bool requests = true;         ///< pretty request log on the console
    bool bodies = false;          ///< keep full bodies in requests.db
    std::int64_t retention_days = 30;
    std::int64_t max_bytes = 256 << 20;  ///< of requests.db
    bool operator==(const Log&) const = default;
};

/// KV states on disk.
struct Kv {
    bool enabled = true;
    std::string dir;             ///< empty: kv in the state folder
    std::int64_t max_bytes = 0;  ///< 0: a fifth of the free disk, at most 50 GB
    std::string staging_dir;     ///< slot files of stock servers; empty: a folder of our own in /dev/shm
    std::string policy = "adaptive";  ///< adaptive | lru | hazard | lru2: what goes when the store is full
    std::int64_t writes_per_day = 200'000'000'000;  ///< bytes; 0: no limit
    bool operator==(const Kv&) const = default;
};

/// [tools]: what happens to tool calls on their way.
struct Tools {
    bool repair = true;               ///< broken calls and histories are mended where their meaning is plain
    std::int64_t reask = 2;           ///< how often a call that cannot be mended is asked for again
    std::string on_invalid = "pass";  ///< pass | content | error
    bool operator==(const Tools&) const = default;
};

/// [[prefix.rule]]: steps for some requests.
struct PrefixRule {
    std::string model, client;       ///< empty: any
    std::string backend;             ///< empty: engines of our own
    std::vector<std::string> steps;  ///< empty: none
    bool operator==(const PrefixRule&) const = default;
};

/// [prefix]: prompts are put into a form that the cache can keep.
struct Prefix {
    std::vector<std::string> steps = {"environment", "pinned", "tools", "compaction"};  ///< for engines of our own
    std::vector<PrefixRule> rules;                                                      ///< the first that fits wins
    bool exact_history = true;  ///< what a model generated keeps its tokens
    bool operator==(const Prefix&) const = default;
};

/// Kinds of requests that values can be given for.
inline constexpr std::array<std::string_view, 9> request_kinds = {"main",       "plan", "subagent", "title", "summary",
                                                                  "compaction", "fim",  "vision",   "other"};
/// Names of sampling values, as llama.cpp takes them in requests.
inline constexpr std::array<std::string_view, 9> sampling_names = {
    "temperature",    "top_p",            "top_k",             "min_p", "typical_p",
    "repeat_penalty", "presence_penalty", "frequency_penalty", "seed"};

/// Sampling values for requests that name none themselves.
struct Sampling {
    using Values = std::map<std::string, double, std::less<>>;
    Values all;                                          ///< for requests of every kind
    std::map<std::string, Values, std::less<>> by_kind;  ///< these win over `all`
    bool operator==(const Sampling&) const = default;
};

/// Whether a model thinks before it answers, for requests that do not say so themselves.
struct Thinking {
    std::optional<bool> all;                          ///< empty: as the model's template has it
    std::map<std::string, bool, std::less<>> by_kind;  ///< these win over `all`
    bool operator==(const Thinking&) const = default;
};

/// [[model]]: served by an engine of our own.
struct Model {
    std::string name;
    std::string path;  ///< GGUF file
    std::string hf;    ///< or "org/repo:quant"
    std::vector<std::string> aliases;
    std::vector<std::string> roles;  ///< what it is for: coder, general, small, vision, fim, embed, rerank; empty: coder
    std::int64_t context = 0;  ///< tokens per slot; 0: as trained, at least 16,384 where memory allows
    std::int64_t slots = 2;
    std::int64_t output = 0;  ///< tokens of an answer, as told to clients; 0: 2,048, or an eighth of the context
    std::string mmproj;            ///< GGUF file of its vision or audio projector; empty: one beside it; "none": none
    std::string chat_template;     ///< file, or name of one that ships with llama.cpp; empty: the model's own
    std::int64_t gpu_layers = -1;  ///< -1: llama.cpp decides
    std::int64_t n_cpu_moe = 0;    ///< of this many layers the expert weights stay in main memory
    std::string tensor_split;      ///< share of each GPU, "3,1"; empty: llama.cpp decides
    std::int64_t threads = 0;      ///< 0: the cores are shared between engines
    std::string cache_type_k, cache_type_v;
    std::string flash_attention = "on";  ///< on | off | auto
    Sampling sampling;
    Thinking thinking;
    std::vector<std::string> args;       ///< passed through to the engine
    std::string engine;                  ///< overrides server.engine
    std::int64_t load_timeout_s = 600;
    bool operator==(const Model&) const = default;
};

/// [[backend]]: an OpenAI-compatible server.
struct Backend {
    std::string name;
    std::string preset;  ///< "zai" (GLM-4.7 coding API), "openai" style without preset
    std::string url;     ///< base URL, with /v1 where the server has it
    Secret key;
    std::vector<std::string> models;  ///< names it serves; the first is its default. Empty: asked with GET /models
    std::string ca_file;              ///< own CA (PEM)
    std::int64_t connect_timeout_ms = 10'000;
    std::int64_t first_byte_timeout_ms = 300'000;
    std::int64_t silence_timeout_ms = 120'000;
    std::map<std::string, std::string> headers;  ///< added to each request
    std::int64_t context = 0;                    ///< context size to report; 0: unknown
    std::vector<std::string> roles;              ///< as of a model; empty: coder
    std::int64_t output = 0;                     ///< tokens of an answer to report; 0: unknown
    bool operator==(const Backend&) const = default;
};

/// Conditions of a [[route]]; all that are given must hold. Texts are globs, any of a list.
struct RouteMatch {
    std::vector<std::string> kind, model, client, language;
    std::map<std::string, std::string> header;        ///< name, glob of its value
    std::optional<std::int64_t> min_tokens, max_tokens;  ///< of the prompt, as estimated
    std::optional<bool> media, tools;
    bool operator==(const RouteMatch&) const = default;
};

/// [[route]]: which places answer which requests. "backend/model" or "model" each.
struct Route {
    RouteMatch match;
    std::string use;
    std::vector<std::string> fallback;
    std::string prefer = "order";            ///< order | fastest
    std::int64_t max_wait_ms = 0;            ///< the next place is taken where this one would take longer; 0: no limit
    std::map<std::string, double> weights;   ///< place, "local" or "remote": its predicted time counts so many times
    bool operator==(const Route&) const = default;
};

struct Config {
    Server server;
    Auth auth;
    Log log;
    Kv kv;
    Tools tools;
    Prefix prefix;
    std::vector<Model> models;
    std::vector<Backend> backends;
    std::vector<Route> routes;
    bool operator==(const Config&) const = default;
};

}  // namespace lc::config
