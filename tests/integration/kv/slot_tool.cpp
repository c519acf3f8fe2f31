// kv_slot_tool save STORE SLOT_FILE [N]                the first N tokens of the file, all of them without N
// kv_slot_tool write STORE N_TOKENS N_STREAM OUT [E]   from the state saved last; E: V transposed, elements of E bytes
// kv_slot_tool verify STORE
// Prints one line of facts; says why and ends with 1 when it cannot.
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "shell/kv/slot_copy.hpp"

namespace {

using namespace lc;
using namespace lc::kv;

const Scope scope{namespace_digest(""), sha256("the one model of this test")};

template <class T>
T need(Result<T> result) {
    if (result) return std::move(*result);
    std::cerr << result.error().detail << '\n';
    std::exit(1);
}

StorePtr open(const std::string& dir) {
    StoreOptions options;
    options.dir = dir;
    options.report = [](std::string_view line) { std::cerr << line << '\n'; };
    return need(open_store(std::move(options)));
}

int save(const std::string& dir, const std::string& path, std::size_t n) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    const std::string file = text.str();
    const auto slot = need(parse_slot_file(file, false));
    Manifest manifest;
    manifest.scope = scope;
    manifest.tokens = slot.tokens;
    if (n != 0 && n < manifest.tokens.size()) manifest.tokens.resize(n);
    auto store = open(dir);
    need(save_slot_file(*store, {path}, manifest));
    const auto figures = need(stats(*store));
    std::cout << "tokens=" << manifest.tokens.size() << " cells=" << slot.sections[0].positions.size()
              << " sections=" << slot.sections.size() << " streams=" << slot.sections[0].n_stream
              << " chunks=" << figures.chunks << " bytes=" << figures.bytes << " file=" << file.size() << '\n';
    return 0;
}

int write(const std::string& dir, std::uint32_t n_tokens, std::uint32_t n_stream, const std::string& out,
          std::uint32_t element) {
    auto store = open(dir);
    const auto names = need(state_names(*store));
    if (names.empty()) return 1;
    const auto state = need(pin_state(*store, names.back(), scope));
    if (n_tokens == 0) n_tokens = static_cast<std::uint32_t>(state.manifest.manifest.tokens.size());
    SlotTarget target{n_stream, element != 0};
    if (element != 0) {
        const auto first = need(get_blob(*store, {BlobKind::chunk, state.manifest.chunks.at(0)}));
        target.v_element_bytes.assign(need(parse_chunk(first, first.size())).chunk.layers.size(), element);
    }
    const auto bytes = need(write_slot_file(*store, state, n_tokens, target, out));
    std::cout << "tokens=" << n_tokens << " bytes=" << bytes << '\n';
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> args(argv + 1, argv + argc);
    if (args.size() >= 3 && args[0] == "save") return save(args[1], args[2], args.size() > 3 ? std::stoul(args[3]) : 0);
    const auto number = [&](std::size_t i) { return static_cast<std::uint32_t>(std::stoul(args[i])); };
    if (args.size() >= 5 && args[0] == "write") {
        return write(args[1], number(2), number(3), args[4], args.size() > 5 ? number(5) : 0);
    }
    if (args.size() == 2 && args[0] == "verify") {
        auto store = open(args[1]);
        const auto report = need(verify(*store));
        std::cout << "blobs=" << report.blobs << " bad=" << report.bad << '\n';
        return 0;
    }
    std::cerr << "usage: kv_slot_tool save STORE FILE [N] | write STORE N_TOKENS N_STREAM OUT [E] | verify STORE\n";
    return 2;
}
