#include "core/prefix/tools.hpp"

#include <algorithm>
#include <map>

#include "core/api/json_scan.hpp"
#include "core/kv/keys/canonical.hpp"

namespace lc::prefix {

namespace {

/// Tools that these clients are known to leave out for subagents and in some modes.
bool comes_and_goes(std::string_view client, std::string_view name) {
    if (name.starts_with("mcp__")) return true;
    static constexpr std::string_view opencode[] = {"question", "task", "todoread", "todowrite"};
    static constexpr std::string_view claude[] = {"Agent", "ExitPlanMode", "EnterPlanMode", "Task", "TodoWrite"};
    const auto has = [name](std::span<const std::string_view> list) { return std::ranges::find(list, name) != list.end(); };
    return (client == "opencode" && has(opencode)) || (client == "claude" && has(claude));
}

}  // namespace

KnownTools learn(KnownTools known, std::span<const std::string> names) {
    const bool first = known.seen.empty();
    for (const auto& name : known.seen) {
        if (std::ranges::find(names, name) == names.end()) known.some.insert(name);
    }
    for (const auto& name : names) {
        if (known.seen.size() >= max_tools) break;
        if (known.seen.insert(name).second && !first) known.some.insert(name);
    }
    return known;
}

std::vector<std::string> order_tools(std::span<const std::string> names, const KnownTools& of_client,
                                     const KnownTools& of_project, std::span<const std::string> session,
                                     std::string_view client) {
    std::vector<std::string> out;
    for (const auto& name : session) {
        if (std::ranges::find(names, name) != names.end()) out.push_back(name);
    }
    std::vector<std::string> fresh;
    for (const auto& name : names) {
        if (std::ranges::find(out, name) == out.end()) fresh.push_back(name);
    }
    const auto rank = [&](const std::string& name) {
        if (of_project.some.contains(name) || comes_and_goes(client, name)) return 2;
        return of_client.some.contains(name) ? 1 : 0;
    };
    std::ranges::sort(fresh, [&](const auto& a, const auto& b) { return std::pair(rank(a), a) < std::pair(rank(b), b); });
    out.insert(out.end(), fresh.begin(), fresh.end());
    return out;
}

std::vector<std::string> tool_names(const Input& in) {
    std::vector<std::string> names;
    std::set<std::string_view> seen;
    for (const auto& tool : in.view.tools) {
        if (tool.name.empty() || !seen.insert(tool.name).second || names.size() >= max_tools) return {};
        names.push_back(tool.name);
    }
    return names;
}

std::vector<api::Splice> arrange_tools(const Input& in, std::span<const std::string> order,
                                       std::span<const std::string> forms) {
    const auto& tools = in.view.tools;
    std::map<std::string_view, std::size_t> index;
    for (std::size_t i = 0; i < tools.size(); ++i) index[tools[i].name] = i;
    if (order.size() != tools.size() || index.size() != tools.size()) return {};
    std::vector<api::Splice> splices;
    for (std::size_t i = 0; i < order.size(); ++i) {
        const auto from = index.find(order[i]);
        if (from == index.end()) return {};
        const bool other_form = from->second < forms.size() && !forms[from->second].empty();
        const std::string_view own = api::slice(in.body, tools[from->second].raw);
        const std::string_view text = other_form ? std::string_view(forms[from->second]) : own;
        if (text != api::slice(in.body, tools[i].raw)) splices.push_back({tools[i].raw, std::string(text)});
    }
    return splices;
}

std::string canonical_tool(const Input& in, std::size_t tool) {
    std::string out;
    kv::append_canonical(out, api::slice(in.body, in.view.tools[tool].raw));
    return out;
}

std::string project_of(const Input& in) {
    static constexpr std::string_view marks[] = {"orking directory: ", "<cwd>", "orking in the directory: "};
    constexpr std::size_t first_messages = 8, longest = 4096;
    for (std::size_t i = 0; i < std::min(first_messages, in.view.messages.size()); ++i) {
        for (const auto text : texts_of(in, i)) {
            const auto raw = api::slice(in.body, text);
            for (const auto mark : marks) {
                const auto at = raw.find(mark);
                if (at == std::string_view::npos) continue;
                const auto rest = raw.substr(at + mark.size(), longest);
                return std::string(rest.substr(0, std::min(find_escape(rest, "\\n"), rest.find('<'))));
            }
        }
    }
    const auto n = leading_system(in.view);
    return n == 0 ? std::string() : in.view.messages[0].text_preview;
}

}  // namespace lc::prefix
