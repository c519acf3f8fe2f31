#include "state/files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace kv = lc::kv;

namespace {
/// A folder with one snapshot of two sections.
struct OneSnapshot {
    std::string dir = (std::filesystem::temp_directory_path() / ("lc-files-" + std::to_string(::getpid()))).string();
    std::string big = std::string(100000, 'x');
    kv::Snapshot snapshot;
    lc::Digest name{};

    OneSnapshot() {
        for (std::size_t i = 0; i < big.size(); ++i) {
            big[i] = static_cast<char>(i * 7 + i / 256);
        }
        snapshot.prefix[0] = 1;
        snapshot.n_tokens = 3;
        snapshot.sections = {{"meta", 8, kv::checksum("12345678")}, {"tgt", big.size(), kv::checksum(big)}};
        name = kv::snapshot_name(snapshot);
        write("12345678" + big);
    }
    ~OneSnapshot() { std::filesystem::remove_all(dir); }
    OneSnapshot(const OneSnapshot&) = delete;
    OneSnapshot& operator=(const OneSnapshot&) = delete;

    void write(const std::string& payload) const {
        const auto path = blob_path(dir, kv::BlobKind::snapshot, name);
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path, std::ios::binary) << *kv::encode_snapshot_header(snapshot) << payload;
    }
    Opened<kv::ParsedSnapshot> open() const { return open_snapshot(dir, {}, name); }
};

TEST(SectionReader, ReadsInPiecesOfAnySize) {
    const OneSnapshot one;
    const auto file = one.open();
    ASSERT_TRUE(file.file);
    EXPECT_FALSE(SectionReader::open(file, "dft"));
    for (const std::size_t step : {1, 3, 4095, 16384, 16385, 70000, 100000}) {
        auto reader = SectionReader::open(file, "tgt");
        std::string got;
        while (reader->left() > 0) {
            // Small pieces between large ones.
            std::string piece(std::min<std::size_t>(got.size() % 2 == 0 ? step : 5, reader->left()), '\0');
            ASSERT_TRUE(reader->read(piece.data(), piece.size()));
            got += piece;
        }
        EXPECT_EQ(got, one.big) << step;
        EXPECT_FALSE(reader->fault()) << step;
        char more = 0;
        EXPECT_FALSE(reader->read(&more, 1));
        EXPECT_FALSE(reader->fault()) << "asking for more than there is changes nothing";
    }
}

TEST(SectionReader, SaysWhatIsWrong) {
    const OneSnapshot one;
    auto spoilt = one.big;
    spoilt[60000] ^= 1;
    one.write("12345678" + spoilt);
    const auto file = one.open();
    std::optional<BlobFault> fault;
    EXPECT_TRUE(read_section(file, "meta", fault));
    EXPECT_FALSE(fault);
    EXPECT_FALSE(read_section(file, "tgt", fault));
    ASSERT_TRUE(fault);
    EXPECT_TRUE(fault->quarantine);
    auto reader = SectionReader::open(file, "tgt");
    EXPECT_TRUE(reader->fault()) << "not read to its end";
    reader->skip();
    EXPECT_STREQ(reader->fault()->reason, "damaged");
    // Cut while it is open.
    auto cut = SectionReader::open(file, "tgt");
    std::filesystem::resize_file(blob_path(one.dir, kv::BlobKind::snapshot, one.name), 50000);
    cut->skip();
    EXPECT_STREQ(cut->fault()->reason, "unreadable");
}
}  // namespace
