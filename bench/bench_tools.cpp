// How long it takes to compile the schemas of a request's tools, to validate a call, and to repair one:
//   bench_tools TOOLS.json
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "core/tools/repair.hpp"

using namespace lc::tools;
using Clock = std::chrono::steady_clock;

template <class F>
static void measure(const char* name, int rounds, F&& work) {
    work();
    const auto began = Clock::now();
    for (int i = 0; i < rounds; ++i) work();
    const double us = std::chrono::duration<double, std::micro>(Clock::now() - began).count() / rounds;
    std::printf("%-44s %8.2f us\n", name, us);
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    std::ifstream in(argv[1]);
    std::ostringstream text;
    text << in.rdbuf();
    const auto tools = tools_from_json(text.str());
    std::string todos = R"({"todos":[)";
    for (int i = 0; i < 20; ++i) todos += std::string(i ? "," : "") + R"({"content":"something to do","status":"pending","priority":"low"})";
    todos += "]}";
    const Call calls[] = {{"read", R"({"filePath":"/src/main.cpp","offset":1,"limit":200})"}, {"todowrite", todos},
                          {"write", R"({"filePath":"/a","content":")" + std::string(20'000, 'x') + "\"}"}};
    measure("compile the schemas of 12 tools", 2'000, [&] { (void)tools_from_json(text.str()); });
    for (const auto& call : calls) {
        std::printf("%s, %zu bytes\n", call.name.c_str(), call.arguments.size());
        const auto value = *parse(call.arguments).value;
        const auto& schema = tools.find(call.name)->schema;
        measure("  validate", 20'000, [&] { (void)is_valid(schema, value); });
        measure("  parse and validate (a valid call)", 20'000, [&] { (void)repair(tools, call); });
        Call broken = call;
        broken.arguments.pop_back();
        measure("  repair a lost brace", 5'000, [&] { (void)repair(tools, broken); });
    }
}
