#include "core/api/splice.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>

namespace lc::api {
namespace {

RequestView view_of(std::string_view body) {
    auto view = parse_request(Dialect::plain, body);
    EXPECT_TRUE(view) << body << (view ? "" : view.error().detail);
    return view.value_or(RequestView{});
}

TEST(Splice, Apply) {
    EXPECT_EQ(api::apply("abcdef", {}), "abcdef");
    EXPECT_EQ(api::apply("abcdef", {{{4, 5}, "X"}, {{0, 1}, ""}, {{6, 6}, "!"}}), "bcdXf!");
    EXPECT_EQ(api::apply("ab", {{{1, 1}, "1"}, {{1, 1}, "2"}}), "a12b");
}

struct Edit {
    bool set;
    const char *key, *value;
};

TEST(Splice, Members) {
    const struct {
        const char* name;
        const char* body;
        std::vector<Edit> edits;
        const char* want;
    } cases[] = {
        {"set", R"({"a":1,"b":2})", {{true, "a", "9"}}, R"({"a":9,"b":2})"},
        {"set adds", R"({"a":1})", {{true, "b", "[2]"}}, R"({"a":1,"b":[2]})"},
        {"set adds to nothing", "{}", {{true, "b", "2"}}, R"({"b":2})"},
        {"set adds to space", " { \n } ", {{true, "b", "2"}, {true, "c", "3"}}, " {\"b\":2,\"c\":3 \n } "},
        {"set all duplicates", R"({"a":1,"b":2,"a":3})", {{true, "a", "9"}}, R"({"a":9,"b":2,"a":9})"},
        {"set twice", R"({"a":1})", {{true, "a", "8"}, {true, "a", "9"}}, R"({"a":9})"},
        {"add twice", R"({"a":1})", {{true, "b", "8"}, {true, "b", "9"}}, R"({"a":1,"b":9})"},
        {"remove the first", R"({"a":1, "b":2})", {{false, "a", ""}}, R"({"b":2})"},
        {"remove the last", R"({"a":1, "b":2 })", {{false, "b", ""}}, R"({"a":1 })"},
        {"remove between", R"({"a":1, "b":2, "c":3})", {{false, "b", ""}}, R"({"a":1, "c":3})"},
        {"remove the only one", R"({ "a":1 })", {{false, "a", ""}}, "{  }"},
        {"remove neighbours at the front",
         R"({"a":1,"b":2,"c":3})",
         {{false, "a", ""}, {false, "b", ""}},
         R"({"c":3})"},
        {"remove neighbours, other order",
         R"({"a":1,"b":2,"c":3})",
         {{false, "b", ""}, {false, "a", ""}},
         R"({"c":3})"},
        {"remove neighbours at the end", R"({"a":1,"b":2,"c":3})", {{false, "c", ""}, {false, "b", ""}}, R"({"a":1})"},
        {"remove both ends", R"({"a":1,"b":2,"c":3})", {{false, "a", ""}, {false, "c", ""}}, R"({"b":2})"},
        {"remove all", R"({"a":1,"b":2})", {{false, "a", ""}, {false, "b", ""}}, "{}"},
        {"remove duplicates", R"({"a":1,"b":2,"a":3})", {{false, "a", ""}}, R"({"b":2})"},
        {"remove what is not there", R"({"a":1})", {{false, "z", ""}}, R"({"a":1})"},
        {"remove twice", R"({"a":1,"b":2})", {{false, "a", ""}, {false, "a", ""}}, R"({"b":2})"},
        {"remove all and add",
         R"({"a":1,"b":2})",
         {{true, "c", "3"}, {false, "a", ""}, {false, "b", ""}},
         R"({"c":3})"},
        {"add, then remove the last", R"({"a":1,"b":2})", {{true, "c", "3"}, {false, "b", ""}}, R"({"a":1,"c":3})"},
        {"set, then remove", R"({"a":1,"b":2})", {{true, "a", "9"}, {false, "a", ""}}, R"({"b":2})"},
        {"add, then remove", R"({"a":1})", {{true, "b", "9"}, {false, "b", ""}}, R"({"a":1})"},
        {"remove, then set", R"({"a":1,"b":2})", {{false, "a", ""}, {true, "a", "9"}}, R"({"b":2,"a":9})"},
        {"numbers stay",
         R"({"n":123456789012345678901234567890,"e":1E-7,"x":1})",
         {{false, "x", ""}},
         R"({"n":123456789012345678901234567890,"e":1E-7})"},
        {"quotes in keys",
         R"({"a\"b":1,"c\\":2,"d":3})",
         {{false, "c\\", ""}, {true, "e\"", "4"}, {true, "f\\", "5"}, {true, "e\"", "6"}},
         R"({"a\"b":1,"d":3,"f\\":5,"e\"":6})"},
        {"escaped key", R"({"\u0061":1,"b":2})", {{true, "a", "9"}}, R"({"\u0061":9,"b":2})"},
        {"braces in strings", R"({"a":"},{\"b\":","b":"\\"})", {{true, "b", "1"}}, R"({"a":"},{\"b\":","b":1})"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const RequestView view = view_of(c.body);
        std::vector<Splice> splices;
        for (const auto& edit : c.edits) {
            if (edit.set)
                set_member(view, c.body, edit.key, edit.value, splices);
            else
                remove_member(view, c.body, edit.key, splices);
        }
        EXPECT_EQ(api::apply(c.body, splices), c.want);
    }
}

TEST(Splice, InnerEditsSurviveUnlessTheirMemberGoes) {
    const std::string body = R"({"a":[1,2],"b":{"x":1},"c":3})";
    const RequestView view = view_of(body);
    const Splice inner{{view.members[0].value.begin + 1, view.members[0].value.begin + 2}, "7"};
    std::vector<Splice> kept{inner};
    remove_member(view, body, "b", kept);
    set_member(view, body, "d", "4", kept);
    EXPECT_EQ(api::apply(body, kept), R"({"a":[7,2],"c":3,"d":4})");
    std::vector<Splice> gone{inner};
    remove_member(view, body, "a", gone);
    EXPECT_EQ(api::apply(body, gone), R"({"b":{"x":1},"c":3})");
    std::vector<Splice> replaced{inner};
    set_member(view, body, "a", "0", replaced);
    EXPECT_EQ(api::apply(body, replaced), R"({"a":0,"b":{"x":1},"c":3})");
}

// Any sequence of edits on any object gives what the same edits on the parsed document give.
TEST(Splice, LikeEditsOfTheDocument) {
    std::mt19937 random(20261122);
    const auto pick = [&](std::size_t n) { return random() % n; };
    const char* keys[] = {"a", "b", "c", "zz", "\xc3\xa9", "q\"", "back\\", "n\n"};
    const char* values[] = {"1",          "-0.5e3", "\"x\"", "\"},{\\\"\"", "[]", "[1,{\"a\":2}]",
                            "{\"a\":{}}", "null",   "true",  "\"\\\\\""};
    const char* spaces[] = {"", " ", "\n  ", "\t"};
    for (int round = 0; round < 20'000; ++round) {
        const auto space = [&] { return std::string(spaces[pick(4)]); };
        std::string body = space() + "{" + space();
        boost::json::object want;
        std::vector<std::string> seen;
        const std::size_t n = pick(7);
        for (std::size_t i = 0; i < n; ++i) {
            const char* key = keys[pick(8)];
            const char* value = values[pick(10)];
            body += (i > 0 ? "," + space() : "") + json_quote(key) + space() + ":" + space() + value + space();
            want[key] = boost::json::parse(value);
        }
        body += "}" + space();
        const RequestView view = view_of(body);
        ASSERT_EQ(view.members.size(), n);
        std::vector<Splice> splices;
        std::string log = body;
        for (std::size_t i = pick(6); i > 0; --i) {
            const char* key = keys[pick(8)];
            if (pick(2) == 0) {
                const char* value = values[pick(10)];
                set_member(view, body, key, value, splices);
                want[key] = boost::json::parse(value);
                log += std::string("\nset ") + key + " " + value;
            } else {
                remove_member(view, body, key, splices);
                want.erase(key);
                log += std::string("\nremove ") + key;
            }
        }
        const std::string got = api::apply(body, splices);
        boost::json::error_code fault;
        const auto parsed = boost::json::parse(got, fault);
        ASSERT_FALSE(fault) << log << "\n-> " << got;
        ASSERT_EQ(parsed.as_object(), want) << log << "\n-> " << got;
    }
}

TEST(Splice, Quote) {
    EXPECT_EQ(json_quote(""), "\"\"");
    EXPECT_EQ(json_quote("a\"b\\c\n\r\t"), R"("a\"b\\c\n\r\t")");
    EXPECT_EQ(json_quote(std::string_view("\0\x1b\x7f", 3)), R"("\u0000\u001b\u007f")");
    EXPECT_EQ(json_quote("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    EXPECT_EQ(json_quote("a\xff\xc3"), "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace lc::api
