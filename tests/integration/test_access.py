"""Who may ask: API keys, Host and Origin (DNS rebinding), CORS, listening beyond loopback."""
import pytest

from support import http
from support.gateway import Gateway, backend_config, free_port

KEYS = '[[auth.keys]]\nname = "alice"\nkey = "key-of-alice"\n[[auth.keys]]\nname = "bob"\nkey = "env:BOBS_KEY"\n'


@pytest.fixture
def guarded(backend, make_gateway):
    return make_gateway(KEYS + backend_config(backend), env={"BOBS_KEY": "key-of-bob"})


@pytest.mark.parametrize("header", [("Authorization", "Bearer key-of-alice"), ("Authorization", "Bearer key-of-bob"),
                                    ("authorization", "bearer key-of-alice"), ("x-api-key", "key-of-bob"), ("api-key", "key-of-alice")])
def test_good_keys(guarded, header):
    assert guarded.chat(headers=[header]).status == 200


@pytest.mark.parametrize("header", [None, ("Authorization", "Bearer nonsense"), ("Authorization", "key-of-alice"),
                                    ("Authorization", "Bearer "), ("Authorization", "Basic a2V5"), ("x-api-key", "key-of-alic"),
                                    ("x-api-key", "key-of-alicee"), ("Authorization", "Bearer env:BOBS_KEY")])
def test_bad_keys(guarded, backend, header):
    answer = guarded.chat(headers=[header] if header else [])
    assert answer.status == 401
    assert answer.error["message"]
    assert not backend.requests


def test_health_needs_no_key_but_the_rest_does(guarded):
    assert guarded.get("/health").status == 200
    assert guarded.get("/v1/health").status == 200
    for target in ("/v1/models", "/metrics", "/props", "/slots", "/upstream/fake-model/health", "/localcode/v1/status"):
        assert guarded.get(target).status in (401, 403, 404), target
        assert guarded.get(target).status == 401 or target.startswith("/localcode")


def test_keys_appear_nowhere(guarded):
    guarded.chat(headers=[("Authorization", "Bearer key-of-alice")])
    guarded.chat(headers=[("Authorization", "Bearer wrong-key-12345678")])
    guarded.wait_request()
    everything = guarded.log + str(guarded.requests()) + guarded.run("config", "show", "--config", str(guarded.config_path)).stdout
    for secret in ("key-of-alice", "key-of-bob", "wrong-key-12345678"):
        assert secret not in everything


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LOCALHOST"])
def test_good_hosts(gateway, host):
    assert gateway.get("/v1/models", [("Host", host.format(port=gateway.port))]).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.7", ""])
def test_foreign_hosts_are_refused(gateway, backend, host):
    answer = gateway.chat(headers=[("Host", host.format(port=gateway.port))])
    assert answer.status in (400, 403, 421)
    assert not backend.requests


def test_a_missing_host_is_refused(gateway):
    with gateway.connect() as c:
        c.send(b"GET /v1/models HTTP/1.1\r\n\r\n")
        assert c.answer().status in (400, 403, 421)


def test_allowed_hosts(backend, make_gateway):
    gateway = make_gateway('[server]\nallowed_hosts = ["box.example"]\n' + backend_config(backend))
    assert gateway.get("/v1/models", [("Host", "box.example:4242")]).status == 200
    assert gateway.get("/v1/models", [("Host", "other.example")]).status in (400, 403, 421)


def test_cors_is_off(gateway, backend):
    for origin in ("https://evil.example", "http://localhost:3000", "null"):
        answer = gateway.chat(headers=[("Origin", origin)])
        assert answer.status == 403, origin
        assert answer.header("access-control-allow-origin") is None
    assert not backend.requests
    assert gateway.chat(headers=[("Origin", f"http://127.0.0.1:{gateway.port}"), ("Host", f"127.0.0.1:{gateway.port}")]).status == 200


def test_configured_origins(backend, make_gateway):
    gateway = make_gateway('[server]\ncors_origins = ["https://app.example"]\n' + backend_config(backend))
    preflight = http.fetch(gateway.address, "OPTIONS", "/v1/chat/completions", None, [
        ("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type, authorization")])
    assert preflight.status in (200, 204)
    assert preflight.header("access-control-allow-origin") == "https://app.example"
    assert "POST" in preflight.header("access-control-allow-methods")
    answer = gateway.chat(stream=True, headers=[("Origin", "https://app.example")])
    assert answer.status == 200 and answer.header("access-control-allow-origin") == "https://app.example"
    assert gateway.chat(headers=[("Origin", "https://evil.example")]).status == 403


def test_listening_beyond_loopback_needs_a_key(backend):
    gateway = Gateway(backend_config(backend), args=["--host", "0.0.0.0"], start=False, port=free_port())
    gateway.launch()
    assert gateway.process.wait(180) != 0
    assert "key" in gateway.log
    gateway.process = None
    gateway.close()


def test_listening_beyond_loopback_with_a_key(backend, make_gateway):
    gateway = make_gateway('[server]\nhost = "0.0.0.0"\n' + KEYS + backend_config(backend), env={"BOBS_KEY": "key-of-bob"})
    assert gateway.chat().status == 401
    assert gateway.chat(headers=[("x-api-key", "key-of-bob")]).status == 200


def test_the_admin_api_is_closed_on_tcp_without_its_key(backend, make_gateway):
    plain = make_gateway(backend_config(backend))
    assert plain.get("/localcode/v1/status").status in (401, 403, 404)
    assert plain.post("/localcode/v1/shutdown", {}).status in (401, 403, 404)
    assert plain.healthy()
    gateway = make_gateway('[auth]\nadmin_key = "key-of-the-admin"\n' + backend_config(backend))
    assert gateway.get("/localcode/v1/status").status in (401, 403)
    answer = gateway.get("/localcode/v1/status", [("Authorization", "Bearer key-of-the-admin")])
    assert answer.status == 200 and answer.json["pid"] == gateway.process.pid
