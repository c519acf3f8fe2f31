// For tests: what the gateway does with the files of a save. Names and numbers come as lines on stdin.
//
//   state_tool manifest DIR NAMESPACE IDENTITY < "chunks 0|1", "tokens 1 2 3", "snapshot NAME TOKENS BYTES" ...
//       writes a manifest into the store and prints its name
//   state_tool check FILE       prints what the file is, or fails: header and every checksum
#include "core/kv/checksum.hpp"
#include "core/kv/identity.hpp"
#include "core/kv/manifest.hpp"
#include "core/kv/snapshot.hpp"
#include "core/kv/chunk.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

namespace kv = lc::kv;

namespace {
int complain(const std::string& why) {
    std::cerr << why << "\n";
    return 1;
}

int manifest(const std::string& dir, const std::string& name_space, const std::string& identity) {
    kv::Manifest out;
    out.scope = {kv::digest_of_hex(name_space).value(), kv::digest_of_hex(identity).value()};
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream in(line);
        std::string word;
        in >> word;
        if (word == "chunks") {
            in >> out.has_chunks;
        } else if (word == "tokens") {
            out.tokens.assign(std::istream_iterator<kv::Token>(in), {});
        } else if (word == "snapshot") {
            kv::SnapshotRef ref;
            in >> word >> ref.n_tokens >> ref.bytes;
            ref.name = kv::digest_of_hex(word).value();
            out.snapshots.push_back(ref);
        }
    }
    const auto file = kv::encode_manifest(out);
    if (!file) {
        return complain(file.error().detail);
    }
    const auto name = lc::hex(kv::manifest_name(*file));
    const auto folder = dir + "/manifests/" + name.substr(0, 2);
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/" + name, std::ios::binary) << *file;
    std::cout << name << "\n";
    return 0;
}

int check(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string file{std::istreambuf_iterator<char>(in), {}};
    if (const auto chunk = kv::parse_chunk(file, file.size())) {
        const auto rows = kv::check_rows(*chunk, file);
        std::cout << "chunk " << lc::hex(chunk->name) << " " << chunk->chunk.start << " " << chunk->chunk.tokens.size() << "\n";
        return rows ? 0 : complain(rows.error().detail);
    }
    const auto snapshot = kv::parse_snapshot(file, file.size());
    if (!snapshot) {
        return complain(snapshot.error().detail);
    }
    const auto sections = kv::check_sections(*snapshot, file);
    std::cout << "snapshot " << lc::hex(snapshot->name) << " " << snapshot->snapshot.n_tokens;
    for (const auto& section : snapshot->snapshot.sections) {
        std::cout << " " << section.name << "=" << section.bytes;
    }
    std::cout << "\n";
    return sections ? 0 : complain(sections.error().detail);
}
}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "manifest" && argc == 5) {
        return manifest(argv[2], argv[3], argv[4]);
    }
    return what == "check" && argc == 3 ? check(argv[2]) : complain("see the head of state_tool.cpp");
}
