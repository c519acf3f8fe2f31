#include "app/secrets.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "shell/sys/fd.hpp"

namespace lc {

namespace {

constexpr std::size_t max_secret_bytes = 64 << 10;

Result<std::string> from_file(const std::string& path, const Warn& warn) {
    auto text = sys::read_file(path, max_secret_bytes);
    if (!text) return fail(Errc::bad_request, text.error().detail);
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0 && warn) {
        warn("others can read the secret in " + path + "; run: chmod 600 " + path);
    }
    return text->substr(0, text->find_first_of("\r\n"));
}

Result<std::string> checked(std::string value, const std::string& where) {
    if (value.empty()) return fail(Errc::bad_request, where + " is empty");
    // A line break in a key would end the header that carries it.
    const bool printable = std::ranges::all_of(value, [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
    if (!printable) return fail(Errc::bad_request, where + " holds control characters");
    return value;
}

}  // namespace

void warn_on_stderr(std::string_view line) {
    std::cerr << "localcode: warning: " << line << '\n';
}

Result<std::string> resolve_secret(const config::Secret& secret, const Warn& warn) {
    if (secret.spec.starts_with("env:")) {
        const std::string name = secret.spec.substr(4);
        const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
        if (value == nullptr) return fail(Errc::bad_request, "the environment variable " + name + " is not set");
        return checked(value, "the environment variable " + name);
    }
    if (secret.spec.starts_with("file:")) {
        const std::string path = secret.spec.substr(5);
        auto text = from_file(path, warn);
        if (!text) return text;
        return checked(std::move(*text), "the first line of " + path);
    }
    return checked(secret.spec, "the secret");
}

}  // namespace lc
