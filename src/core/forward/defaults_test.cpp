#include "core/forward/defaults.hpp"

#include <gtest/gtest.h>

namespace lc::forward {

namespace {

config::Model model() {
    config::Model out;
    out.sampling.all = {{"temperature", 0.7}};
    out.sampling.by_kind["title"] = {{"seed", 1234567890}, {"temperature", 0}, {"top_p", 0.95}};
    out.thinking.all = true;
    out.thinking.by_kind["title"] = false;
    return out;
}

std::string text(std::string_view kind, api::Dialect dialect, std::string_view body) {
    const auto view = api::parse_request(dialect, body);
    EXPECT_TRUE(view) << body;
    std::string out;
    for (const auto& member : defaults(model(), kind, *view)) out += member.name + "=" + member.json + ";";
    return out;
}

}  // namespace

TEST(Defaults, WhatARequestOfAKindGets) {
    using D = api::Dialect;
    const std::string off = R"(chat_template_kwargs={"enable_thinking":false};)";
    const std::string sampling = "seed=1234567890;temperature=0;top_p=0.95;";
    const struct {
        const char* name;
        std::string_view kind;
        D dialect;
        std::string_view body;
        std::string want;
    } cases[] = {
        {"nothing for this kind: the engine has what holds for all", "main", D::chat, R"({"messages":[]})", ""},
        {"all of it", "title", D::chat, R"({"messages":[]})", sampling + off},
        {"the request's own values win", "title", D::chat, R"({"messages":[],"temperature":0.3,"seed":null})",
         "top_p=0.95;" + off},
        {"it says how it thinks", "title", D::chat, R"({"messages":[],"chat_template_kwargs":{}})", sampling},
        {"it says how much it thinks", "title", D::chat, R"({"messages":[],"reasoning_effort":"low"})", sampling},
        {"messages", "title", D::messages, R"({"messages":[]})", sampling + off},
        {"messages that think", "title", D::messages, R"({"messages":[],"thinking":{"type":"enabled"}})", sampling},
        {"completions have no template", "title", D::completions, R"({"prompt":"x"})", sampling},
        {"nothing is sampled", "title", D::embeddings, R"({"input":"x"})", ""},
    };
    for (const auto& c : cases) EXPECT_EQ(text(c.kind, c.dialect, c.body), c.want) << c.name;
}

}  // namespace lc::forward
