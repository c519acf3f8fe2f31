// What is said while a download runs. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace lc::hub {

enum class Stage : std::uint8_t {
    listing,   ///< asking the hub what there is
    waiting,   ///< another process loads the same file
    checking,  ///< computing the SHA-256 of what is there
    downloading,
    retrying,  ///< a pause after a fault; `note` says which and how long
    done,      ///< all files are there
};

struct Progress {
    Stage stage = Stage::listing;
    std::string file;                             ///< path in the repository; empty: no file in particular
    int index = 0, count = 0;                     ///< this file of so many, from 1
    std::int64_t bytes = 0, total = 0;            ///< of all files, those already there included
    std::int64_t file_bytes = 0, file_total = 0;  ///< of this file (of what is to be checked, when checking)
    double bytes_per_s = 0;                       ///< over the last seconds; 0: not known yet
    double eta_s = -1;                            ///< for all files; below 0: not known yet
    std::string note;
};

/// Speed over the last seconds, not over the whole run: a stall shows.
struct Speed {
    std::deque<std::pair<double, std::int64_t>> samples;  ///< seconds, bytes
};
void note_bytes(Speed& speed, double now_s, std::int64_t bytes);
[[nodiscard]] double bytes_per_second(const Speed& speed);  ///< 0: not known yet

[[nodiscard]] std::string human_bytes(std::int64_t bytes);  ///< "999 B", "1.2 kB", "4.7 GB": powers of 1000
[[nodiscard]] std::string human_seconds(double seconds);    ///< "8 s", "3 min 5 s", "2 h 10 min"

/// One line of at most `width` characters for a terminal that rewrites it.
[[nodiscard]] std::string terminal_line(const Progress& progress, int width);

/// One line for a log.
[[nodiscard]] std::string plain_line(const Progress& progress);

}  // namespace lc::hub
