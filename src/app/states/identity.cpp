// What the rows of an engine's KV cache mean, from what the engine says and from the files it was started with. Fails
// closed: without it nothing is stored or restored.
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <filesystem>

#include "app/states/loop.hpp"
#include "base/text.hpp"

namespace lc::states {

namespace {

namespace fs = std::filesystem;

/// The GGUF's parts, in order: "x-00001-of-00003.gguf" stands for three files.
std::vector<std::string> shards_of(const std::string& path) {
    constexpr std::string_view mark = "-00001-of-";
    const auto at = path.rfind(mark);
    if (at == std::string::npos || !path.ends_with(".gguf") || path.size() != at + mark.size() + 5 + 5) return {path};
    const int n = std::atoi(path.substr(at + mark.size(), 5).c_str());
    std::vector<std::string> out;
    for (int i = 1; i <= n && n <= 10'000; ++i) {
        char number[16];
        std::snprintf(number, sizeof number, "-%05d-of-", i);
        out.push_back(path.substr(0, at) + number + path.substr(at + mark.size()));
    }
    return out;
}

struct Question {
    std::string hashes_file, model_path;
    EngineState about;
    std::vector<std::string> args;
    std::string build;
    bool ours = false;
    std::string k_type, v_type, flash_attention;
    bool only_known = false;  ///< do not read gigabytes now
    std::shared_ptr<const std::atomic<bool>> stop;
};

struct Answer {
    std::optional<Digest> identity;
    std::string why;
    bool unknown_file = false;  ///< a file has to be read
};

class Hasher {
  public:
    explicit Hasher(const Question& q)
        : path(q.hashes_file), hashes(kv::load_model_hashes(path)), only_known(q.only_known), stop(q.stop) {}
    /// Nothing: not known yet, and may not be read now.
    Result<std::optional<Digest>> of(const std::string& file) {
        const auto stamp = kv::stamp_of(file);
        if (!stamp) return tl::unexpected(stamp.error());
        if (const auto known = kv::lookup(hashes, *stamp)) return known;
        if (only_known && stamp->size > (8u << 20)) return std::optional<Digest>{};
        const auto digest = kv::hash_file(file, hashes, stop.get());
        if (!digest) return tl::unexpected(digest.error());
        changed = true;
        return std::optional(*digest);
    }
    void keep() const {
        // Not kept: read again next time.
        if (changed) (void)kv::store_model_hashes(path, hashes);
    }

  private:
    std::string path;
    kv::ModelHashes hashes;
    bool only_known = false, changed = false;
    std::shared_ptr<const std::atomic<bool>> stop;
};

/// Adapters are reported by path; their contents count.
Result<bool> hash_adapters(Hasher& hasher, std::vector<kv::ReportField>& report) {
    for (auto& field : report) {
        if (field.key != "loras" && field.key != "control_vectors") continue;
        const auto space = field.value.find(' ');
        // Paths may hold spaces: what follows are one or three numbers.
        auto end = field.value.size();
        for (int words = field.key == "loras" ? 1 : 3; words > 0 && end != std::string::npos; --words) {
            end = field.value.rfind(' ', end - 1);
        }
        if (space == std::string::npos || end == std::string::npos) return fail(Errc::bad_request, "bad " + field.key);
        const auto digest = hasher.of(field.value.substr(0, end));
        if (!digest) return tl::unexpected(digest.error());
        if (!*digest) return false;
        field.value = hex(**digest) + field.value.substr(end);
    }
    return true;
}

Answer work_out(const Question& q) {
    Answer out;
    Hasher hasher(q);
    std::vector<kv::ReportField> report = q.about.identity;
    const auto add_file = [&](const std::string& key, const std::string& file, const std::string& prefix) {
        const auto digest = hasher.of(file);
        if (!digest) {
            out.why = digest.error().detail;
            return false;
        }
        if (!*digest) {
            out.unknown_file = true;
            out.why = "hashing";
            return false;
        }
        report.push_back({key, prefix + hex(**digest)});
        return true;
    };
    for (const auto& shard : shards_of(q.model_path)) {
        if (!add_file("model", shard, "")) return out;
    }
    // Everything that a person passed through may change what is computed; files count by their contents.
    for (const auto& arg : q.args) {
        report.push_back({"override_kv", arg});
        std::error_code ec;
        if (arg.size() > 1 && arg.find('/') != std::string::npos && fs::is_regular_file(arg, ec) &&
            !add_file("override_kv", arg, "file ")) {
            return out;
        }
    }
    const auto adapters = hash_adapters(hasher, report);
    if (!adapters) {
        out.why = adapters.error().detail;
        return out;
    }
    if (!*adapters) {
        out.unknown_file = true;
        out.why = "hashing";
        return out;
    }
    hasher.keep();
    const auto identity = kv::identity_of(report);
    if (!identity) {
        out.why = identity.error().detail;
        return out;
    }
    out.identity = kv::identity_digest(*identity);
    return out;
}

void note(const StatesPtr& states, const EnginePtr& engine, const Answer& answer) {
    if (answer.identity) {
        engine->identity = answer.identity;
        engine->why_not.clear();
        return;
    }
    engine->why_not = answer.unknown_file ? "hashing" : "no_identity";
    if (!answer.unknown_file && !states->closing) {
        say(*states, Level::warn,
            "model " + engine->model + ": its states are not kept, because its identity is not known: " + answer.why);
    }
}

awaitable<void> read_files(StatesPtr states, EnginePtr engine, Question question) {
    const std::function<Answer()> work = [question] { return work_out(question); };
    const auto answer = co_await on_thread<Answer>(states->hashing, work);
    note(states, engine, answer);
}

/// A model's first request ever waits a little, so that a model of usual size can be stored right away.
awaitable<void> wait_hashed(StatesPtr states, EnginePtr engine) {
    const auto until = Clock::now() + std::chrono::seconds(3);
    while (engine->why_not == "hashing" && Clock::now() < until && !states->closing) {
        asio::steady_timer tick(states->executor, std::chrono::milliseconds(10));
        boost::system::error_code woken;
        co_await tick.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    // Once is enough: a large model is read beside the requests.
    if (engine->why_not == "hashing") engine->why_not = "hashing_still";
}

/// A stock server reports nothing: its command line decides.
std::vector<kv::ReportField> stock_report(const EngineSlots& engine, const config::Model& model) {
    const auto or_f16 = [](const std::string& type) { return type.empty() ? std::string("f16") : type; };
    std::vector<kv::ReportField> out = {{"k_type", or_f16(model.cache_type_k)},
                                        {"v_type", or_f16(model.cache_type_v)},
                                        {"flash_attention", model.flash_attention == "off" ? "false" : "true"},
                                        {"kv_rotation", "true"},
                                        {"swa_full", "false"},
                                        {"n_swa", "0"},
                                        {"sections", "slot-file"},
                                        {"build", "stock " + engine.meta->build}};
    char stretch[64];
    std::snprintf(stretch, sizeof stretch, "%.6g", engine.info->yarn_factor);
    out.push_back({"rope_type", engine.info->yarn_factor > 1 ? "yarn" : "none"});
    // The rest is the model file's own, which is hashed.
    for (const auto* key : {"rope_base", "yarn_orig_ctx", "yarn_ext", "yarn_attn", "yarn_beta_fast", "yarn_beta_slow"}) {
        out.push_back({key, "0"});
    }
    out.push_back({"rope_scale", stretch});
    return out;
}

}  // namespace

awaitable<void> find_identity(StatesPtr states, EnginePtr engine) {
    if (engine->identity) co_return;
    if (engine->identity_asked) co_return co_await wait_hashed(states, engine);
    if (!states->is_open) {
        engine->why_not = "no_store";
        co_return;
    }
    const config::Model* model = nullptr;
    for (const auto& candidate : states->options.models) {
        if (candidate.name == engine->model) model = &candidate;
    }
    if (!model || !engine->info || !engine->meta) {
        engine->why_not = "no_identity";
        co_return;
    }
    if (engine->ours && !engine->about.supported) {
        engine->why_not = "unsupported";
        engine->identity_asked = true;
        say(*states, Level::info, "model " + engine->model + ": states are not kept: " + engine->about.why);
        co_return;
    }
    engine->identity_asked = true;
    Question question;
    question.hashes_file = states->options.dir + "/models.txt";
    question.model_path = engine->info->path;
    question.about = engine->about;
    if (!engine->ours) {
        question.about.identity = stock_report(*engine, *model);
        engine->about.kind = "full";
        engine->about.cuttable = true;
    }
    question.args = model->args;
    question.only_known = true;
    question.stop = states->stop_hashing;
    const std::function<Answer()> quick = [question] { return work_out(question); };
    const auto answer = co_await on_thread<Answer>(states->disk, quick);
    note(states, engine, answer);
    if (answer.unknown_file) {
        question.only_known = false;
        run_beside(states, read_files(states, engine, question));
        co_await wait_hashed(states, engine);
    }
}

}  // namespace lc::states
