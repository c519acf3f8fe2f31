#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "app/engines/prepare.hpp"
#include "shell/sys/fd.hpp"

namespace lc::engines {

namespace {

constexpr std::size_t first_read = 1 << 20;    // holds most headers
constexpr std::size_t most_read = 256u << 20;  // far above the largest vocabulary

struct Stat {
    std::int64_t bytes = 0, modified_ns = 0;
};

Result<Stat> stat_of(const std::string& path) {
    struct stat s {};
    if (::stat(path.c_str(), &s) != 0) {
        return fail(Errc::model_load_failed, errno == ENOENT
                                                 ? "the model file " + path + " does not exist; check its path"
                                                 : "the model file " + path + ": " + sys::errno_text(errno));
    }
    if (!S_ISREG(s.st_mode)) return fail(Errc::model_load_failed, "the model path " + path + " is not a file");
    return Stat{s.st_size, static_cast<std::int64_t>(s.st_mtim.tv_sec) * 1'000'000'000 + s.st_mtim.tv_nsec};
}

/// "m-00002-of-00005.gguf" for part 2 of what begins with "m-00001-of-00005.gguf"; empty when the name is no such name.
std::string part_name(const std::string& first, std::int64_t part, std::int64_t count) {
    char head[32], wanted[32];
    std::snprintf(head, sizeof head, "-00001-of-%05d.gguf", static_cast<int>(count));
    std::snprintf(wanted, sizeof wanted, "-%05d-of-%05d.gguf", static_cast<int>(part), static_cast<int>(count));
    if (!first.ends_with(head)) return {};
    return first.substr(0, first.size() - std::string_view(head).size()) + wanted;
}

Result<gguf::Info> parse_file(const std::string& path, std::int64_t size) {
    for (std::size_t most = first_read;; most *= 4) {
        const auto bytes = sys::read_file(path, most);
        if (!bytes) return fail(Errc::model_load_failed, "the model file cannot be read: " + bytes.error().detail);
        auto info = gguf::parse(*bytes);
        if (info || info.error().code != Errc::too_large) {
            if (!info) return fail(Errc::model_load_failed, path + ": " + info.error().detail);
            return info;
        }
        if (static_cast<std::int64_t>(bytes->size()) >= size) {
            return fail(Errc::model_load_failed, path + " is truncated: it ends inside its header after " +
                                                     std::to_string(size) + " bytes; download it again");
        }
        if (most >= most_read)
            return fail(Errc::model_load_failed, path + ": its header is larger than any known model's");
    }
}

}  // namespace

Result<std::shared_ptr<const Header>> read_header(const config::Model& model, std::shared_ptr<const Header> known) {
    if (model.path.empty()) {
        return fail(Errc::model_load_failed,
                    "model '" + model.name + "' has no file yet" +
                        (model.hf.empty() ? std::string() : " (" + model.hf + " is to be downloaded first)"));
    }
    const auto stat = stat_of(model.path);
    if (!stat) return tl::unexpected(stat.error());
    if (known && known->first_bytes == stat->bytes && known->modified_ns == stat->modified_ns) return known;
    auto info = parse_file(model.path, stat->bytes);
    if (!info) return tl::unexpected(info.error());
    if (stat->bytes < info->file_bytes) {
        return fail(Errc::model_load_failed, model.path + " is truncated: it has " + std::to_string(stat->bytes) +
                                                 " of " + std::to_string(info->file_bytes) +
                                                 " bytes; download it again");
    }
    auto out = std::make_shared<Header>();
    out->first_bytes = out->file_bytes = stat->bytes;
    out->modified_ns = stat->modified_ns;
    if (info->split_count > 99'999) return fail(Errc::model_load_failed, model.path + ": damaged GGUF: too many parts");
    for (std::int64_t part = 2; part <= info->split_count; ++part) {
        const std::string name = part_name(model.path, part, info->split_count);
        if (name.empty()) {
            return fail(Errc::model_load_failed, model.path + " is part of a model in " +
                                                     std::to_string(info->split_count) +
                                                     " files; give the path of its first part (-00001-of-...)");
        }
        const auto more = stat_of(name);
        if (!more) return tl::unexpected(more.error());
        out->file_bytes += more->bytes;
    }
    out->info = std::move(*info);
    return std::shared_ptr<const Header>(std::move(out));
}

std::vector<std::string> capabilities(const ModelInfo& info) {
    if (info.purpose != engine::Purpose::generate) {
        return {info.purpose == engine::Purpose::rerank ? "rerank" : "embedding"};
    }
    std::vector<std::string> out{"completion", "chat"};
    const std::pair<bool, const char*> further[] = {{info.tools, "tools"},   {info.reasoning, "reasoning"},
                                                    {info.vision, "vision"}, {info.audio, "audio"},
                                                    {info.fim, "fim"}};
    for (const auto& [has, name] : further) {
        if (has) out.emplace_back(name);
    }
    return out;
}

ModelInfo describe_header(const config::Model& model, const Header& header) {
    ModelInfo out;
    out.name = model.name;
    out.path = model.path;
    out.architecture = header.info.architecture;
    out.quantisation = header.info.quantisation;
    out.title = header.info.name;
    out.context_train = header.info.context_train;
    out.parameters = header.info.parameters;
    out.file_bytes = header.file_bytes;
    out.fim = engine::has_fim(model, header.info);
    out.purpose = engine::purpose_of(model, header.info);
    out.pooling = header.info.pooling;
    return out;
}

}  // namespace lc::engines
