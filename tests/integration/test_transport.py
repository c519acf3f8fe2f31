"""How clients may reach the gateway: keep-alive, pipelining, IPv6, Unix socket, TLS."""
import json
import os
import socket
import ssl
import stat

import pytest

from support import http
from support.gateway import Gateway, backend_config


def chat_bytes(text, **more):
    return http.request_bytes("POST", "/v1/chat/completions", json.dumps(
        {"messages": [{"role": "user", "content": text}], **more}).encode())


def test_pipelined_requests_are_answered_in_order(gateway, backend):
    with gateway.connect() as c:
        c.send(b"".join(chat_bytes(f"n{i}", stream=i % 2 == 0, fake="slow:0.1" if i == 0 else "normal") for i in range(8)))
        answers = [c.answer() for _ in range(8)]
    assert [a.status for a in answers] == [200] * 8
    assert [a.header("content-type").startswith("text/event-stream") for a in answers] == [i % 2 == 0 for i in range(8)]
    assert [r.json["messages"][0]["content"] for r in backend.requests] == [f"n{i}" for i in range(8)]


def test_a_request_in_single_bytes(gateway):
    with gateway.connect() as c:
        for byte in chat_bytes("slowly"):
            c.send(bytes([byte]))
        assert c.answer().status == 200


def test_connection_close_is_honoured(gateway):
    with gateway.connect() as c:
        c.send(http.request_bytes("GET", "/health", None, [("Connection", "close")]))
        answer = c.answer()
        assert answer.status == 200 and (answer.header("connection") or "").lower() == "close"
        assert not c.more()


def test_ipv6(backend, make_gateway):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.fail(f"this machine has no IPv6 loopback, so IPv6 cannot be tested: {error}")
    gateway = make_gateway('[server]\nhost = "::1"\n' + backend_config(backend), start=False)
    gateway.healthy = lambda: http.fetch(("::1", gateway.port), "GET", "/health", None, [("Host", f"[::1]:{gateway.port}")], 5).status == 200
    gateway.start()
    answer = http.fetch(("::1", gateway.port), "GET", "/v1/models", None, [("Host", f"[::1]:{gateway.port}")])
    assert answer.status == 200


def test_unix_socket_of_clients(backend, make_gateway):
    gateway = make_gateway(start=False)
    path = str(gateway.home / "c.sock")
    gateway.config_path = gateway.home / "config.toml"
    gateway.config_path.write_text(f'[server]\nunix_socket = "{path}"\n' + backend_config(backend))
    gateway.start()
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, "nobody else's business"
    answer = http.fetch(path, "POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "stream": True})
    assert answer.done and answer.clean
    gateway.stop()
    assert not os.path.exists(path)
    gateway.start()  # and a socket that a killed gateway left is no obstacle
    gateway.kill()
    assert os.path.exists(path)
    gateway.start()
    assert http.fetch(path, "GET", "/health").status == 200


def test_tls_for_clients(backend, ca, make_gateway):
    _, authority, certificate, key = ca
    gateway = make_gateway(f'[server.tls]\ncertificate = "{certificate}"\nkey = "{key}"\n' + backend_config(backend), start=False)
    tls = ssl.create_default_context(cafile=str(authority))
    gateway.healthy = lambda: http.fetch(gateway.address, "GET", "/health", timeout=5, tls=tls).status == 200
    gateway.start()
    answer = http.fetch(gateway.address, "POST", "/v1/chat/completions",
                        {"messages": [{"role": "user", "content": "Hi"}], "stream": True}, tls=tls)
    assert answer.done and answer.text == "Hello from the scripted backend."
    with gateway.connect(timeout=10) as plain:
        try:
            plain.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert plain.answer().status == 400
        except OSError:
            pass
    assert http.fetch(gateway.address, "GET", "/health", tls=tls).status == 200


def test_the_port_is_taken(gateway):
    second = Gateway("", args=["--upstream", "http://127.0.0.1:9/v1"], port=gateway.port, start=False)
    second.launch()
    assert second.process.wait(180) != 0
    assert str(gateway.port) in second.log and "taken" in second.log
    second.process = None
    second.close()
