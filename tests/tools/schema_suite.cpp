// Runs a folder of the JSON Schema Test Suite against core/tools and prints the figures and what failed:
//   schema_suite draft7|draft2020-12 TESTS REMOTES METASCHEMAS
// TESTS: the folder with a draft's *.json; REMOTES: what tests refer to as http://localhost:1234/; METASCHEMAS: a
// folder with the drafts' own schemas (each has an `$id`).
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "core/tools/parse.hpp"
#include "core/tools/schema.hpp"

namespace fs = std::filesystem;
using namespace lc::tools;

namespace {

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::vector<fs::path> files_below(const fs::path& folder, bool deep) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const bool direct = entry.path().parent_path() == folder;
        if (entry.is_regular_file() && (deep || direct)) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

struct Figures {
    int right = 0, all = 0;
};

void run_group(const std::string& file, const Value& group, Draft draft, const std::vector<SchemaDocument>& documents,
               Figures& figures) {
    const auto schema = compile_schema(write(*find(group, "schema")), draft, documents);
    for (const auto& test : find(group, "tests")->items) {
        ++figures.all;
        const bool wanted = find(test, "valid")->flag;
        const bool right = schema && is_valid(*schema, *find(test, "data")) == wanted &&
                           check(*schema, *find(test, "data")).empty() == wanted;
        figures.right += right ? 1 : 0;
        if (right) continue;
        std::cout << "wrong\t" << file << "\t" << find(group, "description")->text << "\t"
                  << find(test, "description")->text << "\t" << (schema ? "" : schema.error().detail) << "\n";
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::cerr << "usage: schema_suite draft7|draft2020-12 TESTS REMOTES METASCHEMAS\n";
        return 2;
    }
    const Draft draft = std::string_view(argv[1]) == "draft7" ? Draft::draft7 : Draft::draft2020;
    const fs::path remotes = argv[3];
    std::vector<std::string> texts;
    std::vector<SchemaDocument> documents;
    const auto metas = files_below(argv[4], true);
    const auto others = files_below(remotes, true);
    texts.reserve(metas.size() + others.size());
    for (const auto& path : metas) {
        const auto parsed = parse(texts.emplace_back(read_file(path)));
        const Value* id = parsed.value ? find(*parsed.value, "$id") : nullptr;
        if (id != nullptr) documents.push_back({id->text, texts.back()});
    }
    for (const auto& path : others) {
        const std::string name = fs::relative(path, remotes).generic_string();
        const std::string own = argv[1];
        if (name.starts_with("draft") && !name.starts_with(own + "/")) continue;
        documents.push_back({"http://localhost:1234/" + name, texts.emplace_back(read_file(path))});
    }
    Figures figures;
    for (const auto& path : files_below(argv[2], false)) {
        if (path.extension() != ".json") continue;
        const auto parsed = parse(read_file(path));
        if (!parsed.value) {
            std::cout << "unreadable\t" << path.filename().string() << "\n";
            continue;
        }
        for (const auto& group : parsed.value->items)
            run_group(path.filename().string(), group, draft, documents, figures);
    }
    std::cout << "figures\t" << figures.right << "\t" << figures.all << "\n";
    return figures.all > 0 ? 0 : 1;
}
