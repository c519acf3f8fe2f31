"""When the head of a streamed answer is sent, what keeps a client waiting, and how a stream ends (INTERFACES.md section 2
of the design: hold, commit, pings, heartbeats)."""
import json
import time

import pytest

from support import http
from support.gateway import backend_config


def stream_body(**more):
    return {"model": "fake-model", "stream": True, "messages": [{"role": "user", "content": "Hi"}], **more}


def test_the_head_is_held_until_the_first_byte(gateway):
    answer = gateway.post("/v1/chat/completions", stream_body(fake="slow:0.4"))
    assert answer.status == 200 and answer.done
    assert not answer.comments[:-1], "no ping before the commit"


def test_after_the_hold_the_head_comes_and_pings_follow(gateway):
    """A backend that is silent for 8 s: the head after about a second, comments each second, a heartbeat after 5 s."""
    with gateway.open_stream(stream_body(fake="slow:8")) as c:
        answer = c.read_head()
        assert answer.status == 200
        assert answer.head_at < 6, "long before the backend's first byte"
        for _ in c.body(answer):
            pass
    assert answer.clean and answer.done
    before_text = answer.body.split(b'"Hello"')[0]
    pings = [line for line in before_text.split(b"\n") if line.startswith(b":")]
    assert len(pings) >= 3
    beats = [e for e in answer.events if "choices" in e and e["choices"] and
             e["choices"][0].get("delta") == {"role": "assistant", "content": ""}]
    assert len(beats) >= 2, "one heartbeat of the gateway, and the backend's own first chunk"
    for beat in beats:
        assert beat["object"] == "chat.completion.chunk" and beat["choices"][0].get("finish_reason") is None
    assert answer.text == "Hello from the scripted backend."


def test_progress_as_reasoning(backend, make_gateway):
    """A line that people see, and that no model ever sees."""
    gateway = make_gateway('[server]\nprogress = "reasoning"\nheader_hold_ms = 100\n' + backend_config(backend))
    answer = gateway.post("/v1/chat/completions", stream_body(fake="slow:8"))
    thought = "".join(c["delta"].get("reasoning_content") or "" for e in answer.events for c in e["choices"])
    assert thought.startswith("[LocalCode: waiting for ") and thought.endswith("]\n"), thought
    assert answer.text == "Hello from the scripted backend." and answer.done and answer.clean
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answer.text, "reasoning_content": thought},
               {"role": "user", "content": "And now?"}]
    gateway.post("/v1/chat/completions", {**stream_body(), "messages": history})
    assert backend.requests[-1].json["messages"] == [history[0], {"role": "assistant", "content": answer.text}, history[2]]


def test_an_error_within_the_hold_is_a_real_status(gateway):
    answer = gateway.post("/v1/chat/completions", stream_body(fake="rate_limited:7"))
    assert answer.status == 429
    assert answer.header("retry-after") == "7"
    assert answer.header("content-type").startswith("application/json")


def test_an_error_after_the_commit_comes_in_the_stream(gateway):
    """The head is out when the backend fails: an error chunk, and no clean end."""
    answer = gateway.post("/v1/chat/completions", stream_body(fake="fail_late"))
    assert answer.status == 200
    assert not answer.clean and not answer.done
    assert answer.error["message"]


def test_an_overflow_after_the_commit_makes_opencode_compact_too(gateway):
    answer = gateway.post("/v1/chat/completions", stream_body(fake="refuse_late:llama"))
    assert answer.status == 200
    assert json.loads(answer.error["message"])["error"]["code"] == "context_length_exceeded"
    assert not answer.done


@pytest.mark.parametrize("script", ["crlf", "comments", "bytewise", "no_done", "huge:300000"])
def test_odd_but_legal_streams(gateway, script):
    answer = gateway.post("/v1/chat/completions", stream_body(fake=script))
    assert answer.clean and answer.done, script
    assert answer.text == ("x" * 300000 if script.startswith("huge") else "Hello from the scripted backend.")


def test_tokens_are_passed_on_as_they_come(gateway, backend):
    with gateway.open_stream(stream_body(fake="gated")) as c:
        answer = c.read_head()
        body = c.body(answer)
        seen = b""
        while b"first" not in seen:  # it arrives although the rest is held back
            seen += next(body)[1]
        assert b"second" not in seen
        backend.release()
        for _ in body:
            pass
    assert answer.text == "first second"
    assert answer.clean and answer.done


@pytest.mark.parametrize("script", ["cut_stream:close", "cut_stream:reset", "cut_stream:inside", "half_closed", "garbled:chunk"])
def test_a_cut_stream_never_ends_cleanly(gateway, script):
    answer = gateway.post("/v1/chat/completions", stream_body(fake=script))
    assert answer.status in (200, 502)
    if answer.status == 200:
        assert not answer.clean, "the last chunk would say that all is well"
        assert not answer.done
        if script == "cut_stream:inside":
            assert b'"ha"' not in answer.body and b'"ha\n' not in answer.body, "half a frame must not be passed on"
        assert all(f == b"[DONE]" or json.loads(f) for f in answer.frames), "only whole frames"
    assert answer.error["message"], "the dialect's error event"
    assert gateway.chat().status == 200  # and the next one is fine


def test_frames_that_are_no_json_pass(gateway):
    answer = gateway.post("/v1/chat/completions", stream_body(fake="garbled:frame"))
    assert b"{not json at all" in answer.body
    assert answer.done


def test_an_error_event_of_the_backend_is_passed_on(gateway):
    answer = gateway.post("/v1/chat/completions", stream_body(fake="error_mid"))
    assert answer.error["message"] == "the backend broke"


def test_an_overflow_in_the_stream_takes_the_form_that_makes_opencode_compact(gateway):
    answer = gateway.post("/v1/chat/completions", stream_body(fake="error_mid:overflow"))
    inner = json.loads(answer.error["message"])
    assert inner["type"] == "error" and inner["error"]["code"] == "context_length_exceeded"
    assert b"server_error" not in answer.body


def test_a_backend_that_answers_without_a_stream(gateway):
    answer = gateway.post("/v1/chat/completions", stream_body(fake="non_sse"))
    assert answer.status in (200, 502)
    assert answer.text == "Hello from the scripted backend." if answer.status == 200 else answer.error


@pytest.mark.parametrize("script", ["done_and_open", "done_and_cut"])
def test_an_answer_is_over_when_it_says_so(gateway, script):
    """What a backend does with its connection after [DONE] is no business of the client's."""
    answer = gateway.post("/v1/chat/completions", stream_body(fake=script))
    assert answer.status == 200 and answer.done and answer.clean
    assert answer.text == "whole" and answer.body.endswith(b"data: [DONE]\n\n")
    assert gateway.wait_request()["status"] == 200


@pytest.mark.parametrize("kind,status,code", [("rate", 429, "rate_limited"), ("overflow", 400, "context_length_exceeded")])
def test_an_error_that_comes_first_is_a_real_status(gateway, kind, status, code):
    answer = gateway.post("/v1/chat/completions", stream_body(fake=f"error_first:{kind}"))
    assert answer.status == status and answer.error["code"] == code
    assert status != 429 or int(answer.header("retry-after")) >= 1


@pytest.mark.parametrize("stream", [True, False])
def test_a_redirect_is_told_not_followed(gateway, stream):
    answer = gateway.post("/v1/chat/completions", {**stream_body(fake="redirect"), "stream": stream})
    assert answer.status == 502 and "elsewhere.invalid" in answer.error["message"]


def test_a_client_that_leaves_cancels_its_upstream(gateway, backend):
    c = gateway.open_stream(stream_body(fake="drip:0.05"))
    c.read_head()
    assert c.more()
    left = time.monotonic()
    c.close()
    gone = backend.wait_for(lambda b: b.requests[-1].client_gone, message="the backend still streams")
    assert gone - left < 10
    record = gateway.wait_request(lambda r: r.get("cancelled"))
    assert record["stream"] is True


def test_a_client_that_leaves_before_the_answer_cancels_its_upstream(gateway, backend):
    for streamed in (False, True):
        backend.clear()
        c = gateway.open_stream(stream_body(fake="silent", stream=streamed))
        backend.wait_for(lambda b: b.requests)
        c.close()
        backend.wait_for(lambda b: b.requests[-1].client_gone, message="the backend was not told")


def test_a_client_that_does_not_read_does_not_fill_the_memory(gateway, backend):
    """20 MB for a client that reads nothing: the gateway must stop reading upstream."""
    def rss():
        with open(f"/proc/{gateway.process.pid}/status") as f:
            return int(next(line.split()[1] for line in f if line.startswith("VmRSS"))) / 1024
    gateway.chat()
    before = rss()
    slow = [gateway.open_stream(stream_body(fake="flood:20000000")) for _ in range(4)]
    time.sleep(3)
    grown = rss() - before
    assert gateway.chat().status == 200
    for c in slow:
        c.close()
    assert grown < 40, f"{grown:.0f} MB for 4 stalled clients"


def test_many_streams_at_once(gateway):
    connections = [gateway.open_stream(stream_body(fake="drip:0.002")) for _ in range(50)]
    answers = [c.answer() for c in connections]
    assert all(a.clean and a.done for a in answers)
    assert len({a.text for a in answers}) == 1
    for c in connections:
        c.close()


def test_http_1_0_gets_no_chunks(gateway):
    body = json.dumps(stream_body()).encode()
    with gateway.connect() as c:
        c.send(b"POST /v1/chat/completions HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        answer = c.answer()
    assert not answer.chunked and b"[DONE]" in answer.body


def test_the_closing_comment_tells_what_was_only_known_later(gateway):
    answer = gateway.post("/v1/chat/completions", stream_body())
    note = next(line for line in answer.comments if line.startswith(b": localcode {"))
    facts = json.loads(note[len(b": localcode "):])
    assert facts["id"] == answer.header("x-localcode-request-id")
    assert answer.body.index(note) < answer.body.index(b"data: [DONE]")


def test_messages_has_pings_of_its_own(gateway):
    answer = gateway.post("/v1/messages", {"model": "fake-model", "max_tokens": 10, "stream": True, "fake": "slow:7",
                                           "messages": [{"role": "user", "content": "Hi"}]})
    assert answer.status == 200
    assert b"event: ping" in answer.body


def test_a_held_head_does_not_hold_others(gateway):
    with gateway.open_stream(stream_body(fake="silent")):
        assert gateway.chat().status == 200


def test_raw_head_of_a_stream(gateway):
    with gateway.connect() as c:
        c.send(http.request_bytes("POST", "/v1/chat/completions", http.to_bytes(stream_body())))
        answer = c.answer()
    assert answer.header("cache-control") == "no-cache"
    assert answer.header("content-length") is None


def test_missing_opening_events_are_supplied(gateway):
    answer = gateway.post("/v1/messages", stream_body(fake="unopened", max_tokens=9))
    assert answer.clean and [e["type"] for e in answer.events] == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]
    message = answer.events[0]["message"]
    assert message["id"] and message["model"] == "fake-model" and message["content"] == [] and message["usage"]["output_tokens"] == 0
    for again in (False, True):
        answer = gateway.post("/v1/responses", {"model": "fake-model", "stream": True, "input": "Hi", "fake": "unopened", "again": again})
        types = [e["type"] for e in answer.events]
        assert answer.clean and types[0] == "response.created" and types.count("response.created") == 1, types
        assert types[-1] == "response.completed" and answer.events[0]["response"]["id"]
