// What `doctor` and `recommend` ask of this machine beyond files: programs that know.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/doctor/doctor.hpp"
#include "shell/sys/hardware.hpp"

namespace lc::commands {

/// The cards; memory of NVIDIA's is asked of nvidia-smi, where it is installed.
[[nodiscard]] std::vector<sys::Card> survey_cards();

/// Runs the engine with --version and --list-devices.
[[nodiscard]] doctor::Engine survey_engine(const std::string& configured);

/// Pure. The devices of `--list-devices`, and in `free_bytes` what is free on all of them.
[[nodiscard]] std::vector<std::string> devices_of(std::string_view output, std::int64_t& free_bytes);

/// Free memory of the devices that the engine listed.
[[nodiscard]] std::int64_t free_on(const std::vector<std::string>& devices);

}  // namespace lc::commands
