#include "core/policy/workload.hpp"
#include "core/policy/mix.hpp"

#include <algorithm>
#include <cmath>
#include <queue>

namespace lc::policy {

namespace {

constexpr std::uint32_t block_tokens = 256;
constexpr std::uint64_t minute = 60'000, hour = 60 * minute;

using policy::mix;
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    return mix(mix(a) ^ (b * 0xff51'afd7'ed55'8ccd));
}

/// Numbers by chance, without the standard library's distributions: those differ between implementations.
struct Chance {
    std::uint64_t state;
    double uniform() { return static_cast<double>((state = mix(state)) >> 11) * 0x1p-53; }
    bool happens(double p) { return uniform() < p; }
    std::uint64_t below(std::uint64_t n) {
        return std::min(n - 1, static_cast<std::uint64_t>(uniform() * static_cast<double>(n)));
    }
    double exponential(double mean) { return -mean * std::log(1 - uniform()); }
    double normal() {
        double sum = -6;
        for (int i = 0; i < 12; ++i) sum += uniform();
        return sum;
    }
    double around(double median, double spread) { return median * std::exp(spread * normal()); }  ///< log-normal
    std::uint32_t geometric(double mean) { return 1 + static_cast<std::uint32_t>(exponential(mean - 0.5)); }
    std::uint32_t tokens(double median, double spread, double most) {
        return static_cast<std::uint32_t>(std::clamp(around(median, spread), 1.0, most));
    }
};

/// A prompt as pieces of text: block names follow from all that stands before a block's end.
struct Prompt {
    struct Piece {
        std::uint64_t text;
        std::uint32_t tokens;
    };
    std::vector<Piece> pieces;
    std::uint32_t tokens = 0;
    void add(std::uint64_t text, std::uint32_t n) {
        pieces.push_back({text, n});
        tokens += n;
    }
};

struct Event {
    std::uint64_t at;
    std::size_t who;
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : who > other.who; }
};

struct Maker {
    Trace trace{block_tokens, {}, {}};
    Chance chance;
    std::uint64_t texts = 0;
    std::uint64_t seed;

    explicit Maker(std::uint64_t s) : chance{mix(s, 77)}, seed(s) {}
    std::uint64_t new_text() { return mix(seed, ++texts); }

    void ask(std::uint64_t at, const Prompt& prompt, std::uint32_t output, std::uint64_t session, std::uint64_t parent,
             Kind kind, Finish finish) {
        TraceRequest r;
        r.at_ms = static_cast<std::int64_t>(at);
        r.first_block = trace.blocks.size();
        r.input = prompt.tokens;
        r.output = output;
        r.session = session;
        r.parent = parent;
        r.kind = kind;
        r.finish = finish;
        std::uint64_t name = 0;
        std::uint32_t filled = 0;  // of the block under way
        for (const auto& piece : prompt.pieces) {
            std::uint32_t done = 0;
            while (done < piece.tokens) {
                const auto part = std::min(block_tokens - filled, piece.tokens - done);
                name = mix(name, mix(piece.text, done));
                done += part;
                filled += part;
                if (filled < block_tokens) continue;
                trace.blocks.push_back(name);
                filled = 0;
            }
        }
        if (filled > 0) trace.blocks.push_back(mix(name, filled));
        r.n_blocks = static_cast<std::uint32_t>(trace.blocks.size() - r.first_block);
        if (r.n_blocks > 0) trace.requests.push_back(r);
    }
};

/// One coding agent at work, or one of its subagents. A step of it is one request.
struct Agent {
    Prompt prompt;
    Prompt::Piece base{}, project{};
    std::uint64_t session = 0, parent = 0;
    std::uint32_t steps_left = 0;  ///< of this tool loop
    bool subagent = false, greeted = false, over = false;
};

struct AgentsRules {
    double sessions_an_hour, steps, think_s, give_up, subagent, tool_s;
};

void agents(Maker& m) {
    // Every seed is another team: so many people, such habits.
    AgentsRules rules{};
    rules.sessions_an_hour = 12 + m.chance.uniform() * 18;
    rules.steps = 4 + m.chance.uniform() * 8;
    rules.think_s = 40 + m.chance.uniform() * 120;
    rules.give_up = 0.15 + m.chance.uniform() * 0.25;
    rules.subagent = 0.02 + m.chance.uniform() * 0.06;
    rules.tool_s = 1.5 + m.chance.uniform() * 6;
    constexpr std::size_t max_requests = 10'000;
    const std::uint64_t end = 9 * hour;

    std::vector<Prompt::Piece> clients, helpers, projects;
    for (int i = 0; i < 3; ++i) clients.push_back({m.new_text(), m.chance.tokens(9'000, 0.35, 20'000)});
    for (int i = 0; i < 3; ++i) helpers.push_back({m.new_text(), m.chance.tokens(3'500, 0.35, 9'000)});
    for (int i = 0; i < 12; ++i) projects.push_back({m.new_text(), m.chance.tokens(900, 0.9, 8'000)});
    const Prompt::Piece titles{m.new_text(), 420};

    std::vector<Agent> all;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
    const auto begin = [&](std::uint64_t at) {
        Agent a;
        const auto client = m.chance.below(3);
        const double skew = m.chance.uniform();
        a.base = clients[client];
        a.project = projects[static_cast<std::size_t>(skew * skew * 12)];
        a.session = m.new_text();
        a.prompt.add(a.base.text, a.base.tokens);
        a.prompt.add(a.project.text, a.project.tokens);
        a.prompt.add(m.new_text(), m.chance.tokens(250, 1.2, 12'000));
        a.steps_left = m.chance.geometric(rules.steps);
        all.push_back(std::move(a));
        events.push({at, all.size() - 1});
    };
    for (double at = 0; at < static_cast<double>(end);
         at += m.chance.exponential(static_cast<double>(hour) / rules.sessions_an_hour)) {
        begin(static_cast<std::uint64_t>(at));
    }
    while (!events.empty() && m.trace.requests.size() < max_requests) {
        const Event event = events.top();
        events.pop();
        if (event.at > end) break;
        Agent a = all[event.who];
        if (!a.subagent && !a.greeted) {
            a.greeted = true;
            Prompt title;
            title.add(titles.text, titles.tokens);
            title.add(m.new_text(), 250);
            m.ask(event.at, title, 12, a.session, 0, Kind::title, Finish::stop);
        }
        const bool last = a.steps_left <= 1;
        const bool gone = m.chance.happens(0.015);
        const auto output = m.chance.tokens(last ? 350 : 140, 0.8, 6'000);
        const Finish finish = gone ? Finish::gone : last ? Finish::stop : Finish::tool_calls;
        m.ask(event.at, a.prompt, output, a.session, a.parent, a.subagent ? Kind::subagent : Kind::main, finish);
        const auto answered = event.at + 700 + static_cast<std::uint64_t>(output) * 18;
        a.prompt.add(m.new_text(), output);
        double wait_s = 0;
        if (gone || last) {
            if (a.subagent) continue;
            if (m.chance.happens(gone ? 0.4 : rules.give_up)) continue;  // nobody comes back
            wait_s = m.chance.around(rules.think_s, 1.0);
            if (m.chance.happens(0.06)) wait_s += m.chance.exponential(5'400);  // lunch, a meeting
            a.prompt.add(m.new_text(), m.chance.tokens(120, 1.3, 15'000));
            a.steps_left = m.chance.geometric(rules.steps);
        } else {
            --a.steps_left;
            wait_s = m.chance.around(rules.tool_s, 1.1);
            if (m.chance.happens(0.05)) wait_s += m.chance.exponential(150);  // tests run, somebody must allow it
            a.prompt.add(m.new_text(), m.chance.tokens(500, 1.3, 16'000));
            if (!a.subagent && m.chance.happens(rules.subagent)) {
                const auto n = 1 + m.chance.below(3);
                std::uint32_t longest = 0;
                for (std::uint64_t i = 0; i < n; ++i) {
                    Agent child;
                    child.subagent = child.greeted = true;
                    child.session = m.new_text();
                    child.parent = a.session;
                    child.base = helpers[m.chance.below(3)];
                    child.prompt.add(child.base.text, child.base.tokens);
                    child.prompt.add(a.project.text, a.project.tokens);
                    child.prompt.add(m.new_text(), m.chance.tokens(400, 0.8, 4'000));
                    child.steps_left = m.chance.geometric(rules.steps);
                    longest = std::max(longest, child.steps_left);
                    all.push_back(std::move(child));
                    events.push({answered + 400 + i * 150, all.size() - 1});
                }
                wait_s += longest * (rules.tool_s * 1.8 + 4);
            }
        }
        if (a.prompt.tokens > 90'000) {
            Prompt compaction = a.prompt;
            compaction.add(m.new_text(), 300);
            m.ask(answered + 300, compaction, 1'200, a.session, a.parent, Kind::compaction, Finish::stop);
            a.prompt = {};
            a.prompt.add(a.base.text, a.base.tokens);
            a.prompt.add(a.project.text, a.project.tokens);
            a.prompt.add(m.new_text(), 1'500);
        }
        events.push({answered + static_cast<std::uint64_t>(wait_s * 1000), event.who});
        all[event.who] = std::move(a);
    }
}

void chat(Maker& m) {
    const double people_an_hour = 250 + m.chance.uniform() * 500, think_s = 30 + m.chance.uniform() * 200;
    const double stay = 0.4 + m.chance.uniform() * 0.3;
    const Prompt::Piece base{m.new_text(), m.chance.tokens(600, 0.8, 4'000)};
    struct Talk {
        Prompt prompt;
        std::uint64_t session;
        double eager;
    };
    std::vector<Talk> all;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
    for (double at = 0; at < 9.0 * static_cast<double>(hour);
         at += m.chance.exponential(static_cast<double>(hour) / people_an_hour)) {
        Talk talk{{}, m.new_text(), m.chance.uniform()};
        talk.prompt.add(base.text, base.tokens);
        talk.prompt.add(m.new_text(), m.chance.tokens(900, 1.6, 60'000));
        all.push_back(std::move(talk));
        events.push({static_cast<std::uint64_t>(at), all.size() - 1});
    }
    while (!events.empty() && m.trace.requests.size() < 12'000) {
        const Event event = events.top();
        events.pop();
        Talk& talk = all[event.who];
        const auto output = m.chance.tokens(280, 0.9, 3'000);
        m.ask(event.at, talk.prompt, output, 0, 0, Kind::main, Finish::unknown);
        if (!m.chance.happens(stay * (0.5 + talk.eager)) || talk.prompt.tokens > 100'000) continue;
        talk.prompt.add(m.new_text(), output);
        talk.prompt.add(m.new_text(), m.chance.tokens(90, 1.3, 8'000));
        const auto wait = m.chance.around(think_s * (1.5 - talk.eager), 1.0) + output * 0.05;
        events.push({event.at + static_cast<std::uint64_t>(wait * 1000), event.who});
    }
}

void documents(Maker& m) {
    const Prompt::Piece base{m.new_text(), 1'200};
    std::vector<Prompt::Piece> library;
    for (int i = 0; i < 900; ++i) library.push_back({m.new_text(), m.chance.tokens(7'000, 1.0, 60'000)});
    const double skew = 1.6 + m.chance.uniform() * 2;
    double at = 0, shift = 0;
    for (int i = 0; i < 10'000; ++i) {
        at += m.chance.exponential(3'000);
        shift += 0.012;  // what was in demand in the morning is not in the evening
        const auto rank = std::pow(m.chance.uniform(), skew) * 900;
        const auto& document = library[static_cast<std::size_t>(rank + shift) % library.size()];
        Prompt prompt;
        prompt.add(base.text, base.tokens);
        prompt.add(document.text, document.tokens);
        prompt.add(m.new_text(), m.chance.tokens(60, 0.7, 500));
        m.ask(static_cast<std::uint64_t>(at), prompt, m.chance.tokens(200, 0.6, 1'000), 0, 0, Kind::main, Finish::stop);
    }
}

void batch(Maker& m) {
    const Prompt::Piece job{m.new_text(), m.chance.tokens(2'500, 0.5, 8'000)};
    const Prompt::Piece base{m.new_text(), 6'000};
    std::vector<Prompt> people(6);
    std::vector<std::uint64_t> ids;
    for (auto& p : people) {
        ids.push_back(m.new_text());
        p.add(base.text, base.tokens);
        p.add(m.new_text(), 800);
    }
    double at = 0;
    for (int i = 0; i < 9'000; ++i) {
        at += m.chance.exponential(1'500);
        const auto now = static_cast<std::uint64_t>(at);
        if (m.chance.happens(0.12)) {
            const auto who = m.chance.below(people.size());
            m.ask(now, people[who], 300, ids[who], 0, Kind::main, Finish::stop);
            people[who].add(m.new_text(), m.chance.tokens(700, 0.8, 6'000));
            if (people[who].tokens < 50'000) continue;
            people[who] = {};
            people[who].add(base.text, base.tokens);
            people[who].add(m.new_text(), 800);
            continue;
        }
        Prompt prompt;
        prompt.add(job.text, job.tokens);
        prompt.add(m.new_text(), m.chance.tokens(4'000, 1.0, 40'000));
        m.ask(now, prompt, 120, 0, 0, Kind::other, Finish::stop);
    }
}

}  // namespace

std::optional<Workload> workload_named(std::string_view name) {
    if (name == "agents") return Workload::agents;
    if (name == "chat") return Workload::chat;
    if (name == "documents") return Workload::documents;
    if (name == "batch") return Workload::batch;
    return std::nullopt;
}

Trace make_workload(Workload workload, std::uint64_t seed) {
    Maker m(mix(seed, static_cast<std::uint64_t>(workload)));
    switch (workload) {
        case Workload::agents: agents(m); break;
        case Workload::chat: chat(m); break;
        case Workload::documents: documents(m); break;
        case Workload::batch: batch(m); break;
    }
    std::stable_sort(m.trace.requests.begin(), m.trace.requests.end(),
                     [](const TraceRequest& a, const TraceRequest& b) { return a.at_ms < b.at_ms; });
    return std::move(m.trace);
}

}  // namespace lc::policy
