#include "shell/sys/hardware.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lc::sys {
namespace {

namespace fs = std::filesystem;

struct Root {
    std::string path;
    Root() {
        char name[] = "/tmp/lc-hardware-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Root() { fs::remove_all(path); }
    void put(const std::string& name, const std::string& text) const {
        fs::create_directories(fs::path(path + name).parent_path());
        std::ofstream(path + name) << text;
    }
};

TEST(Hardware, Processor) {
    const Root root;
    EXPECT_TRUE(cpu_flags(root.path).empty());
    root.put("/proc/cpuinfo",
             "processor\t: 0\nmodel name\t: Some CPU 3000\nflags\t\t: fpu avx2 f16c\n\nprocessor : 1\nflags : other\n");
    EXPECT_EQ(cpu_flags(root.path), (std::vector<std::string>{"fpu", "avx2", "f16c"}));
    EXPECT_EQ(cpu_name(root.path), "Some CPU 3000");
}

TEST(Hardware, Cards) {
    const Root root;
    EXPECT_TRUE(cards(root.path).empty());
    root.put("/proc/driver/nvidia/gpus/0000:01:00.0/information",
             "Model: \t\t NVIDIA X1\nIRQ: 1\nDevice Minor: \t 3\n");
    root.put("/dev/nvidia3", "");
    root.put("/sys/class/drm/card1/device/vendor", "0x1002\n");
    root.put("/sys/class/drm/card1/device/mem_info_vram_total", "1000\n");
    root.put("/sys/class/drm/card1/device/mem_info_vram_used", "300\n");
    root.put("/sys/class/drm/card1/device/drm/renderD128/dev", "1");
    root.put("/sys/class/drm/card1-HDMI-A-1/status", "connected");
    root.put("/sys/class/drm/card2/device/vendor", "0x1234\n");
    root.put("/sys/class/drm/card3/device/vendor", "0x8086\n");
    const auto all = cards(root.path);
    ASSERT_EQ(all.size(), 2U) << "card2 is of a virtual machine, card3 cannot compute";
    EXPECT_EQ(all[0].name, "NVIDIA X1");
    EXPECT_EQ(all[0].kind, "cuda");
    EXPECT_TRUE(all[0].can_open);
    EXPECT_EQ(all[1].kind, "vulkan");
    EXPECT_FALSE(all[1].can_open) << "there is no /dev/dri/renderD128";
    EXPECT_EQ(all[1].memory_free, 700);
    root.put("/dev/kfd", "");
    EXPECT_EQ(cards(root.path)[1].kind, "hip");
}

}  // namespace
}  // namespace lc::sys
