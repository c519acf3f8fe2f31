#include "core/prefix/memory.hpp"

#include <gtest/gtest.h>

namespace lc::prefix {

TEST(Memory, ThereAndBack) {
    SessionMemory memory;
    memory.pins = {"hash", {{"a\\n", "b \"é\""}}, {{3, "c1", R"({"role":"user"})"}}, {{5, "c2", "text"}}};
    memory.tools = {"b", "a"};
    EXPECT_EQ(session_from_json(to_json(memory)), memory);
    const KnownTools known{{"a", "b"}, {"b"}};
    EXPECT_EQ(known_from_json(to_json(known)), known);
}

TEST(Memory, WhatIsNoneIsNothing) {
    for (const auto* text : {"", "[]", "null", "{\"blocks\":", "\"x\""}) {
        EXPECT_FALSE(session_from_json(text)) << text;
        EXPECT_FALSE(known_from_json(text)) << text;
    }
    EXPECT_EQ(session_from_json(R"({"blocks":5,"marks":[1,{"message":-4}],"tools":[1,"a"]})")->tools, std::vector<std::string>{"a"});
}

TEST(Recent, ForgetsWhatWasUsedLongestAgo) {
    Recent<int> recent;
    EXPECT_TRUE(recent.put("a", 1, 10, 2, 100).empty());
    EXPECT_TRUE(recent.put("b", 2, 10, 2, 100).empty());
    EXPECT_NE(recent.find("a"), nullptr);
    EXPECT_EQ(recent.put("c", 3, 10, 2, 100), std::vector<std::string>{"b"});
    EXPECT_EQ(recent.find("b"), nullptr);
    EXPECT_EQ(recent.put("a", 4, 95, 2, 100), std::vector<std::string>{"c"}) << "by bytes, too";
    EXPECT_EQ(*recent.find("a"), 4);
    EXPECT_EQ(recent.bytes, 95u);
}

}  // namespace lc::prefix
