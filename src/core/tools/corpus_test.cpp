// The corpus of broken calls (tests/corpus/tools): each must become what its author expects.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/tools/parse.hpp"
#include "core/tools/repair.hpp"
#include "core/tools/text_call.hpp"

using namespace lc::tools;

namespace {

std::string corpus_file(const char* name) {
    const std::string here = __FILE__;
    std::ifstream in(here.substr(0, here.rfind("src/core/tools/")) + "tests/corpus/tools/" + name);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::string text_of(const Value& object, const char* key) {
    const Value* value = find(object, key);
    return value ? value->text : "";
}

bool same_json(const std::string& text, const Value& want) {
    const auto parsed = parse(text);
    return parsed.value && equal(*parsed.value, want);
}

struct Judged {
    bool as_expected = false;
    bool wrongly_changed = false;  ///< became another call than its author wrote
    std::string got;
};

Judged judge_call(const ToolSet& tools, const Value& entry) {
    const std::string finish = text_of(entry, "finish");
    const Call call{text_of(entry, "name"), text_of(entry, "arguments"), finish == "length" || finish.empty()};
    const Outcome outcome = repair(tools, call);
    const std::string expect = text_of(entry, "expect");
    Judged judged;
    judged.got =
        std::string(name_of(outcome.verdict)) + " " + outcome.name + " " + outcome.arguments + " " + outcome.why;
    const bool untouched = outcome.name == call.name && outcome.arguments == call.arguments;
    if (expect == "repaired") {
        const bool right =
            outcome.name == text_of(entry, "want_name") && same_json(outcome.arguments, *find(entry, "want"));
        judged.as_expected = outcome.verdict == Verdict::repaired && right && !outcome.fixes.empty();
        judged.wrongly_changed = outcome.verdict == Verdict::repaired && !right;
    } else {
        judged.as_expected = name_of(outcome.verdict) == expect && untouched;
        judged.wrongly_changed = !untouched;
    }
    return judged;
}

Judged judge_text(const ToolSet& tools, const Value& entry, std::size_t piece) {
    TextScan scan;
    const std::string text = text_of(entry, "text");
    std::string passed;
    for (std::size_t at = 0; at < text.size(); at += piece) passed += step(tools, scan, text.substr(at, piece));
    const TextEnd end = finish(tools, scan, text_of(entry, "finish") != "stop");
    Judged judged;
    judged.got = "text '" + passed + "' + '" + end.text + "'";
    if (passed + end.text != text) return {false, true, "bytes were lost: " + judged.got};
    const Value* want = find(entry, "want");
    bool right = end.calls.size() == (want ? want->items.size() : 0);
    for (std::size_t i = 0; i < end.calls.size(); ++i) {
        const Outcome outcome = repair(tools, {end.calls[i].name, end.calls[i].arguments, false});
        judged.got += " " + outcome.name + outcome.arguments + outcome.why;
        right = right && outcome.name == want->items[i].items[0].text &&
                same_json(outcome.arguments, want->items[i].items[1]);
    }
    judged.as_expected = right;
    judged.wrongly_changed = !right && !end.calls.empty();
    return judged;
}

}  // namespace

TEST(Corpus, EveryCaseBecomesWhatItsAuthorExpects) {
    const ToolSet tools = tools_from_json(corpus_file("tools.json"));
    ASSERT_EQ(tools.tools.size(), 12U);
    std::istringstream lines(corpus_file("broken_calls.jsonl"));
    int all = 0, right = 0, wrongly_changed = 0, left_alone = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto entry = parse(line);
        ASSERT_TRUE(entry.value) << line;
        const bool is_text = find(*entry.value, "text") != nullptr;
        const Judged judged = is_text ? judge_text(tools, *entry.value, line.size()) : judge_call(tools, *entry.value);
        const std::string expect = text_of(*entry.value, "expect");
        ++all;
        left_alone += expect == "valid" || expect == "hopeless" || expect == "text" ? 1 : 0;
        right += judged.as_expected ? 1 : 0;
        wrongly_changed += judged.wrongly_changed ? 1 : 0;
        EXPECT_TRUE(judged.as_expected) << line << "\n  became " << judged.got;
    }
    EXPECT_GE(all, 400);
    EXPECT_GE(left_alone * 3, all);
    EXPECT_EQ(wrongly_changed, 0);
    RecordProperty("cases", all);
    RecordProperty("as_expected", right);
}

TEST(Corpus, HowATextIsSplitDoesNotMatter) {
    const ToolSet tools = tools_from_json(corpus_file("tools.json"));
    std::istringstream lines(corpus_file("broken_calls.jsonl"));
    int texts = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto entry = parse(line);
        if (!find(*entry.value, "text")) continue;
        ++texts;
        const bool whole = judge_text(tools, *entry.value, line.size()).as_expected;
        for (const std::size_t piece : {1, 2, 3, 7, 16}) {
            EXPECT_EQ(judge_text(tools, *entry.value, piece).as_expected, whole) << piece << ": " << line;
        }
    }
    EXPECT_GE(texts, 150);
}
