"""Requests that are wrong in every way that a seed can think of: each is answered or cut off, and none harms the gateway."""
import collections
import json
import random
import socket
import threading

import pytest

from support.gateway import backend_config, until

TARGETS = ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses", "/upstream/fake-model/chat/completions?x=%ff"]
KEYS = ["model", "messages", "stream", "tools", "tool_choice", "max_tokens", "stream_options", "localcode", "prompt", "input",
        "system", "instructions", "session_id", "n", "logprobs", "temperature", "response_format", "functions"]
VALUES = [None, True, 0, -1, 1e308, 2**70, "", "x", "\ud800", [], {}, [[]], [{}], {"a": {}}, [None], "a" * 5000,
          [{"role": "user", "content": [{"type": "text"}]}], [{"role": "assistant", "tool_calls": [{"id": 7}]}], [{"role": "tool"}],
          {"type": "function", "function": {"name": "read"}},
          [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "#/a"}}}]]


def spoil(rng, data, end):
    data = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        data[rng.randrange(max(1, end))] = rng.randrange(256)
    return bytes(data)


def make_body(rng):
    value = {"model": "fake-model", "messages": [{"role": "user", "content": "hi"}], "prompt": "x", "input": "x", "max_tokens": 5}
    for _ in range(rng.randint(1, 4)):
        value[rng.choice(KEYS)] = rng.choice(VALUES)
    if rng.random() < 0.3:
        value["localcode"] = {rng.choice(["session", "kind", "cache", "deadline_ms", "nope"]): rng.choice(VALUES)}
    if rng.random() < 0.3:
        value["stream"] = True
    body = json.dumps(value).encode()
    kind = rng.random()
    if kind < 0.2:
        return spoil(rng, body, len(body))
    if kind < 0.25:
        return body[:rng.randrange(len(body))]
    return b"[" * 5000 + body if kind < 0.28 else body


def make_request(rng):
    body = make_body(rng)
    request = (f"POST {rng.choice(TARGETS)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    kind = rng.random()
    if kind < 0.15:
        return spoil(rng, request, request.find(b"\r\n\r\n"))
    if kind < 0.20:
        return request.replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nContent-Length", 1)
    if kind < 0.25:
        return request.replace(b"Host:", b"X: " + b"y" * rng.choice([100, 70000]) + b"\r\nHost:", 1)
    if kind < 0.30:
        return request.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1)
    return request + make_request(rng) if kind < 0.33 else request


def send(address, request, rng, seen):
    """What came of it; a client that leaves at once, or half of it, is one of the cases."""
    with socket.create_connection(address, timeout=60) as s:
        try:
            s.sendall(request)
            how = rng.random()
            if how < 0.2:
                seen["left"] += 1
                return
            if how < 0.3:
                s.shutdown(socket.SHUT_WR)
            answer = b""
            while len(answer) < 12 and (data := s.recv(65536)):
                answer += data
            seen[answer[9:12].decode("latin-1") if answer else "cut off"] += 1
        except ConnectionError:
            seen["cut off"] += 1


@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_malformed_requests(backend, make_gateway, seed):
    gateway = make_gateway("[server.limits]\nrequest_time_ms = 2000\n" + backend_config(backend))
    seen = collections.Counter()

    def worker(number):
        rng = random.Random(seed * 100 + number)
        for _ in range(250):
            send(gateway.address, make_request(rng), rng, seen)
    workers = [threading.Thread(target=worker, args=(n,)) for n in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert sum(seen.values()) == 1000
    assert seen["400"] > 100 and seen["200"] > 50, seen
    assert not seen["500"], "a fault of ours"
    assert set(seen) <= {"200", "400", "403", "404", "405", "408", "413", "415", "431", "501", "502", "505", "left", "cut off"}, seen
    assert gateway.chat(model="fake-model").status == 200
    until(lambda: json.loads(gateway.run("status", "--port", str(gateway.port), "--json").stdout)["streams_open"] == 0,
          message="streams of clients that left are still open")
    assert "internal error" not in gateway.log
    backend.errors.clear()  # the scripts met the same nonsense
