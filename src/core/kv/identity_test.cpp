#include "core/kv/identity.hpp"

#include <gtest/gtest.h>

#include <set>

#include "core/kv/model_hashes.hpp"

namespace lc::kv {
namespace {

std::string digest_text(std::string_view of) {
    return hex(sha256(of));
}

std::vector<ReportField> report() {
    return {{"model", digest_text("shard 1")},
            {"model", digest_text("shard 2")},
            {"mmproj", digest_text("mmproj")},
            {"draft", digest_text("draft")},
            {"override_kv", "a=int:1"},
            {"k_type", "f16"},
            {"v_type", "q8_0"},
            {"flash_attention", "true"},
            {"kv_rotation", "false"},
            {"swa_full", "false"},
            {"n_swa", "512"},
            {"rope_type", "yarn"},
            {"rope_base", "10000"},
            {"rope_scale", "0.5"},
            {"yarn_orig_ctx", "8192"},
            {"yarn_ext", "-1"},
            {"yarn_attn", "1"},
            {"yarn_beta_fast", "32"},
            {"yarn_beta_slow", "1"},
            {"loras", digest_text("lora") + " 0.5"},
            {"control_vectors", digest_text("cv") + " -1.5 3 20"},
            {"sections", "kv"},
            {"build", "0.5.0 patches cpu"}};
}

TEST(Identity, EveryFieldCounts) {
    std::set<Digest> seen{identity_digest(identity_of(report()).value())};
    for (std::size_t i = 0; i < report().size(); ++i) {
        auto changed = report();
        std::string& value = changed[i].value;
        if (value == "true")
            value = "false";
        else if (value == "false")
            value = "true";
        else if (value.size() >= 64)
            value[0] = value[0] == '0' ? '1' : '0';
        else
            value += "1";
        SCOPED_TRACE(changed[i].key);
        const auto identity = identity_of(changed);
        ASSERT_TRUE(identity) << identity.error().detail;
        EXPECT_TRUE(seen.insert(identity_digest(*identity)).second);
    }
    for (const char* extra : {"model", "draft", "override_kv", "loras", "control_vectors"}) {
        auto longer = report();
        for (const auto& field : report()) {
            if (field.key == extra) {
                longer.push_back(field);
                break;
            }
        }
        EXPECT_TRUE(seen.insert(identity_digest(identity_of(longer).value())).second) << extra;
    }
    auto range = report();
    range[20].value = digest_text("cv") + " -1.5 3 21";
    EXPECT_TRUE(seen.insert(identity_digest(identity_of(range).value())).second);
    auto scale = report();
    scale[19].value = digest_text("lora") + " 0.25";
    EXPECT_TRUE(seen.insert(identity_digest(identity_of(scale).value())).second);
    auto order = report();
    std::swap(order[0], order[1]);
    EXPECT_TRUE(seen.insert(identity_digest(identity_of(order).value())).second);
}

TEST(Identity, SameThingSameDigest) {
    auto other = report();
    std::swap(other[5], other[15]);  // the order of different keys means nothing
    for (auto& field : other) {
        if (field.key == "rope_base") field.value = "1e4";
        if (field.key == "yarn_attn") field.value = "1.0";
    }
    EXPECT_EQ(identity_digest(identity_of(other).value()), identity_digest(identity_of(report()).value()));
}

TEST(Identity, FailsClosed) {
    const auto refused = [](auto spoil, std::string_view names) {
        auto fields = report();
        spoil(fields);
        const auto identity = identity_of(fields);
        ASSERT_FALSE(identity) << names;
        EXPECT_NE(identity.error().detail.find(names), std::string::npos) << identity.error().detail;
    };
    refused([](auto& f) { f.push_back({"new_thing", "1"}); }, "new_thing");
    refused([](auto& f) { f.push_back({"k_type", "f16"}); }, "k_type");
    refused([](auto& f) { f.push_back({"mmproj", digest_text("x")}); }, "mmproj");
    refused([](auto& f) { f.erase(f.begin(), f.begin() + 2); }, "model");
    refused([](auto& f) { f[0].value = "ABC"; }, "model");
    refused([](auto& f) { f[7].value = "auto"; }, "flash_attention");
    refused([](auto& f) { f[12].value = "nan"; }, "rope_base");
    refused([](auto& f) { f[12].value = "10000 "; }, "rope_base");
    refused([](auto& f) { f[19].value = digest_text("lora"); }, "loras");
    refused([](auto& f) { f[20].value += " 4"; }, "control_vectors");
    refused([](auto& f) { f[21].value = ""; }, "sections");
    for (const char* optional : {"mmproj", "draft", "override_kv", "loras", "control_vectors"}) {
        auto fields = report();
        std::erase_if(fields, [&](const auto& f) { return f.key == optional; });
        EXPECT_TRUE(identity_of(fields)) << optional;
    }
    for (const auto& field : report()) {
        auto fields = report();
        std::erase_if(fields, [&](const auto& f) { return f.key == field.key; });
        const std::set<std::string> optional{"mmproj", "draft", "override_kv", "loras", "control_vectors"};
        EXPECT_EQ(identity_of(fields).has_value(), optional.count(field.key) == 1) << field.key;
    }
}

TEST(ModelHashes, KnownOnlyWhileNothingChanged) {
    constexpr std::int64_t s = 1'000'000'000;
    const FileStamp stamp{1, 2, 3, 100 * s, 100 * s};
    const auto hashes = remember({}, stamp, sha256("model"), 200 * s);
    EXPECT_EQ(lookup(hashes, stamp), sha256("model"));
    for (const FileStamp& other : {FileStamp{9, 2, 3, 100 * s, 100 * s}, FileStamp{1, 9, 3, 100 * s, 100 * s},
                                   FileStamp{1, 2, 9, 100 * s, 100 * s}, FileStamp{1, 2, 3, 101 * s, 100 * s},
                                   FileStamp{1, 2, 3, 100 * s, 101 * s}}) {
        EXPECT_FALSE(lookup(hashes, other));
    }
    EXPECT_EQ(parse_model_hashes(print(hashes)), hashes);
    EXPECT_EQ(parse_model_hashes("garbage\n1 2 3\n" + print(hashes) + "1 2 3 4 5 zz"), hashes);
    const FileStamp fresh{1, 2, 3, 199 * s, 199 * s};
    const auto racy = remember(hashes, fresh, sha256("new"), 200 * s);
    EXPECT_TRUE(racy.known.empty()) << "changed a second ago: neither the old nor the new hash is certain";
    ModelHashes many;
    for (std::uint64_t i = 0; i < 1100; ++i) many = remember(many, {1, i, 1, s, s}, sha256("m"), 200 * s);
    EXPECT_EQ(many.known.size(), 1000u);
    EXPECT_TRUE(lookup(many, {1, 1099, 1, s, s}));
}

}  // namespace
}  // namespace lc::kv
