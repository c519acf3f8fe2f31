"""Backends over HTTPS with verified certificates, and the GLM-4.7 coding API as the preset speaks it."""
import json

import pytest

from support.gateway import backend_config
from fake_backend import FakeBackend
from support import certificates


def test_an_authority_of_ones_own(tls_backend, ca, make_gateway):
    gateway = make_gateway(backend_config(tls_backend, extra=f'ca_file = "{ca[1]}"'))
    assert gateway.chat().status == 200
    assert gateway.chat(stream=True).done
    assert tls_backend.connections <= 2, "connections are kept"


def test_an_unknown_authority_is_refused(tls_backend, make_gateway):
    gateway = make_gateway(backend_config(tls_backend))
    answer = gateway.chat()
    assert answer.status == 502
    assert "certificate" in answer.error["message"].lower()
    assert not tls_backend.requests, "nothing may be sent to a server that is not proven"


def test_a_certificate_for_another_name_is_refused(ca, tmp_path, make_gateway):
    folder, authority, _, _ = ca
    certificate, key = certificates.make_certificate(tmp_path, (authority, folder / "ca.key"), "elsewhere", "DNS:elsewhere.test", "other")
    with FakeBackend(certificate=certificate, key=key) as backend:
        gateway = make_gateway(backend_config(backend, extra=f'ca_file = "{authority}"'))
        answer = gateway.chat()
        assert answer.status == 502
        assert not backend.requests


def test_a_backend_that_speaks_no_tls(backend, ca, make_gateway):
    url = f"https://localhost:{backend.port}/v1"
    gateway = make_gateway(f'[[backend]]\nname = "plain"\nurl = "{url}"\nmodels = ["m"]\nca_file = "{ca[1]}"\n'
                           "connect_timeout_ms = 3000\n")
    assert gateway.chat().status in (502, 504)


def test_a_stream_that_is_cut_under_tls(tls_backend, ca, make_gateway):
    gateway = make_gateway(backend_config(tls_backend, extra=f'ca_file = "{ca[1]}"'))
    for script in ("cut_stream:close", "cut_stream:reset"):
        answer = gateway.chat(stream=True, fake=script)
        assert not answer.clean and not answer.done and answer.error, script


@pytest.fixture
def glm(ca, make_gateway):
    """A gateway configured as for GLM-4.7, but with the tests' TLS server in the cloud's place."""
    _, authority, certificate, key = ca
    with FakeBackend("glm", certificate, key) as backend:
        config = (f'[[backend]]\nname = "zai"\npreset = "zai"\nurl = "{backend.url}/api/coding/paas/v4"\n'
                  f'ca_file = "{authority}"\n')
        yield make_gateway(config, env={"ZAI_API_KEY": "zai-key-of-the-tests"}), backend
        assert not backend.errors


TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}}]


def test_glm_is_the_default_model(glm):
    gateway, backend = glm
    assert gateway.get("/health").json == {"status": "ok", "provider": "LocalCode", "model": "glm-4.7"}
    answer = gateway.chat()
    assert answer.status == 200
    seen = backend.requests[-1]
    assert seen.target == "/api/coding/paas/v4/chat/completions"
    assert seen.header("authorization") == "Bearer zai-key-of-the-tests"
    assert seen.json["model"] == "glm-4.7"
    assert answer.json["choices"][0]["message"]["reasoning_content"] == "The user greets me."
    assert answer.json["usage"]["prompt_tokens_details"]["cached_tokens"] == 768


def test_glm_stream_with_reasoning(glm):
    gateway, backend = glm
    answer = gateway.chat(stream=True, model="glm-4.7", thinking={"type": "enabled"})
    assert backend.requests[-1].json["thinking"] == {"type": "enabled"}
    deltas = [c["delta"] for e in answer.events for c in e["choices"]]
    assert "".join(d.get("reasoning_content", "") for d in deltas) == "The user greets me."
    assert answer.text == "Bonjour."
    assert answer.events[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 768}
    assert answer.done and answer.clean


def test_glm_without_thinking(glm):
    gateway, _ = glm
    answer = gateway.chat(stream=True, model="glm-4.7", thinking={"type": "disabled"})
    assert b"reasoning_content" not in answer.body


def test_glm_streamed_tool_call(glm):
    gateway, _ = glm
    answer = gateway.chat(stream=True, model="glm-4.7", tools=TOOLS)
    calls = [c for e in answer.events for ch in e["choices"] for c in ch["delta"].get("tool_calls", [])]
    assert calls[0]["id"] == "call_-8231" and calls[0]["function"]["name"] == "read"
    assert json.loads("".join(c["function"].get("arguments", "") for c in calls)) == {"path": "a.txt"}
    assert answer.events[-1]["choices"][0]["finish_reason"] == "tool_calls"
    record = gateway.wait_request(lambda r: r["n_tools"] == 1)
    assert record["calls"][0]["name"] == "read" and json.loads(record["calls"][0]["arguments"]) == {"path": "a.txt"}
    assert record["usage"]["cached"] == 768


def test_the_key_in_the_environment_is_all_it_takes(make_gateway):
    """Without any config; nothing is sent to the cloud here."""
    gateway = make_gateway(env={"ZAI_API_KEY": "zai-key-of-the-tests"})
    assert gateway.get("/health").json["model"] == "glm-4.7"
    assert [m["id"] for m in gateway.get("/v1/models").json["data"]] == ["glm-4.7"]
    assert "zai-key-of-the-tests" not in gateway.log
