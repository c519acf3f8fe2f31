#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>

#include "shell/net/stream.hpp"

namespace lc::net {
namespace {

using Context = asio::ssl::context;

constexpr unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

void set_common(Context& context) {
    SSL_CTX* native = context.native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // 34 kB less per idle connection
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* length, const unsigned char* in, unsigned size, void*) {
    unsigned char* found = nullptr;
    if (SSL_select_next_proto(&found, length, http_1_1, sizeof http_1_1, in, size) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::shared_ptr<Context>> server_context(const std::string& certificate, const std::string& key) {
    auto context = std::make_shared<Context>(Context::tls_server);
    set_common(*context);
    error_code ec;
    context->use_certificate_chain_file(certificate, ec);
    if (ec) return fail(Errc::bad_request, "the TLS certificate " + certificate + " cannot be used: " + ec.message());
    context->use_private_key_file(key, Context::pem, ec);
    if (ec) return fail(Errc::bad_request, "the TLS key " + key + " cannot be used: " + ec.message());
    if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
        ERR_clear_error();
        return fail(Errc::bad_request, "the TLS key " + key + " does not belong to the certificate " + certificate);
    }
    SSL_CTX_set_alpn_select_cb(context->native_handle(), select_protocol, nullptr);
    return context;
}

Result<std::shared_ptr<Context>> client_context(const std::string& ca_file) {
    auto context = std::make_shared<Context>(Context::tls_client);
    set_common(*context);
    context->set_verify_mode(asio::ssl::verify_peer);
    SSL_CTX_set_alpn_protos(context->native_handle(), http_1_1, sizeof http_1_1);
    error_code ec;
    if (ca_file.empty()) {
        context->set_default_verify_paths(ec);
        if (ec) return fail(Errc::upstream_error, "the system's certificate authorities cannot be read: " + ec.message());
    } else {
        context->load_verify_file(ca_file, ec);
        if (ec) return fail(Errc::upstream_error, "the CA file " + ca_file + " cannot be used: " + ec.message());
    }
    return context;
}

void start_client_tls(Stream& stream, Context& context, const std::string& host) {
    stream.tls = std::make_unique<Tls>(stream.socket, context);
    SSL* ssl = stream.tls->native_handle();
    error_code ec;
    asio::ip::make_address(host, ec);
    if (!ec) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
    } else {
        SSL_set_tlsext_host_name(ssl, host.c_str());
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(ssl, host.c_str());
    }
}

std::string handshake_fault(Stream& stream, const error_code& ec) {
    const long verdict = SSL_get_verify_result(stream.tls->native_handle());
    switch (verdict) {
        case X509_V_OK: break;
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: return "its certificate is for another name";
        case X509_V_ERR_CERT_HAS_EXPIRED: return "its certificate has expired";
        case X509_V_ERR_CERT_NOT_YET_VALID: return "its certificate is not valid yet (is the clock right?)";
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "its certificate is signed by an authority that is not trusted here (a CA file of your own can be configured)";
        default: return std::string("its certificate was refused: ") + X509_verify_cert_error_string(verdict);
    }
    if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated || ec == asio::error::connection_reset) {
        return "it closed the connection during the handshake";
    }
    if (ec.category() == asio::error::get_ssl_category() && ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == SSL_R_WRONG_VERSION_NUMBER) {
        return "it does not speak TLS on that port";
    }
    return ec.message();
}

}  // namespace lc::net
