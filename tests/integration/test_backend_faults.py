"""What a client is told when a remote backend refuses, fails, is slow or speaks nonsense."""
import socket
import time

import pytest

from fake_backend.scripts import OVERFLOWS
from support.gateway import backend_config, free_port


@pytest.mark.parametrize("wording", sorted(OVERFLOWS))
@pytest.mark.parametrize("stream", [False, True])
def test_every_wording_of_an_overflow_becomes_one(gateway, wording, stream):
    answer = gateway.chat(fake=f"overflow:{wording}", stream=stream)
    if wording == "too_large":
        assert answer.status in (400, 413)  # both make OpenCode compact
        return
    assert answer.status == 400
    assert answer.error["code"] == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limits_keep_their_retry_after(gateway, stream):
    answer = gateway.chat(fake="rate_limited:11", stream=stream)
    assert answer.status == 429
    assert answer.header("retry-after") == "11"
    assert answer.error["code"] == "rate_limited" or "rate" in str(answer.error).lower()


@pytest.mark.parametrize("form,seconds,milliseconds", [
    ("date", range(80, 91), None), ("ms", [2], "1500"), ("both", [4], "3500"), ("none", [1], None), ("nonsense", [1], None)])
def test_other_forms_of_retry_after(gateway, form, seconds, milliseconds):
    answer = gateway.chat(fake=f"busy:{form}")
    assert answer.status == 429
    assert int(answer.header("retry-after")) in seconds, "clients understand seconds everywhere"
    assert answer.header("retry-after-ms") == milliseconds


def test_a_backend_that_says_nothing_while_it_is_asked_for_its_models(make_gateway):
    """The client sees signs of life, and a shutdown does not wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        gateway = make_gateway(f'[server]\nheader_hold_ms = 200\ndrain_ms = 100\n[[backend]]\nname = "mute"\nurl = "{url}"\n')
        connection = gateway.open_stream({"model": "m", "messages": [], "stream": True})
        answer = connection.read_head()
        assert answer.status == 200
        pieces = connection.body(answer)
        while b": asking backends" not in answer.body:
            next(pieces)
        began = time.monotonic()
        gateway.stop()
        assert time.monotonic() - began < 4, "the question's own time-out is longer"
        for _ in pieces:
            pass
        assert answer.error["code"] == "overloaded", "its client is told why"
        connection.close()


@pytest.mark.parametrize("code,expected", [("500", 502), ("503", 503), ("504", 504), ("418", 418)])
@pytest.mark.parametrize("stream", [False, True])
def test_other_refusals(gateway, code, expected, stream):
    answer = gateway.chat(fake=f"status:{code}", stream=stream)
    assert answer.status == expected or (code == "504" and answer.status == 502)
    assert f"The server answers {code}" in answer.error["message"]
    if answer.status == 503:
        assert int(answer.header("retry-after")) >= 1


def test_a_backends_wrong_key_is_not_the_clients_fault(backend, make_gateway):
    gateway = make_gateway(backend_config(backend, extra='key = "wrong"', path="/script/needs_key/v1"))
    answer = gateway.chat()
    assert answer.status in (401, 502)
    assert "key" in answer.error["message"].lower()
    good = make_gateway(backend_config(backend, extra='key = "env:THE_KEY"', path="/script/needs_key/v1"),
                        env={"THE_KEY": "secret-of-the-tests"})
    assert good.chat().status == 200


@pytest.mark.parametrize("script", ["refuse", "cut_head", "cut_body", "garbled:http"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_answer_is_a_502(gateway, script, stream):
    answer = gateway.chat(fake=script, stream=stream)
    assert answer.status == 502, (answer.status, answer.body)
    assert "fake" in answer.error["message"], "the message names the backend"
    assert gateway.chat().status == 200


@pytest.mark.parametrize("script", ["until_close", "crlf", "huge:3000000"])
def test_odd_but_legal_answers(gateway, script):
    answer = gateway.chat(fake=script)
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"]


def test_nobody_listens(make_gateway):
    gateway = make_gateway(f'[[backend]]\nname = "gone"\nurl = "http://127.0.0.1:{free_port()}/v1"\nmodels = ["m"]\n')
    for stream in (False, True):
        answer = gateway.chat(stream=stream)
        assert answer.status == 502
        assert "gone" in answer.error["message"]


def test_a_name_that_does_not_resolve(make_gateway):
    gateway = make_gateway('[[backend]]\nname = "gone"\nurl = "http://no-such-host.invalid/v1"\nmodels = ["m"]\n')
    answer = gateway.chat()
    assert answer.status == 502
    assert "no-such-host.invalid" in answer.error["message"]


def test_a_backend_that_does_not_accept(make_gateway):
    """A full listen queue: connecting takes for ever, so the time limit must end it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fill = []
        for _ in range(8):  # until the queue is full
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(server.getsockname())
            fill.append(s)
        gateway = make_gateway(f'[[backend]]\nname = "full"\nurl = "http://127.0.0.1:{server.getsockname()[1]}/v1"\n'
                               'models = ["m"]\nconnect_timeout_ms = 500\n')
        answer = gateway.chat(timeout=60)
        assert answer.status in (502, 504)
        for s in fill:
            s.close()


def test_silence_before_the_first_byte(backend, make_gateway):
    gateway = make_gateway(backend_config(backend, extra="first_byte_timeout_ms = 700"))
    answer = gateway.chat(fake="silent")
    assert answer.status == 504
    answer = gateway.chat(fake="silent", stream=True)
    assert answer.status == 504 or (answer.status == 200 and answer.error and not answer.clean)
    backend.wait_for(lambda b: all(r.client_gone for r in b.requests), message="the backend was not told")


def test_silence_in_the_middle(backend, make_gateway):
    gateway = make_gateway(backend_config(backend, extra="silence_timeout_ms = 700"))
    answer = gateway.chat(fake="silent_after", stream=True)
    assert answer.text == "one"
    assert answer.error and not answer.clean
    backend.wait_for(lambda b: b.requests[-1].client_gone)


def test_a_slow_backend_is_not_a_silent_one(backend, make_gateway):
    gateway = make_gateway(backend_config(backend, extra="silence_timeout_ms = 2000"))
    answer = gateway.chat(fake="drip:0.02", stream=True)
    assert answer.clean and answer.done


@pytest.mark.parametrize("script", ["stale", "close_idle"])
def test_a_stale_connection_is_retried(backend, make_gateway, script):
    """The backend closes kept-alive connections behind our back: no request may fail for it."""
    gateway = make_gateway(backend_config(backend, path=f"/script/{script}/v1"))
    for i in range(10):
        answer = gateway.chat(stream=bool(i % 2))
        assert answer.status == 200, answer.body
        assert answer.text == "Hello from the scripted backend."
        time.sleep(0.02)


def test_a_fresh_connection_that_breaks_is_not_retried(gateway, backend):
    assert gateway.chat(fake="refuse").status == 502
    assert len([r for r in backend.requests if r.script == "refuse"]) == 1, "it might have been processed"



def test_several_backends(backend, make_gateway):
    gateway = make_gateway(backend_config(backend, "one", ["m1"]) + backend_config(backend, "two", ["m2"], path="/script/exact/v1"))
    assert gateway.chat(model="m1").header("x-localcode-route").split(";")[:2] == ["m1", "one"]
    assert gateway.chat(model="m2").header("x-localcode-route").split(";")[:2] == ["m2", "two"]
    assert gateway.chat(model="two/m2").status in (200, 404)
