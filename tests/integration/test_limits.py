"""Bounds on what a client may send and hold."""
import time

import pytest

from support.gateway import backend_config, until

LIMITS = """[server.limits]
max_header_bytes = 8192
max_body_bytes = 100000
max_json_depth = 20
max_connections = 20
request_time_ms = 1500
idle_time_ms = 1500
"""


@pytest.fixture
def bounded(backend, make_gateway):
    return make_gateway(LIMITS + backend_config(backend))


def test_body_size(bounded, backend):
    answer = bounded.chat("x" * 100001)
    assert answer.status == 413
    assert answer.error["message"]
    assert bounded.chat("x" * 90000).status == 200
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (150000, b" " * 150000)
    assert bounded.post("/v1/chat/completions", chunked, [("Transfer-Encoding", "chunked")]).status == 413


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(bounded):
    with bounded.connect() as c:
        c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
        answer = c.answer()
    assert answer.status == 413 and not answer.interim


def test_expect_100(bounded):
    body = b'{"messages":[{"role":"user","content":"x"}]}'
    with bounded.connect() as c:
        c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert c.line(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        c.send(body)
        assert c.answer().status == 200


def test_header_size(bounded):
    assert bounded.get("/health", [("X-Long", "y" * 9000)]).status == 431
    assert bounded.get("/health", [("X-Long", "y" * 5000)]).status == 200


def test_json_depth(bounded, backend):
    def nested(n):
        return b'{"messages":[{"role":"user","content":"x"}],"deep":' + b"[" * n + b"]" * n + b"}"
    assert bounded.post("/v1/chat/completions", nested(10)).status == 200
    answer = bounded.post("/v1/chat/completions", nested(30))
    assert answer.status == 400 and answer.error["message"]


def test_a_request_that_trickles_in_is_ended(bounded):
    with bounded.connect(timeout=60) as c:
        c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        began = time.monotonic()
        status = None
        try:
            for _ in range(600):
                c.sock.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            pass  # closed while we were sending
        try:
            status = c.answer().status
        except OSError:
            pass
        assert status in (408, None)
        assert time.monotonic() - began < 29, "the limit is 1.5 s"


def test_idle_connections_are_closed(bounded):
    with bounded.connect(timeout=60) as silent, bounded.connect(timeout=60) as used:
        used.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert used.answer().status == 200
        while used.more():
            pass
        while silent.more():
            pass


def test_number_of_connections(bounded):
    held = [bounded.connect() for _ in range(20)]
    for c in held:
        c.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        c.answer()
    with bounded.connect() as extra:
        try:
            extra.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert extra.answer().status == 503
        except OSError:
            pass  # closed at once: a bound too
    for c in held:
        c.close()

    def healthy():
        try:
            return bounded.healthy()
        except OSError:
            return False   # it has not seen yet that they are gone
    until(healthy)


@pytest.mark.parametrize("head", [
    b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{}  ",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"nonsense\r\n\r\n",
    b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
])
def test_malformed_requests_are_refused_and_harm_nobody(bounded, head):
    with bounded.connect(timeout=30) as c:
        c.send(head)
        try:
            assert c.answer().status in (400, 403, 408, 413, 421, 501, 505)
        except OSError:
            pass  # closed without an answer
    assert bounded.healthy()
