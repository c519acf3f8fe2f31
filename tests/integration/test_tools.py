"""Tool calls on their way through the gateway: repaired, asked again, given up, found in the text; histories mended."""
import json
import pathlib

import pytest

from support.gateway import backend_config

TOOLS = json.loads((pathlib.Path(__file__).parents[1] / "corpus/tools/tools.json").read_text())
GOOD = {"filePath": "/a", "limit": 3}


def ask(gateway, stream=True, **more):
    return gateway.chat(model="fake-model", stream=stream, tools=TOOLS, fake="say", **more)


def read(answer, stream):
    """(text, [(id, name, arguments)], finish_reason) as a client reads it."""
    assert answer.status == 200, answer.body
    if not stream:
        choice = answer.json["choices"][0]
        calls = [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in choice["message"].get("tool_calls") or []]
        return choice["message"]["content"] or "", calls, choice["finish_reason"]
    text, calls, finish = "", [], None
    for event in answer.events:
        for choice in event.get("choices", []):
            text += choice["delta"].get("content") or ""
            for piece in choice["delta"].get("tool_calls", []):
                if piece["index"] == len(calls):
                    assert piece["id"] and piece["function"]["name"]  # the first piece of a call has both
                    calls.append([piece["id"], piece["function"]["name"], ""])
                calls[piece["index"]][2] += piece["function"].get("arguments", "")
            finish = choice["finish_reason"] or finish
    assert answer.done and answer.clean
    return text, [tuple(c) for c in calls], finish


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name, arguments", [
    ("read", '{"filePath": "/a", "limit": 3'), ("Read", '{"filePath": "/a", "limit": 3}'), ("read", '{"filePath": "/a", "limit": "3"}'),
    ("read", "{'filePath': '/a', 'limit': 3,}"), ("read", json.dumps('{"filePath": "/a", "limit": 3}')), ("read", '{"arguments": {"filePath": "/a", "limit": 3}}'),
])
def test_broken_calls_reach_the_client_whole(gateway, name, arguments, stream):
    text, calls, finish = read(ask(gateway, stream, say=["Hm."], call=[name, arguments]), stream)
    assert (text, finish) == ("Hm.", "tool_calls")
    assert [(i, n, json.loads(a)) for i, n, a in calls] == [("call_fake_1", "read", GOOD)]


@pytest.mark.parametrize("stream", [True, False])
def test_valid_calls_pass_byte_for_byte(gateway, stream):
    arguments = '{ "filePath" : "/a", "limit": 3.0 }'
    _, calls, finish = read(ask(gateway, stream, call=["read", arguments]), stream)
    assert calls == [("call_fake_1", "read", arguments)] and finish == "tool_calls"


@pytest.mark.parametrize("stream", [True, False])
def test_calls_in_the_text_become_calls(gateway, stream):
    said = ["I look.\n", "<tool_", "call>\n{\"name\": \"read\", \"arguments\": ", '{"filePath": "/a", "limit": 3}}\n</tool_call>']
    text, calls, finish = read(ask(gateway, stream, say=said), stream)
    assert (text.strip(), finish) == ("I look.", "tool_calls")
    assert [(n, json.loads(a)) for _, n, a in calls] == [("read", GOOD)]


@pytest.mark.parametrize("said", [["Write `<tool_call>` ", "around it."], ["<tool_call> is a tag."], ["a <", "b> c"]])
def test_talk_about_calls_stays_text(gateway, said):
    assert read(ask(gateway, say=said), True) == ("".join(said), [], "stop")


@pytest.mark.parametrize("stream", [True, False])
def test_asked_again(gateway, backend, stream):
    _, calls, finish = read(ask(gateway, stream, say=["Hm."], call=["read", '{"file": "/a"}'], again=json.dumps(GOOD)), stream)
    assert [(n, json.loads(a)) for _, n, a in calls] == [("read", GOOD)] and finish == "tool_calls"
    first, second = [r.json for r in backend.requests]
    assert second["tool_choice"] == {"type": "function", "function": {"name": "read"}} and not second["stream"]
    assert second["messages"] == first["messages"] and second["tools"] == first["tools"] and "seed" in second
    record = gateway.wait_request()
    assert record["calls"][0]["outcome"].startswith("asked_again")
    assert 'localcode_tool_calls_total{model="fake-model",tool="read",outcome="asked_again"} 1' in gateway.get("/metrics").body.decode()


@pytest.mark.parametrize("stream", [True, False])
def test_given_up_after_two_questions(gateway, backend, stream):
    broken = '{"file": "/a"}'
    _, calls, finish = read(ask(gateway, stream, call=["read", broken], again=broken), stream)
    assert calls == [("call_fake_1", "read", broken)] and finish == "tool_calls"  # what the model wrote, for the client to judge
    assert len(backend.requests) == 3


def test_a_backend_without_named_tools_is_asked_plainly(gateway, backend):
    _, calls, _ = read(ask(gateway, call=["read", '{"file": "/a"}']), True)
    assert calls == [("call_fake_1", "read", '{"file": "/a"}')]
    assert [isinstance(r.json.get("tool_choice"), dict) for r in backend.requests] == [False, True, False, True, False]


def test_a_cut_call_is_neither_closed_nor_asked_again(gateway, backend):
    _, calls, finish = read(ask(gateway, call=["bash", '{"command": "rm -rf /tmp/x", "description": "x"'], finish="length"), True)
    assert calls == [("call_fake_1", "bash", '{"command": "rm -rf /tmp/x", "description": "x"')] and finish == "length"
    assert len(backend.requests) == 1


@pytest.mark.parametrize("stream", [True, False])
def test_on_invalid_content_and_error(backend, make_gateway, stream):
    content = make_gateway('[tools]\nreask = 0\non_invalid = "content"\n' + backend_config(backend))
    text, calls, finish = read(ask(content, stream, call=["read", "{}"]), stream)
    assert "'filePath' is required" in text and calls == [] and finish == "stop"
    failing = make_gateway('[tools]\nreask = 0\non_invalid = "error"\n' + backend_config(backend))
    answer = ask(failing, stream, call=["read", "{}"])
    assert answer.status == 502 or not answer.done
    assert b"'filePath' is required" in answer.body


def test_repair_can_be_turned_off(backend, make_gateway):
    gateway = make_gateway("[tools]\nrepair = false\n" + backend_config(backend))
    _, calls, _ = read(ask(gateway, call=["Read", '{"filePath": "/a"']), True)
    assert calls == [("call_fake_1", "Read", '{"filePath": "/a"')]
    assert len(backend.requests) == 1


def test_histories_are_mended_and_healthy_ones_are_not(gateway, backend):
    healthy = [{"role": "user", "content": "Hi"},
               {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "read", "arguments": "{\"x\": 1.0}"}}]},
               {"role": "tool", "tool_call_id": "a", "content": "text"}]
    sick = healthy[:1] + [{"role": "assistant", "tool_calls": [{"function": {"name": "read", "arguments": {"x": 1}}}]}, {"role": "tool", "content": "text"},
                          {"role": "assistant", "content": ""}, {"role": "tool", "tool_call_id": "zz", "content": "lost"}]
    for messages in (healthy, sick):
        body = json.dumps({"model": "fake-model", "messages": messages, "fake": "normal"}, indent=1)
        assert gateway.post("/v1/chat/completions", body.encode(), [("Content-Type", "application/json")]).status == 200
    first, second = backend.requests
    assert json.dumps(healthy[1], indent=1).replace("\n", "\n  ").encode() in first.body
    _, call, result, lost = second.json["messages"]
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == {"x": 1} and call["tool_calls"][0]["type"] == "function"
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    assert lost == {"role": "user", "content": "lost"}
