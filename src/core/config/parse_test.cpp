#include "core/config/parse.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/config/schema.hpp"

namespace lc::config {

namespace {

/// "line:column message" of each problem.
std::vector<std::string> told(const std::vector<Problem>& problems) {
    std::vector<std::string> out;
    for (const Problem& p : problems) {
        out.push_back(std::to_string(p.line) + ":" + std::to_string(p.column) + " " + p.message);
    }
    return out;
}

using Told = std::vector<std::string>;

}  // namespace

TEST(Parse, EmptyIsTheDefault) {
    const auto parsed = parse("");
    EXPECT_EQ(told(parsed.problems), Told{});
    EXPECT_EQ(parsed.config, Config{});
}

TEST(Parse, EveryKindOfValue) {
    const auto parsed = parse(R"(
[server]
host = "::1"
port = 8080
preload = ["coder"]
tls = { certificate = "c.pem", key = "k.pem" }
[server.limits]
max_body_bytes = 1_048_576
[auth]
admin_key = "env:ADMIN"
keys = [{ name = "alice", key = "file:a.key" }]
[log]
requests = false
level = "debug"
[[model]]
name = "coder"
path = "coder.gguf"
aliases = ["gpt-4o"]
context = 32768
sampling = { temperature = 0.7, top_k = 20, title = { temperature = 0 } }
thinking = { all = true, title = false }
tensor_split = "3,1.5"
[[backend]]
name = "cloud"
url = "https://llm.example/v1"
key = "env:CLOUD"
headers = { X-Team = "tools", "X-Other" = "1" }
)");
    ASSERT_EQ(told(parsed.problems), Told{});
    const Config& c = parsed.config;
    EXPECT_EQ(c.server.host, "::1");
    EXPECT_EQ(c.server.port, 8080);
    EXPECT_EQ(c.server.preload, std::vector<std::string>{"coder"});
    EXPECT_EQ(c.server.tls, (Tls{"c.pem", "k.pem"}));
    EXPECT_EQ(c.server.limits.max_body_bytes, 1 << 20);
    EXPECT_EQ(c.auth.admin_key.spec, "env:ADMIN");
    ASSERT_EQ(c.auth.keys.size(), 1U);
    EXPECT_EQ(c.auth.keys[0].key.spec, "file:a.key");
    EXPECT_FALSE(c.log.requests);
    EXPECT_EQ(c.log.level, "debug");
    ASSERT_EQ(c.models.size(), 1U);
    EXPECT_EQ(c.models[0].context, 32768);
    EXPECT_EQ(c.models[0].slots, 2);
    EXPECT_EQ(c.models[0].sampling.all, (Sampling::Values{{"temperature", 0.7}, {"top_k", 20}}));
    EXPECT_EQ(c.models[0].sampling.by_kind.at("title"), (Sampling::Values{{"temperature", 0}}));
    EXPECT_EQ(c.models[0].thinking.all, true);
    EXPECT_EQ(c.models[0].thinking.by_kind.at("title"), false);
    ASSERT_EQ(c.backends.size(), 1U);
    EXPECT_EQ(c.backends[0].headers.at("X-Other"), "1");
}

TEST(Parse, Problems) {
    const struct {
        const char* name;
        std::string_view text;
        Told want;
    } cases[] = {
        {"unknown key, near one", "[server]\nprot = 1\n", {"2:1 unknown key 'prot' in [server]; did you mean 'port'?"}},
        {"unknown key of another section",
         "[log]\nchat_template = \"x\"\n",
         {"2:1 unknown key 'chat_template' in [log]; it belongs to [[model]]"}},
        {"key at the top level", "port = 1\n", {"1:1 unknown key 'port' at the top level; it belongs to [server]"}},
        {"unknown key, near none", "[log]\nzzzzzzzzzz = 1\n", {"2:1 unknown key 'zzzzzzzzzz' in [log]"}},
        {"unknown table", "[sever]\n", {"1:2 unknown key 'sever' at the top level; did you mean 'server'?"}},
        {"planned key",
         "[server]\nmemory_budget = 1\n",
         {"2:1 'memory_budget' in [server] is not known to this version of LocalCode (a later one will have it)"}},
        {"planned table",
         "[queue]\ndir = \"x\"\n",
         {"1:2 'queue' at the top level is not known to this version of LocalCode (a later one will have it)"}},
        {"string for a number", "[server]\nport = \"80\"\n", {"2:8 'port' must be an integer, got a string"}},
        {"fraction for a number",
         "[server]\nport = 80.5\n",
         {"2:8 'port' must be an integer, got a number with a fraction"}},
        {"number for a string", "[server]\nhost = 1\n", {"2:8 'host' must be a string, got an integer"}},
        {"string for a list",
         "[server]\npreload = \"a\"\n",
         {"2:11 'preload' must be a list of strings, got a string"}},
        {"number in a list of strings",
         "[server]\npreload = [\"a\", 2]\n",
         {
             "2:17 'preload' must be a string, got an integer",
         }},
        {"string for a switch", "[log]\nrequests = \"yes\"\n", {"2:12 'requests' must be true or false, got a string"}},
        {"too large", "[server]\nport = 65536\n", {"2:8 'port' must be from 0 to 65535, got 65536"}},
        {"negative", "[log]\nretention_days = -1\n", {"2:18 'retention_days' must be from 1 to 3650, got -1"}},
        {"not one of", "[log]\nlevel = \"inf\"\n", {"2:9 'level' must be one of error, warn, info, debug; got 'inf'"}},
        {"NUL in a string", "[server]\nengine = \"a\\u0000b\"\n", {"2:10 'engine' must not hold control characters"}},
        {"sampling value that is none",
         "[[model]]\nname=\"a\"\npath=\"a\"\nsampling = { temprature = 1, top_p = \"x\", titel = { seed = 1 }, main = { top_k = true } }\n",
         {"4:14 unknown sampling value 'temprature'; did you mean 'temperature'?", "4:38 'top_p' must be a number, got a string",
          "4:43 unknown kind of requests 'titel'; did you mean 'title'?", "4:82 'top_k' must be a number, got true or false"}},
        {"thinking of no kind",
         "[[model]]\nname=\"a\"\npath=\"a\"\nthinking = { al = true, title = 1 }\n",
         {"4:14 unknown kind of requests 'al'", "4:33 'title' must be true or false, got an integer"}},
        {"shares of GPUs",
         "[[model]]\nname=\"a\"\npath=\"a\"\ntensor_split = \"3,x\"\n",
         {"1:1 tensor_split must be numbers with commas between, such as \"3,1\", got '3,x'"}},
        {"table for a list of tables",
         "[model]\nname = \"a\"\n",
         {"1:1 'model' must be a list of tables, [[model]], got a table"}},
        {"value for a table", "server = 1\n", {"1:10 'server' must be a table, [server], got an integer"}},
        {"value in a list of tables", "model = [1]\n", {"1:10 each [[model]] must be a table, got an integer"}},
        {"header that is no string",
         "[[backend]]\nname=\"b\"\nurl=\"http://h\"\nheaders = { a = 1 }\n",
         {"4:17 'headers.a' must be a string, got an integer"}},
        {"all of them, in order",
         "[server]\nprot = 1\nhost = 2\n[log]\nlevle = \"info\"\n",
         {"2:1 unknown key 'prot' in [server]; did you mean 'port'?", "3:8 'host' must be a string, got an integer",
          "5:1 unknown key 'levle' in [log]; did you mean 'level'?"}},
        {"model without a name", "[[model]]\npath = \"a.gguf\"\n", {"1:1 a [[model]] needs a name"}},
        {"model without a file",
         "[[model]]\nname = \"a\"\n",
         {"1:1 model 'a' needs path = \"FILE.gguf\" or hf = \"org/repo:quant\""}},
        {"model with both",
         "[[model]]\nname = \"a\"\npath = \"a.gguf\"\nhf = \"o/r:q\"\n",
         {"1:1 model 'a' has both path and hf; give one of them"}},
        {"a mistyped key does not cause a second complaint",
         "[[model]]\nname = \"a\"\npth = \"a.gguf\"\n",
         {"3:1 unknown key 'pth' in [[model]]; did you mean 'path'?"}},
        {"bad hf",
         "[[model]]\nname = \"a\"\nhf = \"repo\"\n",
         {"1:1 hf must look like \"org/repo:quant\", got 'repo'"}},
        {"same name twice",
         "[[model]]\nname = \"a\"\npath = \"x\"\n[[model]]\nname = \"a\"\npath = \"y\"\n",
         {"4:1 the name 'a' is already taken by model 'a'"}},
        {"alias that is a name",
         "[[model]]\nname = \"a\"\npath = \"x\"\n[[model]]\nname = \"b\"\npath = \"y\"\naliases = [\"a\"]\n",
         {"4:1 the alias 'a' is already taken by model 'a'"}},
        {"name with a slash",
         "[[model]]\nname = \"a/b\"\npath = \"x\"\n",
         {"1:1 model name 'a/b' must begin with a letter or digit and hold only letters, digits and . _ - + : @"}},
        {"backend with nothing",
         "[[backend]]\nname = \"a\"\n",
         {"1:1 backend 'a' needs url = \"https://...\" or a preset"}},
        {"unknown preset",
         "[[backend]]\nname = \"a\"\npreset = \"zia\"\n",
         {"1:1 there is no preset 'zia'; known: zai"}},
        {"url without a scheme",
         "[[backend]]\nname = \"a\"\nurl = \"llm.example\"\n",
         {"1:1 url must begin with http:// or https:// and name a host, without user, query or fragment, got 'llm.example'"}},
        {"two backends of one name",
         "[[backend]]\nname = \"a\"\nurl = \"http://h\"\n[[backend]]\nname = \"a\"\nurl = \"http://h\"\n",
         {"4:1 two backends have the name 'a'"}},
        {"a header of ours",
         "[[backend]]\nname = \"a\"\nurl = \"http://h\"\nheaders = { Host = \"x\" }\n",
         {"1:1 the header 'Host' is set by LocalCode itself"}},
        {"half of TLS", "[server.tls]\nkey = \"k\"\n", {"1:1 [server.tls] needs both certificate and key"}},
        {"keys", "[[auth.keys]]\nname = \"a\"\n", {"1:1 the key of 'a' is empty"}},
        {"two keys of one name",
         "[[auth.keys]]\nname = \"a\"\nkey = \"1\"\n[[auth.keys]]\nname = \"a\"\nkey = \"2\"\n",
         {"4:1 two of [[auth.keys]] have the name 'a'"}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(told(parse(c.text).problems), c.want);
    }
}

TEST(Parse, SyntaxErrorsHaveAPlace) {
    for (const std::string_view text :
         {"[server\n", "[server]\nport = \n", "a = 1\na = 2\n", "[server]\nhost = \"\xff\"\n"}) {
        SCOPED_TRACE(std::string(text));
        const auto parsed = parse(text);
        ASSERT_EQ(parsed.problems.size(), 1U);
        EXPECT_GT(parsed.problems[0].line, 0);
        EXPECT_FALSE(parsed.problems[0].message.empty());
    }
}

TEST(Parse, ProblemsNeverShowSecrets) {
    const auto parsed = parse("[auth]\nadmin_key = [\"s3cret\"]\n[[auth.keys]]\nname=\"a\"\nkey = \"s3cret\\n\"\n");
    EXPECT_EQ(parsed.problems.size(), 2U);
    EXPECT_EQ(describe("f", parsed.problems).find("s3cret"), std::string::npos);
}

TEST(Describe, FileLineColumn) {
    EXPECT_EQ(describe("c.toml", {{2, 3, "bad"}, {0, 0, "worse"}}), "c.toml:2:3: bad\nc.toml: worse\n");
}

TEST(Validate, WholeConfig) {
    const auto with = [](auto change) {
        Config config;
        change(config);
        return told(validate(config));
    };
    EXPECT_EQ(with([](Config&) {}), Told{});
    EXPECT_EQ(with([](Config& c) { c.server.host = "::1"; }), Told{});
    EXPECT_EQ(
        with([](Config& c) { c.server.host = "0.0.0.0"; }),
        Told{"0:0 listening on '0.0.0.0', beyond loopback, needs an API key: add [[auth.keys]] to the config file, "
             "or start with --api-key env:NAME"});
    EXPECT_EQ(with([](Config& c) {
                  c.server.host = "0.0.0.0";
                  c.auth.keys = {{"a", {"k"}}};
              }),
              Told{});
    EXPECT_EQ(with([](Config& c) {
                  c.models.push_back({.name = "coder", .path = "x"});
                  c.server.preload = {"codre"};
              }),
              Told{"0:0 server.preload names 'codre', which is no [[model]]; did you mean 'coder'?"});
    EXPECT_EQ(with([](Config& c) { c.server.unix_socket = std::string(108, 'x'); }).size(), 1U);
    EXPECT_EQ(with([](Config& c) { c.server.cors_origins = {"chat.example"}; }).size(), 1U);
}

// --- the example
// ------------------------------------------------------------------------------------------------------

namespace {

/// Takes the '#' off the lines that are samples, all but those that begin with one of `keep`.
std::string uncommented(const std::string& text, std::initializer_list<std::string_view> keep) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        std::string_view line(text.data() + at, end - at);
        const bool sample = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        const bool kept = std::ranges::any_of(keep, [&](std::string_view k) { return line.starts_with(k); });
        if (sample && !kept) line.remove_prefix(1);
        out.append(line);
        out += '\n';
        at = end + 1;
    }
    return out;
}

template <class T>
void expect_named(const std::string& text, Entries<T> keys) {
    for (const auto& entry : keys) {
        SCOPED_TRACE(std::string(entry.name));
        EXPECT_NE(text.find("\n" + std::string(entry.name) + " = "), std::string::npos);
    }
}

}  // namespace

TEST(Example, IsTheDefaultConfig) {
    const auto parsed = parse(example());
    EXPECT_EQ(told(parsed.problems), Told{});
    EXPECT_EQ(parsed.config, Config{});
}

TEST(Example, ItsSamplesAreGoodAndNameEveryKey) {
    const std::string with_path = uncommented(example(), {"#hf = "});
    EXPECT_EQ(told(parse(with_path).problems), Told{});
    const auto parsed = parse(uncommented(example(), {"#path = "}));
    EXPECT_EQ(told(parsed.problems), Told{});
    EXPECT_EQ(told(validate(parsed.config)), Told{});

    const std::string all = uncommented(example(), {});
    expect_named(all, server_keys());
    expect_named(all, tls_keys());
    expect_named(all, limits_keys());
    expect_named(all, auth_keys());
    expect_named(all, auth_key_keys());
    expect_named(all, log_keys());
    expect_named(all, model_keys());
    expect_named(all, backend_keys());
}

TEST(ToToml, ReadsBackAsTheSame) {
    const std::string_view text = R"(
[server]
host = "0.0.0.0"
unix_socket = "/run/with \"quote\".sock"
cors_origins = ["https://a", "https://b"]
[server.tls]
certificate = "/c.pem"
key = "/k.pem"
[[model]]
name = "coder"
path = "/x.gguf"
cache_type_k = "q8_0"
[[backend]]
name = "b"
url = "https://h/v1"
headers = { X-Team = "tools", "odd.name" = "\t1" }
)";
    auto parsed = parse("[[backend]]\nname = \"b\"\nurl = \"http://h\"\nheaders = { a = \"\\t\" }\n");
    EXPECT_EQ(parsed.problems.size(), 1U) << "control characters in headers are refused";
    parsed = parse(std::string(text).replace(text.find("\\t1"), 3, "1"));
    ASSERT_EQ(told(parsed.problems), Told{});
    const auto again = parse(to_toml(parsed.config));
    EXPECT_EQ(told(again.problems), Told{});
    EXPECT_EQ(again.config, parsed.config);
}

TEST(ToToml, HidesSecrets) {
    Config config;
    config.auth.admin_key.spec = "s3cret";
    config.auth.keys = {{"alice", {"s3cret"}}};
    config.backends.push_back(
        {.name = "b", .url = "http://h", .key = {"s3cret"}, .headers = {{"Authorization", "s3cret"}, {"X-Team", "t"}}});
    const std::string text = to_toml(config);
    EXPECT_EQ(text.find("s3cret"), std::string::npos);
    EXPECT_NE(text.find("admin_key = \"(set)\""), std::string::npos);
    EXPECT_NE(text.find("Authorization = \"(set)\""), std::string::npos);
    EXPECT_NE(text.find("X-Team = \"t\""), std::string::npos);
    const std::string json = to_json(config);
    EXPECT_EQ(json.find("s3cret"), std::string::npos);
    EXPECT_NE(json.find("\"X-Team\" : \"t\""), std::string::npos) << json;
}

}  // namespace lc::config
