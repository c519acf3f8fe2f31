#include "core/prefix/pins.hpp"

#include <gtest/gtest.h>

#include "core/prefix/testing.hpp"

namespace lc::prefix {

namespace {

using Said = std::vector<std::pair<std::string, std::string>>;

std::string system_with(const std::string& date, const std::string& more = "") {
    return "You are an agent.\n\nHere it is:\n<env>\n  Working directory: /p\n  Today's date: " + date + "\n</env>" + more;
}

/// A session: its requests one after the other.
struct Session {
    Pins pins;
    Request send(const std::string& body, api::Dialect dialect = api::Dialect::chat) {
        const Request r("opencode", body, dialect);
        auto done = pin(r.input(), pins);
        pins = std::move(done.pins);
        return {"opencode", api::apply(body, std::move(done.splices)), dialect};
    }
};

std::string parts(const std::string& text, const std::string& reminder) {
    return R"({"role":"user","content":[{"type":"text","text":)" + api::json_quote(text) + R"(},{"type":"text","text":)" +
           api::json_quote("<system-reminder>\n" + reminder + "\n</system-reminder>") + "}]}";
}
std::string body_of(const std::vector<std::string>& messages) {
    std::string out = R"({"messages":[)";
    for (const auto& m : messages) out += (out.back() == '[' ? "" : ",") + m;
    return out + "]}";
}
std::string say(const std::string& role, const std::string& text) {
    return R"({"role":")" + role + R"(","content":)" + api::json_quote(text) + "}";
}

}  // namespace

TEST(Pins, AtMidnightOnlyTheEndChanges) {
    Session s;
    const auto monday = chat({{"system", system_with("Mon")}, {"user", "A"}});
    EXPECT_EQ(s.send(monday).body, monday);
    const auto tuesday = s.send(chat({{"system", system_with("Tue")}, {"user", "A"}, {"assistant", "B"}, {"user", "C"}}));
    EXPECT_EQ(tuesday.text(0), system_with("Mon"));
    EXPECT_EQ(tuesday.text(1), "A");
    EXPECT_EQ(tuesday.text(3),
              "C\n\n<system-reminder>\nThis has changed since the conversation began:\n  Today's date: Tue\n"
              "This does not hold any more:\n  Today's date: Mon\n</system-reminder>");
    // What was added stays where it was, and is not said twice.
    const auto later = s.send(chat({{"system", system_with("Tue")}, {"user", "A"}, {"assistant", "B"}, {"user", "C"}, {"assistant", "D"}, {"user", "E"}}));
    EXPECT_EQ(later.text(0), system_with("Mon"));
    EXPECT_EQ(later.text(3), tuesday.text(3));
    EXPECT_EQ(later.text(5), "E");
}

TEST(Pins, SkillsThatComeAreToldAtTheEnd) {
    Session s;
    (void)s.send(chat({{"system", system_with("Mon", "\n<skill>a</skill>")}, {"user", "A"}}));
    const auto after = s.send(chat({{"system", system_with("Mon", "\n<skill>a</skill>\n<skill>b</skill>")}, {"user", "A"}, {"assistant", "B"}, {"user", "C"}}));
    EXPECT_NE(after.text(3).find("<skill>b</skill>"), std::string::npos);
    EXPECT_EQ(after.text(0).find("<skill>b</skill>"), std::string::npos);
}

TEST(Pins, AReminderStaysWhereItWasSent) {
    Session s;
    const auto system = say("system", "Agent."), a = say("assistant", "Yes.");
    const auto first = body_of({system, parts("Plan it", "read only")});
    EXPECT_EQ(s.send(first).body, first);
    const auto second = s.send(body_of({system, say("user", "Plan it"), a, parts("Build it", "build mode")}));
    EXPECT_EQ(second.text(1), "Plan it|<system-reminder>\nread only\n</system-reminder>");
    EXPECT_EQ(second.text(3), "Build it|<system-reminder>\nbuild mode\n</system-reminder>");
    const auto third = s.send(body_of({system, say("user", "Plan it"), a, say("user", "Build it"), a, say("user", "Go on")}));
    EXPECT_EQ(third.text(1), second.text(1));
    EXPECT_EQ(third.text(3), second.text(3));
    EXPECT_EQ(third.text(5), "Go on");
}

TEST(Pins, AReminderThatIsNewInTheMiddleIsSaidAtTheEnd) {
    Session s;
    const auto system = say("system", "Agent."), a = say("assistant", "Yes.");
    (void)s.send(body_of({system, parts("A", "one")}));
    const auto after = s.send(body_of({system, parts("A", "two"), a, say("user", "B")}));
    EXPECT_EQ(after.text(1), "A|<system-reminder>\none\n</system-reminder>");
    EXPECT_NE(after.text(3).find("two"), std::string::npos);
}

TEST(Pins, NewsBehindAMessageThatIsPutBack) {
    Session s;
    const auto a = say("assistant", "Yes.");
    (void)s.send(body_of({say("system", system_with("Mon")), parts("A", "plan")}));
    // The same message is the last again (a retry), without its reminder, on the next day.
    const auto again = s.send(body_of({say("system", system_with("Tue")), say("user", "A")}));
    EXPECT_EQ(again.text(0), system_with("Mon"));
    EXPECT_EQ(again.text(1).find("A|<system-reminder>\nplan\n</system-reminder>|<system-reminder>\nThis has changed"), 0u) << again.text(1);
    const auto next = s.send(body_of({say("system", system_with("Tue")), say("user", "A"), a, say("user", "B")}));
    EXPECT_EQ(next.text(1), again.text(1));
}

TEST(Pins, WhatTheUserEditedIsNeverPutBack) {
    Session s;
    const auto system = say("system", system_with("Mon")), a = say("assistant", "Yes.");
    (void)s.send(body_of({system, parts("Plan it", "read only"), a, say("user", "B")}));
    const auto edited = body_of({system, say("user", "Plan something else"), a, say("user", "B")});
    EXPECT_EQ(s.send(edited).body, edited);
    // An edit before it makes it another conversation, too.
    Session t;
    (void)t.send(body_of({system, say("user", "X"), a, parts("Plan it", "read only")}));
    const auto cut = body_of({system, say("user", "Y"), a, say("user", "Plan it")});
    EXPECT_EQ(t.send(cut).body, cut);
}

TEST(Pins, AHistoryThatWasCutIsToldAgainWhatChanged) {
    Session s;
    (void)s.send(chat({{"system", system_with("Mon")}, {"user", "A"}}));
    (void)s.send(chat({{"system", system_with("Tue")}, {"user", "A"}, {"assistant", "B"}, {"user", "C"}}));
    const auto compacted = s.send(chat({{"system", system_with("Tue")}, {"user", "What did we do?"}, {"assistant", "Much."}, {"user", "C"}}));
    EXPECT_EQ(compacted.text(0), system_with("Mon"));
    EXPECT_NE(compacted.text(3).find("Today's date: Tue"), std::string::npos);
}

TEST(Pins, AnotherSystemTextBeginsAnew) {
    Session s;
    (void)s.send(chat({{"system", "One. " + system_with("Mon")}, {"user", "A"}}));
    const auto other = chat({{"system", "Two. " + system_with("Tue")}, {"user", "A"}});
    EXPECT_EQ(s.send(other).body, other);
}

TEST(Pins, BillingLinesSayNothing) {
    Session s;
    const auto body = [](const std::string& cch) {
        return R"({"max_tokens":1,"system":[{"type":"text","text":"x-anthropic-billing-header: cch=)" + cch +
               R"(;"},{"type":"text","text":"Agent."}],"messages":[{"role":"user","content":"A"}]})";
    };
    EXPECT_EQ(s.send(body("1"), api::Dialect::messages).body, body("1"));
    EXPECT_EQ(s.send(body("2"), api::Dialect::messages).body, body("1"));
}

TEST(Pins, NothingIsAddedToAnAnswerThatWasBegun) {
    Session s;
    (void)s.send(chat({{"system", system_with("Mon")}, {"user", "A"}}));
    const auto after = s.send(chat({{"system", system_with("Tue")}, {"user", "A"}, {"assistant", "I wi"}}));
    EXPECT_EQ(after.text(1), "A");
    EXPECT_EQ(after.text(2), "I wi");
}

TEST(Pins, TwoSessionsShareNothing) {
    Session a, b;
    (void)a.send(chat({{"system", system_with("Mon")}, {"user", "A"}}));
    const auto other = chat({{"system", system_with("Tue")}, {"user", "A"}});
    EXPECT_EQ(b.send(other).body, other);
}

TEST(Pins, Bounded) {
    Session s;
    const std::string large(max_pinned_bytes, 'x');
    (void)s.send(body_of({say("system", "Agent."), parts(large, "plan")}));
    EXPECT_EQ(s.pins, Pins{});
}

}  // namespace lc::prefix
