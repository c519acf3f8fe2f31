// TLS both ways, with certificates made here.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/ssl/host_name_verification.hpp>

#include "support.hpp"

namespace lc::net::test {
namespace {

struct Key {
    EVP_PKEY* pkey = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    ~Key() { EVP_PKEY_free(pkey); }
};

/// A certificate for `names` ("DNS:localhost,IP:127.0.0.1"), signed by `issuer` (null: by itself, as an authority).
X509* certificate(const char* subject, const char* names, Key& key, X509* issuer, Key& issuer_key, long valid_from = -3600,
                  long valid_to = 3600) {
    X509* x = X509_new();
    X509_set_version(x, 2);
    static long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), valid_from);
    X509_gmtime_adj(X509_getm_notAfter(x), valid_to);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(subject), -1,
                               -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer != nullptr ? issuer : x));
    X509_set_pubkey(x, key.pkey);
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer != nullptr ? issuer : x, x, nullptr, nullptr, 0);
    const auto extend = [&](int nid, const char* value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
    if (names != nullptr) extend(NID_subject_alt_name, names);
    X509_sign(x, issuer_key.pkey, EVP_sha256());
    return x;
}

/// Files: ca.pem, other-ca.pem, and name.pem/name.key for each kind of server certificate.
struct Certificates {
    Certificates() {
        X509* ca = certificate("Test CA", nullptr, ca_key, nullptr, ca_key);
        write_certificate("ca.pem", ca);
        X509* other = certificate("Other CA", nullptr, other_key, nullptr, other_key);
        write_certificate("other-ca.pem", other);
        make("good", certificate("localhost", "DNS:localhost,IP:127.0.0.1", key, ca, ca_key));
        make("other-name", certificate("example.org", "DNS:example.org", key, ca, ca_key));
        make("expired", certificate("localhost", "DNS:localhost,IP:127.0.0.1", key, ca, ca_key, -7200, -3600));
        make("self-signed", certificate("localhost", "DNS:localhost,IP:127.0.0.1", key, nullptr, key));
        X509_free(ca);
        X509_free(other);
    }
    void make(const std::string& name, X509* x) {
        write_certificate(name + ".pem", x);
        X509_free(x);
        FILE* f = std::fopen(dir.path(name + ".key").c_str(), "w");
        PEM_write_PrivateKey(f, key.pkey, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(f);
    }
    void write_certificate(const std::string& name, X509* x) {
        FILE* f = std::fopen(dir.path(name).c_str(), "w");
        PEM_write_X509(f, x);
        std::fclose(f);
    }
    [[nodiscard]] Listen listen(const std::string& name) const {
        Listen l;
        l.tls_certificate = dir.path(name + ".pem");
        l.tls_key = dir.path(name + ".key");
        return l;
    }
    TempDir dir;
    Key ca_key, other_key, key;
};

const Certificates& certificates() {
    static const Certificates all;
    return all;
}

awaitable<void> tls_echo(Exchange& x) {
    const std::string target = request(x).target;
    EXPECT_TRUE(request(x).over_tls);
    if (target == "/stream" || target == "/abort") {
        co_await start(x, event_stream());
        for (int i = 0; i < 300; ++i) co_await send(x, std::string(10'000, static_cast<char>('a' + i % 26)));
        if (target == "/abort") co_return co_await net::abort(x);
        co_await finish(x);
    } else if (target == "/old") {
        request(x).version = 10;  // until close
        co_await start(x, event_stream());
        co_await send(x, "everything");
        co_await finish(x);
    } else {
        co_await respond(x, answer(200, std::move(request(x).body)));
    }
}

struct TlsClient {
    TlsClient() {
        loop.call([&] { pool = make_pool(loop.io.get_executor()); });
    }
    ~TlsClient() {
        loop.call([&] { pool.reset(); });
    }
    Result<Fetched> get(const std::string& url, const std::string& ca, std::string target = "/", std::string body = "") {
        Request request;
        request.method = "POST";
        request.target = std::move(target);
        request.body = std::move(body);
        Target to = *parse_url(url);
        to.ca_file = ca;
        return loop.run(fetch(*pool, std::move(to), {}, std::move(request)));
    }
    Loop loop;
    PoolPtr pool;
};

TEST(Tls, ThereAndBack) {
    TestServer server(tls_echo, {}, {certificates().listen("good")});
    EXPECT_EQ(server.address().substr(0, 18), "https://127.0.0.1:");
    const std::string ca = certificates().dir.path("ca.pem");
    TlsClient client;
    std::string large(5u << 20, 'x');
    for (std::size_t i = 0; i < large.size(); i += 31) large[i] = static_cast<char>('a' + i % 26);
    for (const std::string& url : {server.address(), "https://localhost:" + std::to_string(server.port())}) {
        SCOPED_TRACE(url);
        for (const std::string& body : {std::string("hello"), large, std::string()}) {
            const Result<Fetched> got = client.get(url, ca, "/", body);
            ASSERT_TRUE(got) << got.error().detail;
            EXPECT_TRUE(got->body == body);
        }
        const Result<Fetched> streamed = client.get(url, ca, "/stream");
        ASSERT_TRUE(streamed) << streamed.error().detail;
        EXPECT_EQ(streamed->body.size(), 3'000'000u);
        EXPECT_EQ(server.connections(), url == server.address() ? 1u : 2u) << "kept";
    }
    const Result<Fetched> until_close = client.get(server.address(), ca, "/old");
    ASSERT_TRUE(until_close) << until_close.error().detail;
    EXPECT_EQ(until_close->body, "everything");
}

TEST(Tls, AStreamThatIsAbortedIsNotClean) {
    TestServer server(tls_echo, {}, {certificates().listen("good")});
    TlsClient client;
    const Result<Fetched> got = client.get(server.address(), certificates().dir.path("ca.pem"), "/abort");
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::upstream_error);
    EXPECT_NE(got.error().detail.find("in mid-answer"), std::string::npos) << got.error().detail;
}

TEST(Tls, CertificatesAreVerified) {
    const struct { const char* name; const char* certificate; const char* ca; const char* says; } cases[] = {
        {"other authority", "good", "other-ca.pem", "not trusted"},
        {"the system's authorities", "good", "", "not trusted"},
        {"other name", "other-name", "ca.pem", "for another name"},
        {"expired", "expired", "ca.pem", "expired"},
        {"self-signed", "self-signed", "ca.pem", "not trusted"},
        {"CA file missing", "good", "missing.pem", "missing.pem"},
    };
    for (const auto& c : cases) {
        for (const char* host : {"127.0.0.1", "localhost"}) {
            SCOPED_TRACE(c.name + std::string(" at ") + host);
            TestServer server(tls_echo, {}, {certificates().listen(c.certificate)});
            TlsClient client;
            const std::string ca = *c.ca == '\0' ? "" : certificates().dir.path(c.ca);
            const Result<Fetched> got = client.get("https://" + std::string(host) + ":" + std::to_string(server.port()), ca);
            ASSERT_FALSE(got);
            EXPECT_EQ(got.error().code, Errc::upstream_error);
            EXPECT_NE(got.error().detail.find(c.says), std::string::npos) << got.error().detail;
        }
    }
}

TEST(Tls, AServerThatDoesNotSpeakIt) {
    TestServer server(echo);
    TlsClient client;
    const Result<Fetched> got = client.get("https://127.0.0.1:" + std::to_string(server.port()), "");
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().detail.find("does not speak TLS"), std::string::npos) << got.error().detail;
}

TEST(Tls, ListenFaults) {
    asio::io_context io;
    Listen mixed = certificates().listen("good");
    mixed.tls_key = certificates().dir.path("missing.key");
    Listen half;
    half.tls_certificate = certificates().dir.path("good.pem");
    Listen foreign = certificates().listen("good");
    const std::string other = certificates().dir.path("foreign.key");
    const Key key;
    FILE* f = std::fopen(other.c_str(), "w");
    PEM_write_PrivateKey(f, key.pkey, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(f);
    foreign.tls_key = other;
    for (const auto& [listen, says] : {std::pair{mixed, "missing.key"}, std::pair{half, "both"}, std::pair{foreign, "foreign.key"}}) {
        const auto server = serve(io.get_executor(), {listen}, {});
        ASSERT_FALSE(server);
        EXPECT_EQ(server.error().code, Errc::bad_request);
        EXPECT_NE(server.error().detail.find(says), std::string::npos) << server.error().detail;
    }
}

/// A blocking TLS client of OpenSSL's own, to see what is on the wire.
struct RawTls {
    explicit RawTls(std::uint16_t port) : raw(port) {
        SSL_set_fd(ssl, raw.fd());
        EXPECT_EQ(SSL_connect(ssl), 1);
    }
    ~RawTls() {
        SSL_free(ssl);
        SSL_CTX_free(context);
    }
    void send(const std::string& text) { EXPECT_GT(SSL_write(ssl, text.data(), static_cast<int>(text.size())), 0); }
    /// Until the end; the last error tells whether it came with a close_notify.
    std::string read_all(int& error) {
        std::string got;
        char bytes[16384];
        int n = 0;
        while ((n = SSL_read(ssl, bytes, sizeof bytes)) > 0) got.append(bytes, static_cast<std::size_t>(n));
        error = SSL_get_error(ssl, n);
        return got;
    }
    Raw raw;
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL* ssl = SSL_new(context);
};

TEST(Tls, CloseNotifyOnlyAtACleanEnd) {
    TestServer server(tls_echo, {}, {certificates().listen("good")});
    for (const auto& [path, want] : {std::pair{"/stream", SSL_ERROR_ZERO_RETURN}, std::pair{"/abort", SSL_ERROR_SSL}}) {
        SCOPED_TRACE(path);
        RawTls client(server.port());
        client.send(get_request(path, "Connection: close\r\n"));
        int error = 0;
        const std::string got = client.read_all(error);
        EXPECT_EQ(error, want);
        EXPECT_GT(got.size(), 3'000'000u);
        EXPECT_EQ(got.ends_with("\r\n0\r\n\r\n"), want == SSL_ERROR_ZERO_RETURN);
    }
    EXPECT_TRUE(eventually([&] { return server.connections() == 0; }, 4s));
}

awaitable<void> wait_for_gone(std::atomic<int>& gone_after_ms, std::atomic<bool>& begun, Exchange& x) {
    std::atomic<bool> left{false};
    const auto begin = Clock::now();
    on_gone(x, [&] { left = true; });
    begun = true;
    while (!left) {
        asio::steady_timer timer(co_await asio::this_coro::executor, 2ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    gone_after_ms = static_cast<int>((Clock::now() - begin) / 1ms);
}

TEST(Tls, CloseNotifyCountsAsGone) {
    for (const bool notify : {true, false}) {
        SCOPED_TRACE(notify);
        std::atomic<int> gone_after_ms{-1};
        std::atomic<bool> begun{false};
        TestServer server([&](Exchange& x) { return wait_for_gone(gone_after_ms, begun, x); }, {}, {certificates().listen("good")});
        RawTls client(server.port());
        client.send(get_request("/"));
        ASSERT_TRUE(eventually([&] { return begun.load(); }));
        if (notify) {
            SSL_shutdown(client.ssl);
        } else {
            client.raw.close();
        }
        EXPECT_TRUE(eventually([&] { return gone_after_ms >= 0; }, 100ms));
    }
}

TEST(Tls, AHandshakeThatNeverEndsIsEnded) {
    TestServer server(tls_echo, {.request_time = 300ms}, {certificates().listen("good")});
    Raw client(server.port());
    client.send("\x16\x03\x01");
    client.read_all(2s);
    EXPECT_TRUE(client.closed());
}

TEST(Tls, RefusedUploadCanReadItsAnswer) {
    TestServer server(tls_echo, {.max_body_bytes = 1000}, {certificates().listen("good")});
    TlsClient client;
    const Result<Fetched> got = client.get(server.address(), certificates().dir.path("ca.pem"), "/", std::string(3u << 20, 'x'));
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(got->status, 413);
}

}  // namespace
}  // namespace lc::net::test
