#include "core/hub/choose.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"
#include "core/hub/quant.hpp"

namespace lc::hub {
namespace {

/// One file, or all parts of one that was split.
struct Model {
    std::string quant;
    std::string stem;  ///< path without split suffix and ".gguf"
    std::vector<RepoFile> files;
    int parts = 1;  ///< as the names say
};

std::vector<Model> models_of(std::span<const RepoFile> files) {
    std::map<std::pair<std::string, int>, Model> by_stem;
    for (const RepoFile& file : files) {
        if (!is_gguf(file.path) || is_projector(file.path) || is_calibration(file.path)) continue;
        const auto split = split_of(file.path);
        const int parts = split ? split->count : 0;
        std::string stem = split ? split->stem : file.path.substr(0, file.path.size() - 5);
        Model& model = by_stem[{stem, parts}];
        model.stem = std::move(stem);
        model.quant = quant_of(file.path);
        model.parts = split ? split->count : 1;
        model.files.push_back(file);
    }
    std::vector<Model> out;
    for (auto& [key, model] : by_stem) {
        std::sort(model.files.begin(), model.files.end(),
                  [](const RepoFile& a, const RepoFile& b) { return a.path < b.path; });
        const auto same = [](const RepoFile& a, const RepoFile& b) { return a.path == b.path; };
        model.files.erase(std::unique(model.files.begin(), model.files.end(), same), model.files.end());
        // The map has the unsplit file of a stem first: it is the better one of two.
        if (out.empty() || out.back().stem != model.stem) out.push_back(std::move(model));
    }
    return out;
}

std::vector<const Model*> with_quant(const std::vector<Model>& models, std::string_view quant) {
    std::vector<const Model*> out;
    for (const Model& model : models) {
        if (iequals(model.quant, quant)) out.push_back(&model);
    }
    return out;
}

/// The words nearest to `word`, at most eight, nearest first.
std::string nearest_list(std::vector<std::string> words, std::string_view word) {
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    const std::string wanted = to_lower(word);
    std::stable_sort(words.begin(), words.end(), [&wanted](const std::string& a, const std::string& b) {
        return edit_distance(wanted, to_lower(a)) < edit_distance(wanted, to_lower(b));
    });
    std::string out;
    for (std::size_t i = 0; i < words.size() && i < 8; ++i) out += (i == 0 ? "" : ", ") + words[i];
    if (words.size() > 8) out += " and " + std::to_string(words.size() - 8) + " more";
    return out;
}

std::string name_of(const Spec& spec) {
    return spec.org + "/" + spec.repo;
}

std::vector<std::string> first_paths(const std::vector<Model>& models) {
    std::vector<std::string> out;
    for (const Model& model : models) out.push_back(model.files.front().path);
    return out;
}

tl::unexpected<Error> ambiguous(const std::vector<const Model*>& found, const Spec& spec, std::string_view what) {
    std::vector<std::string> paths;
    for (const Model* model : found) paths.push_back(model->files.front().path);
    return fail(Errc::bad_request, name_of(spec) + " has several models " + std::string(what) + "; name one, as in " +
                                       name_of(spec) + ":" + paths.front() +
                                       ". There are: " + nearest_list(paths, paths.front()));
}

Result<const Model*> pick(const std::vector<Model>& models, const Spec& spec) {
    if (!spec.file.empty()) {
        for (const Model& model : models) {
            for (const RepoFile& file : model.files) {
                if (file.path == spec.file) return &model;
            }
        }
        return fail(Errc::not_found, name_of(spec) + " has no file " + spec.file +
                                         "; nearest: " + nearest_list(first_paths(models), spec.file));
    }
    if (!spec.quant.empty()) {
        auto found = with_quant(models, spec.quant);
        // "Q4_K_XL" where only the variant "UD-Q4_K_XL" exists.
        if (found.empty()) found = with_quant(models, "UD-" + spec.quant);
        if (found.size() == 1) return found.front();
        if (found.size() > 1) return ambiguous(found, spec, "in " + found.front()->quant);
        std::vector<std::string> quants;
        for (const Model& model : models)
            quants.push_back(model.quant.empty() ? model.files.front().path : model.quant);
        return fail(Errc::not_found,
                    name_of(spec) + " has no " + spec.quant + "; nearest: " + nearest_list(quants, spec.quant));
    }
    if (models.size() == 1) return &models.front();
    for (const std::string_view quant : default_quants()) {
        const auto found = with_quant(models, quant);
        if (found.size() == 1) return found.front();
        if (found.size() > 1) return ambiguous(found, spec, "in " + std::string(quant));
    }
    std::vector<const Model*> all;
    for (const Model& model : models) all.push_back(&model);
    return ambiguous(all, spec, "and none in a quantisation that is taken by default");
}

/// F16 first: projectors are small, and coarser ones cost more than they save.
std::vector<RepoFile> pick_projector(std::span<const RepoFile> files) {
    constexpr std::array<std::string_view, 4> order = {"F16", "BF16", "F32", "Q8_0"};
    const auto rank = [&order](const RepoFile& file) {
        std::string quant = quant_of(file.path);
        if (quant == "FP16") quant = "F16";
        return std::find(order.begin(), order.end(), quant) - order.begin();
    };
    std::vector<RepoFile> found;
    for (const RepoFile& file : files) {
        if (is_projector(file.path)) found.push_back(file);
    }
    if (found.empty()) return {};
    return {*std::min_element(found.begin(), found.end(), [&rank](const RepoFile& a, const RepoFile& b) {
        return std::pair(rank(a), a.path) < std::pair(rank(b), b.path);
    })};
}

}  // namespace

Result<Choice> choose(std::span<const RepoFile> files, const Spec& spec) {
    const std::vector<Model> models = models_of(files);
    if (models.empty()) {
        return fail(
            Errc::not_found,
            name_of(spec) + " holds no GGUF model; look for a repository with GGUF files (often named ...-GGUF)");
    }
    const auto model = pick(models, spec);
    if (!model) return tl::unexpected(model.error());
    const Model& chosen = **model;
    for (int part = 1; part <= chosen.parts; ++part) {
        // Sorted by name, so that part n stands at place n - 1 unless one before it is missing.
        const auto at = static_cast<std::size_t>(part - 1);
        if (chosen.parts > 1 && (at >= chosen.files.size() || split_of(chosen.files[at].path)->index != part)) {
            return fail(Errc::not_found, name_of(spec) + " lacks part " + std::to_string(part) + " of " +
                                             std::to_string(chosen.parts) + " of " + chosen.stem);
        }
    }
    return Choice{.quant = chosen.quant, .files = chosen.files, .projector = pick_projector(files)};
}

}  // namespace lc::hub
