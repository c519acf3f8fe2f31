"""Which place answers: routes, `model: "auto"`, what happens when a place fails, and how it is explained."""
import json
import subprocess

import pytest
from fake_backend import FakeBackend
from support.gateway import program

CHAT = "/v1/chat/completions"


@pytest.fixture
def two():
    with FakeBackend() as a, FakeBackend() as b:
        yield a, b


def config(two, routes="", more=""):
    a, b = two
    return f"""{more}
[[backend]]
name = "a"
url = "{a.url}/v1"
models = ["big", "shared"]
[[backend]]
name = "b"
url = "{b.url}/v1"
models = ["small", "shared"]
{routes}"""


def ask(gateway, model, **more):
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}
    return gateway.post(CHAT, body)


def route_of(answer):
    return dict((k.lower(), v) for k, v in answer.headers)["x-localcode-route"]


def sent_to(backend):
    return [json.loads(r.body)["model"] for r in backend.requests if r.body]


def test_a_route_decides_by_kind_and_rewrites_the_name(two, make_gateway):
    gateway = make_gateway(config(two, '[[route]]\nmatch = { kind = "title" }\nuse = "b/small"\n'))
    assert ask(gateway, "big").status == 200
    assert ask(gateway, "big", localcode={"kind": "title"}).status == 200
    assert sent_to(two[0]) == ["big"] and sent_to(two[1]) == ["small"]
    record = gateway.wait_request(lambda r: r["kind"] == "title")
    assert record["model_used"] == "small" and record["backend"] == "b"
    route = json.loads(record["route"])
    assert route["rule"] == "route 1" and route["chosen"] == {"model": "small", "backend": "b"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", ["status:500", "status:503", "status:429", "refuse"])
def test_the_next_place_answers_when_one_fails(two, make_gateway, how, stream):
    a, b = two
    url = "http://127.0.0.1:9" if how == "refuse" else a.script_url(how)
    text = f"""[[backend]]
name = "a"
url = "{url}{'/v1' if how == 'refuse' else ''}"
models = ["big"]
[[backend]]
name = "b"
url = "{b.url}/v1"
models = ["small"]
[[route]]
use = "a/big"
fallback = ["b/small"]
"""
    gateway = make_gateway(text)
    answer = ask(gateway, "whatever", stream=stream)
    assert answer.status == 200 and b"scripted" in answer.body and answer.clean
    assert route_of(answer) == "small;b;fallback"
    record = gateway.wait_request()
    assert record["backend"] == "b" and record["status"] == 200 and not record.get("error_code")
    first = json.loads(record["route"])["candidates"][0]
    assert first["backend"] == "a" and "failed:" in first["why"]
    gateway.wait_log("trying b/small")
    assert "route_fallbacks_total" in gateway.get("/metrics").body.decode()


def test_who_has_the_same_name_stands_in(two, make_gateway):
    a, b = two
    a.default = "status:500"
    gateway = make_gateway(config(two))
    assert ask(gateway, "shared").status == 200
    assert len(a.requests) == 1 and sent_to(b) == ["shared"]
    named = ask(gateway, "a/shared")
    assert named.status == 502, "a place that was named has no substitute"


def test_a_bad_request_is_final(two, make_gateway):
    a, b = two
    a.default = "status:400"
    gateway = make_gateway(config(two, '[[route]]\nuse = "a/big"\nfallback = ["b/small"]\n'))
    assert ask(gateway, "x").status == 400
    assert not b.requests


def test_an_answer_that_has_begun_is_not_begun_again(two, make_gateway):
    a, b = two
    a.default = "cut_stream"
    gateway = make_gateway(config(two, '[[route]]\nuse = "a/big"\nfallback = ["b/small"]\n'))
    answer = ask(gateway, "x", stream=True)
    assert answer.status == 200 and not answer.clean and not b.requests


def test_a_backend_that_keeps_failing_rests(two, make_gateway):
    a, b = two
    a.default = "status:500"
    gateway = make_gateway(config(two, '[[route]]\nuse = "a/big"\nfallback = ["b/small"]\n'))
    for _ in range(8):
        assert ask(gateway, "x").status == 200
    assert len(a.requests) == 5 and len(b.requests) == 8
    route = json.loads(gateway.wait_request()["route"])
    assert route["candidates"][-1]["backend"] == "a" and "rests for" in route["candidates"][-1]["why"]


def test_auto_chooses_by_what_it_knows(two, make_gateway):
    a, b = two
    a.default = "slow:1"
    gateway = make_gateway(config(two))
    assert ask(gateway, "auto").status == 200, "nothing is known yet: the first of them"
    assert ask(gateway, "b/small").status == 200
    for _ in range(3):
        assert ask(gateway, "auto").status == 200
    assert len(a.requests) == 1 and len(b.requests) == 4, "it was seen to be faster"
    nothing = ask(gateway, "auto", messages=[{"role": "user", "content": [
        {"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}])
    assert nothing.status == 200, "a backend without roles is taken at its word"


def test_explained_before_it_is_sent(two, make_gateway):
    gateway = make_gateway(config(two, '[[route]]\nmatch = { tools = true }\nuse = "a/big"\nfallback = ["b/small"]\n'))
    body = {"model": "auto", "messages": [{"role": "user", "content": "Fix main.rs"}],
            "tools": [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]}

    def explain(*args, text=json.dumps(body), check=True):
        done = subprocess.run(gateway.command("route", *args), input=text, capture_output=True, text=True, env=gateway.env, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done
    place = ["--port", str(gateway.port)]
    plan = json.loads(explain("--explain", "--json", *place).stdout)
    assert plan["kind"] == "main" and plan["rule"] == "route 1"
    assert plan["features"]["tools"] == 1 and plan["features"]["language"] == "rust" and plan["features"]["tokens"] > 0
    assert [(c["backend"], c["model"]) for c in plan["candidates"]] == [("a", "big"), ("b", "small")]
    assert plan["candidates"][0]["predicted_ttft_ms"] > 0 and plan["chosen"] == {"model": "big", "backend": "a"}
    assert not two[0].requests and not two[1].requests, "nothing was sent"
    shown = explain("--explain", *place).stdout
    assert "decided by route 1" in shown and "->" in shown
    assert explain("--explain", *place, text="{", check=False).returncode != 0
    assert "route --explain" in explain(*place, check=False).stderr
    gateway.stop()
    offline = explain("--explain", "--json", "--config", str(gateway.config_path))
    assert json.loads(offline.stdout)["chosen"]["backend"] == "a" and "by the configuration alone" in offline.stderr


def test_a_local_model_gives_way_to_a_longer_context(backend, smollm2, make_gateway):
    text = f"""[[model]]
name = "smol"
path = "{smollm2}"
context = 1024
slots = 1
threads = 1
[[backend]]
name = "cloud"
url = "{backend.url}/v1"
models = ["glm"]
context = 100000
[[route]]
use = "smol"
fallback = ["cloud/glm"]
"""
    gateway = make_gateway(text, engine=program("LOCALCODE_ENGINE"))
    short = ask(gateway, "any", max_tokens=4, temperature=0)
    assert short.status == 200 and route_of(short).startswith("smol;engine;")
    long = gateway.post(CHAT, {"model": "any", "messages": [{"role": "user", "content": "word " * 3000}]})
    assert long.status == 200 and route_of(long) == "glm;cloud;fallback", long.body
    assert len([r for r in backend.requests if r.body]) == 1


TOOL = {"name": "read", "description": "Reads a file", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}


@pytest.mark.parametrize("path, body", [
    ("/v1/messages", {"max_tokens": 8, "tools": [TOOL], "messages": [{"role": "user", "content": "Read a.txt"}]}),
    ("/v1/completions", {"prompt": "def f(", "suffix": "return x", "max_tokens": 8}),
])
def test_another_place_gets_the_request_as_it_came(backend, smollm2, make_gateway, path, body):
    """A local model is asked in a form of its own (chat, infill); what it cannot take goes on as the client wrote it."""
    text = f"""[[model]]
name = "smol"
path = "{smollm2}"
context = 1024
threads = 1
engine = "/bin/false"
[[backend]]
name = "cloud"
url = "{backend.url}/v1"
models = ["glm"]
roles = ["coder", "fim"]
[[route]]
use = "smol"
fallback = ["cloud/glm"]
"""
    gateway = make_gateway(text)
    answer = gateway.post(path, {"model": "x", **body})
    assert answer.status == 200 and route_of(answer) == "glm;cloud;fallback", answer.body
    sent = [r for r in backend.requests if r.body][-1]
    assert sent.target == path and {**json.loads(sent.body), "model": "x"} == {"model": "x", **body}
