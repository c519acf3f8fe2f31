#include "state/plan.h"

#include <algorithm>
#include <utility>

namespace kv = lc::kv;

namespace {
/// Of the reasons met on the way the most telling one is kept.
int weight(std::string_view reason) {
    constexpr std::string_view order[] = {"", "no_state", "other_tokens", "no_snapshot", "media", "too_long", "unreadable",
                                          "wrong_identity", "damaged"};
    return static_cast<int>(std::find(std::begin(order), std::end(order), reason) - std::begin(order));
}

void note(Plan& plan, const char* reason) {
    if (weight(reason) > weight(plan.reason)) {
        plan.reason = reason;
    }
}

void note(Plan& plan, kv::BlobKind kind, const lc::Digest& name, const BlobFault& fault) {
    note(plan, fault.reason);
    if (fault.quarantine) {
        plan.bad.push_back({kind, name, fault.why});
    }
}

/// The whole chunks that the prompt's tokens name, opened as far as somebody asks and they are there.
class Chain {
  public:
    Chain(const std::string& dir, const kv::Scope& scope, std::span<const kv::Token> prompt)
        : dir_(dir), scope_(scope), names_(kv::chunk_names(scope, prompt)), n_whole_(prompt.size() / kv::chunk_tokens) {}

    /// How many of the first `n` there are.
    std::size_t reach(Plan& plan, std::size_t n) {
        n = std::min(n, n_whole_);
        while (open_.size() < n && !ended_) {
            auto chunk = open_chunk(dir_, scope_, names_[open_.size()]);
            if (chunk.fault) {
                note(plan, kv::BlobKind::chunk, names_[open_.size()], *chunk.fault);
            }
            ended_ = !chunk.file;
            if (chunk.file) {
                chunk.file->expect();
                open_.push_back(std::move(chunk.parsed));
            }
        }
        return std::min(n, open_.size());
    }
    const std::vector<kv::ParsedChunk>& chunks() const { return open_; }

  private:
    const std::string& dir_;
    const kv::Scope& scope_;
    std::vector<lc::Digest> names_;
    std::size_t n_whole_;
    std::vector<kv::ParsedChunk> open_;
    bool ended_ = false;
};

struct State {
    lc::Digest name{};
    kv::ParsedManifest parsed;
    std::uint32_t usable = 0;  ///< tokens of the prompt it has (not cuttable: of its best snapshot)
};

std::uint32_t common_tokens(std::span<const kv::Token> a, std::span<const kv::Token> b) {
    return static_cast<std::uint32_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

std::vector<State> open_states(Plan& plan, const std::string& dir, const StateRequest& request, const PlanNeeds& needs,
                               std::span<const kv::Token> prompt, std::uint32_t most) {
    std::vector<State> out;
    for (const auto& name : request.states) {
        auto file = open_manifest(dir, request.scope, name);
        if (!file.file) {
            const BlobFault gone{"no_state", false, {}};
            note(plan, kv::BlobKind::manifest, name, file.fault.value_or(gone));
            continue;
        }
        State state{name, std::move(file.parsed), 0};
        const auto& manifest = state.parsed.manifest;
        const auto common = std::min(common_tokens(manifest.tokens, prompt), most);
        if (manifest.has_chunks != needs.rows || !manifest.media.empty()) {
            note(plan, manifest.media.empty() ? "unreadable" : "media");
            continue;
        }
        if (needs.cuttable) {
            state.usable = common;
        } else {
            for (const auto& snapshot : manifest.snapshots) {
                if (snapshot.n_tokens <= common) {
                    state.usable = snapshot.n_tokens;
                }
            }
            if (state.usable < common) {
                note(plan, "no_snapshot");
            }
        }
        if (common < most) {
            note(plan, "other_tokens");
        }
        out.push_back(std::move(state));
    }
    std::stable_sort(out.begin(), out.end(), [](const State& a, const State& b) { return a.usable > b.usable; });
    return out;
}

/// The chunks that hold the first `n` tokens of this state, or false.
bool cover(Plan& plan, const std::string& dir, const kv::Scope& scope, Chain& chain, const State& state, std::uint32_t n) {
    const std::size_t whole = n / kv::chunk_tokens;
    if (chain.reach(plan, whole) < whole) {
        return false;
    }
    std::optional<Opened<kv::ParsedChunk>> tail;
    if (n % kv::chunk_tokens != 0) {
        const auto& name = state.parsed.chunks[whole];
        tail = open_chunk(dir, scope, name);
        if (tail->fault) {
            note(plan, kv::BlobKind::chunk, name, *tail->fault);
        }
        if (!tail->file) {
            return false;
        }
    }
    plan.chunks.assign(chain.chunks().begin(), chain.chunks().begin() + static_cast<std::ptrdiff_t>(whole));
    if (tail) {
        tail->file->expect();
        plan.chunks.push_back(std::move(tail->parsed));
    }
    return true;
}
}  // namespace

Plan plan_restore(const std::string& dir, const StateRequest& request, const PlanNeeds& needs,
                  std::span<const kv::Token> prompt, std::size_t n_prompt) {
    Plan plan;
    if (prompt.size() < n_prompt) {
        note(plan, "media");
    }
    std::size_t most = prompt.size();
    if (needs.needs_a_new_token && most == n_prompt && most > 0) {
        --most;
    }
    most = std::min<std::size_t>(most, request.limit.value_or(UINT32_MAX));
    prompt = prompt.subspan(0, most);

    Chain chain(dir, request.scope, prompt);
    const auto states = open_states(plan, dir, request, needs, prompt, static_cast<std::uint32_t>(most));
    const bool by_name = needs.cuttable && request.chunks;
    const auto found = by_name ? static_cast<std::uint32_t>(chain.reach(plan, most / kv::chunk_tokens)) * kv::chunk_tokens : 0;
    for (const auto& state : states) {
        if (state.usable == 0 || state.usable < found) {
            break;
        }
        if (needs.rows && !cover(plan, dir, request.scope, chain, state, state.usable)) {
            note(plan, "no_state");
            continue;
        }
        plan.n_tokens = state.usable;
        plan.from_state = true;
        plan.state = state.name;
        for (const auto& snapshot : state.parsed.manifest.snapshots) {
            if (needs.cuttable || snapshot.n_tokens <= state.usable) {
                plan.snapshots.push_back(snapshot);
            }
        }
        break;
    }
    if (plan.n_tokens < found) {
        plan.n_tokens = found;
        plan.from_state = false;
        plan.chunks.assign(chain.chunks().begin(), chain.chunks().begin() + found / kv::chunk_tokens);
    }
    if (!plan.chunks.empty()) {
        plan.tail = plan.chunks.back().name;
    }
    if (plan.n_tokens == most && most == n_prompt && plan.bad.empty()) {
        plan.reason.clear();
    } else if (plan.n_tokens < n_prompt) {
        note(plan, "no_state");
    }
    return plan;
}
