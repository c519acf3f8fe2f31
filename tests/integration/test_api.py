"""The endpoints that need no engine, and what a request without this or that gets."""
import json

import pytest

from support.gateway import backend_config


def test_health_has_the_documented_form(gateway):
    answer = gateway.get("/health")
    assert answer.status == 200
    assert answer.json["status"] == "ok"
    assert answer.json["provider"] == "LocalCode"
    assert answer.json["model"] == "glm-4.7"
    assert gateway.get("/v1/health").status == 200


def test_version(gateway):
    assert gateway.get("/version").json["version"] in gateway.run("version").stdout


@pytest.mark.parametrize("target", ["/", "/api/hello"])
def test_probes_of_claude_code(gateway, target):
    with gateway.connect() as c:
        c.send(f"HEAD {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert c.answer(has_body=False).status == 200
        c.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")  # no byte of a body was sent before
        assert c.answer().status == 200


def test_models_list_and_single(gateway):
    listed = gateway.get("/v1/models").json
    assert listed["object"] == "list"
    assert [m["id"] for m in listed["data"]] == ["fake-model", "fake-small"]
    assert gateway.get("/v1/models/fake-small").json["id"] == "fake-small"
    missing = gateway.get("/v1/models/nope")
    assert missing.status == 404
    assert missing.error["message"]


def test_upstream_passes_path_query_and_body(gateway, backend):
    answer = gateway.post("/upstream/fake-model/chat/completions?a=b", {"messages": [], "fake": "normal", "model": "fake-model"},
                          [("Content-Type", "application/json; x=y")])
    assert answer.status == 200
    request = backend.requests[-1]
    assert request.target == "/v1/chat/completions?a=b"
    assert dict((k.lower(), v) for k, v in request.headers)["content-type"] == "application/json; x=y"


def test_upstream_keeps_length_and_fields(backend, make_gateway):
    gateway = make_gateway(backend_config(backend, path="/script/fields/v1"))
    for method, body in (("POST", b"0123456789"), ("HEAD", b"")):
        with gateway.connect() as c:
            c.send(f"{method} /upstream/fake-model/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode())
            answer = c.answer(has_body=method != "HEAD")
            assert answer.status == 200 and answer.header("content-length") == "10" and not answer.chunked
            assert answer.body == body and answer.clean
            assert answer.header("etag") == '"abc"' and answer.header("x-ratelimit-remaining") == "7"
            assert answer.header("last-modified") == "Sun, 06 Nov 1994 08:49:37 GMT"
            for name in ("set-cookie", "server", "access-control-allow-origin", "x-localcode-kind", "keep-alive"):
                assert answer.header(name) is None, name
            # The connection goes on.
            c.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert c.answer().status == 200


def test_upstream_passes_a_broken_promise_on(backend, make_gateway):
    gateway = make_gateway(backend_config(backend, path="/script/cut_length/v1"))
    answer = gateway.post("/upstream/fake-model/x", b"")
    assert answer.header("content-length") == "1000" and answer.body == b"only this" and not answer.clean


def test_upstream_sends_the_clients_fields_but_not_its_key(backend, make_gateway):
    gateway = make_gateway('[[auth.keys]]\nname = "a"\nkey = "key-of-a"\n' + backend_config(backend, extra='key = "key-of-backend"'))
    gateway.post("/upstream/fake-model/chat/completions", {"messages": []}, [
        ("Authorization", "Bearer key-of-a"), ("X-Api-Key", "key-of-a"), ("Accept", "text/x"), ("OpenAI-Beta", "b=1"), ("Cookie", "c=d")])
    sent = {k.lower(): v for k, v in backend.requests[-1].headers}
    assert sent["authorization"] == "Bearer key-of-backend"
    assert sent["accept"] == "text/x" and sent["openai-beta"] == "b=1"
    assert "cookie" not in sent and "key-of-a" not in str(sent)


def test_the_query_reaches_the_backend(gateway, backend):
    assert gateway.post("/v1/chat/completions?api-version=7", {"model": "fake-model", "messages": []}).status == 200
    assert backend.requests[-1].target == "/v1/chat/completions?api-version=7"


def test_a_name_that_the_backend_does_not_list_is_unknown(backend, make_gateway):
    gateway = make_gateway(f'[[backend]]\nname = "fake"\nurl = "{backend.url}/v1"\n')
    answer = gateway.chat(model="fake-modle")
    assert answer.status == 404 and "fake-model" in answer.error["message"]


def test_models_of_a_backend_that_lists_them_itself(backend, make_gateway):
    gateway = make_gateway(f'[[backend]]\nname = "fake"\nurl = "{backend.url}/v1"\n')
    assert {m["id"] for m in gateway.get("/v1/models").json["data"]} == {"fake-model", "fake-small"}
    assert gateway.chat(model="fake-small").status == 200


@pytest.mark.parametrize("method,target,status", [
    ("GET", "/nowhere", 404),
    ("POST", "/v1/nothing", 404),
    ("GET", "/v1/chat/completions", 405),
    ("DELETE", "/v1/models", 405),
    ("POST", "/health", 405),
])
def test_wrong_paths_and_methods(gateway, method, target, status):
    with gateway.connect() as c:
        c.send(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode())
        answer = c.answer()
    assert answer.status == status
    assert answer.error["message"]
    if status == 405:
        assert answer.header("allow")


def test_a_request_without_model_gets_the_default(gateway, backend):
    # Nothing configured and no local model: the name that everybody expects, whatever the backend lists.
    answer = gateway.chat()
    assert answer.status == 200
    assert backend.requests[-1].json["model"] == "glm-4.7"
    assert "glm-4.7" in answer.header("x-localcode-route")
    assert gateway.post("/v1/chat/completions", {"model": None, "messages": []}).status in (200, 400)


def test_the_configured_default_model(backend, make_gateway):
    gateway = make_gateway('[server]\nmodel = "fake-small"\n' + backend_config(backend))
    gateway.chat()
    assert backend.requests[-1].json["model"] == "fake-small"
    assert gateway.get("/health").json["model"] == "fake-small"


def test_stream_is_off_unless_asked_for(gateway):
    answer = gateway.chat()
    assert answer.header("content-type").startswith("application/json")
    assert answer.json["choices"][0]["message"]["content"] == "Hello from the scripted backend."
    assert answer.json["usage"]["prompt_tokens_details"]["cached_tokens"] == 5


def test_stream(gateway):
    answer = gateway.chat(stream=True)
    assert answer.header("content-type").startswith("text/event-stream")
    assert answer.clean and answer.chunked and answer.done
    assert answer.text == "Hello from the scripted backend."
    assert answer.events[-1]["usage"]["completion_tokens"] == 6


def test_completions_pass(gateway, backend):
    answer = gateway.post("/v1/completions", {"model": "fake-model", "prompt": "x"})
    assert answer.status == 200
    assert backend.requests[-1].target == "/v1/completions"


def test_unknown_model(gateway, backend):
    answer = gateway.chat(model="no-such-model", stream=True)
    assert answer.status == 404
    assert "no-such-model" in answer.error["message"]
    assert not [r for r in backend.requests if r.method == "POST"]


def test_answers_carry_the_documented_headers(gateway):
    answer = gateway.chat(model="fake-model", headers=[("x-session-id", "ses_1")])
    assert len(answer.header("x-localcode-request-id")) == 36
    assert answer.header("x-localcode-session") == "ses_1"
    assert answer.header("x-localcode-kind")
    model, place, reason = answer.header("x-localcode-route").split(";")
    assert (model, place) == ("fake-model", "fake") and reason
    ids = {gateway.chat().header("x-localcode-request-id") for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b'"x"', b"{", b'{"messages":', b'{"messages":[}', b'{"messages":"hi"}', b'{"messages":[1]}',
    b'{"messages":[],"stream":"yes"}', b'{"model":5,"messages":[]}', b'{"messages":[]} x', b"\xff\xfe{}",
    b'{"messages":[{"role":"user","content":"\xff"}]}', b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
])
def test_bad_bodies_get_a_400_that_says_why(gateway, backend, body):
    answer = gateway.post("/v1/chat/completions", body)
    assert answer.status == 400, answer.body
    assert answer.error["message"]
    assert not backend.requests


def test_the_extension_object_is_ours_alone(gateway, backend):
    assert gateway.chat(localcode={"session": "mine", "priority": 3}).header("x-localcode-session") == "mine"
    assert b"localcode" not in backend.requests[-1].body
    wrong = gateway.chat(localcode={"sesion": "mine"})
    assert wrong.status == 400
    assert "session" in wrong.error["message"]


def test_metrics(gateway):
    gateway.chat()
    gateway.chat(model="none")
    text = gateway.get("/metrics").body.decode()
    assert "localcode_requests_total{" in text
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) >= 0 for line in samples)
    assert sum(float(s.rsplit(" ", 1)[1]) for s in samples if s.startswith("localcode_requests_total{")) == 2


def test_two_hundred_requests_on_one_connection(gateway, backend):
    with gateway.connect() as c:
        for i in range(200):
            body = json.dumps({"messages": [{"role": "user", "content": str(i)}]}).encode()
            c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            assert c.answer().status == 200
    assert [r.json["messages"][0]["content"] for r in backend.requests] == [str(i) for i in range(200)]
    assert backend.connections <= 2  # kept alive towards the backend too
