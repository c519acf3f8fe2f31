#include "base/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdexcept>

namespace lc {

namespace {
EVP_MD_CTX* md(void* ctx) { return static_cast<EVP_MD_CTX*>(ctx); }

// Failing here means that OpenSSL is out of memory or was built without SHA-256: nothing sensible can go on.
void require(int ok) {
    if (ok != 1) throw std::runtime_error("OpenSSL: SHA-256 is not available");
}
}  // namespace

void Sha256::Free::operator()(void* ctx) const { EVP_MD_CTX_free(md(ctx)); }

Sha256::Sha256() : ctx_(EVP_MD_CTX_new()) {
    require(ctx_ != nullptr);
    require(EVP_DigestInit_ex(md(ctx_.get()), EVP_sha256(), nullptr));
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::string_view bytes) {
    require(EVP_DigestUpdate(md(ctx_.get()), bytes.data(), bytes.size()));
    return *this;
}

Digest Sha256::finish() {
    Digest out{};
    require(EVP_DigestFinal_ex(md(ctx_.get()), out.data(), nullptr));
    return out;
}

Digest sha256(std::string_view bytes) { return Sha256().update(bytes).finish(); }

std::string hex(const Digest& digest) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(digest.size() * 2);
    for (const unsigned char byte : digest) {
        out.push_back(digits[byte >> 4]);
        out.push_back(digits[byte & 15]);
    }
    return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace lc
