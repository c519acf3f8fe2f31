// Time and memory of cache decisions at a million chunks:  bench_policy [CHUNKS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "core/policy/keeper.hpp"

int main(int argc, char** argv) {
    using namespace lc::policy;
    using Clock = std::chrono::steady_clock;
    const std::size_t wanted = argc > 1 ? static_cast<std::size_t>(std::atoll(argv[1])) : 1'000'000;
    constexpr std::uint32_t chunk_bytes = 1'000'000;
    constexpr std::size_t shared = 32, turns = 4,
                          step = 6;  // a project's beginning, a session's turns and their length
    // All of it fits: a million chunks are kept. Then half as many again come, and as many leave.
    Keeper keeper(std::nullopt, wanted * chunk_bytes);
    std::vector<Chunk> path;
    std::vector<double> micros;
    std::uint64_t session = 0, decided = 0;
    std::int64_t now = 0;
    const auto play = [&](std::size_t sessions, bool measure) {
        for (std::size_t i = 0; i < sessions; ++i) {
            ++session;
            path.clear();
            for (std::size_t c = 0; c < shared; ++c) path.push_back({(session % 100) * 1000 + c + 1, chunk_bytes, 50});
            for (std::size_t turn = 0; turn < turns; ++turn) {
                for (std::size_t c = 0; c < step; ++c) path.push_back({(session << 20) + path.size(), chunk_bytes, 50});
                Touch touch;
                touch.now_ms = now += 700;
                touch.finish = turn + 1 < turns ? Finish::tool_calls : Finish::stop;
                const auto began = Clock::now();
                keeper.note(path, touch);
                const double took = std::chrono::duration<double, std::micro>(Clock::now() - began).count();
                if (!measure) continue;
                micros.push_back(took);
                decided += step;
            }
        }
    };
    play(wanted / (turns * step), false);
    const auto memory = keeper.bytes_of_memory();
    const auto chunks = keeper.chunks();
    const std::clock_t before = std::clock();
    play(wanted / (turns * step) / 2, true);
    const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;  // of CPU: others run beside
    std::sort(micros.begin(), micros.end());
    std::printf("%zu chunks kept, %.0f bytes of memory each (three orders)\n", chunks,
                static_cast<double>(memory) / static_cast<double>(chunks));
    std::printf(
        "a request of %zu to %zu chunks that evicts %zu, in all three orders: p50 %.1f us, p99 %.1f us, mean of CPU "
        "time %.1f us\n",
        shared + step, shared + turns * step, step, micros[micros.size() / 2], micros[micros.size() * 99 / 100],
        seconds * 1e6 / static_cast<double>(micros.size()));
    std::printf("%.2f us for each chunk admitted or evicted\n", seconds * 1e6 / static_cast<double>(3 * 2 * decided));
}
