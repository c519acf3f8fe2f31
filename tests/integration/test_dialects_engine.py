"""Tool calls and formats in Messages and Responses, with a real model: what engines lose in these dialects."""
import json

import pytest

from support.gateway import Gateway, program

READ = {"type": "object", "properties": {"path": {"type": "string", "maxLength": 20}}, "required": ["path"], "additionalProperties": False}
PAINT = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"], "additionalProperties": False}
ANSWER = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"], "additionalProperties": False}
MESSAGE_TOOLS = [{"name": "read", "description": "Read a file", "input_schema": READ}, {"name": "paint", "description": "Paint", "input_schema": PAINT},
                 {"type": "web_search_20250305", "name": "web_search"}]
FUNCTIONS = [{"type": "function", "name": "read", "description": "Read a file", "parameters": READ},
             {"type": "namespace", "name": "art", "tools": [{"type": "function", "name": "paint", "description": "Paint", "parameters": PAINT}]},
             {"type": "custom", "name": "note", "description": "Writes a note", "format": {"type": "text"}}, {"type": "web_search"}]


@pytest.fixture(scope="module")
def local(smollm2):
    with Gateway(f'[[model]]\nname = "smol"\npath = "{smollm2}"\nthreads = 1\n', engine=program("LOCALCODE_ENGINE")) as g:
        yield g


def messages(local, stream, content="Tell me a story.", **more):
    """The blocks of the answer and why it stopped, as a client reads them."""
    history = content if isinstance(content, list) else [{"role": "user", "content": content}]
    answer = local.post("/v1/messages", {"model": "smol", "max_tokens": 60, "temperature": 1, "seed": 3, "stream": stream, "messages": history, **more})
    assert answer.status == 200, answer.body
    if not stream:
        return answer.json["content"], answer.json["stop_reason"], answer.json["usage"]
    assert answer.clean
    events = [e for e in answer.events if e["type"] != "ping"]
    assert events[0]["type"] == "message_start" and events[-1]["type"] == "message_stop"
    blocks, reason, usage, opened = [], None, None, None
    for event in events[1:-1]:
        if event["type"] == "content_block_start":
            assert opened is None and event["index"] == len(blocks)
            opened = event["index"]
            blocks.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            assert event["index"] == opened
            delta = event["delta"]
            blocks[-1]["json"] += delta.get("partial_json", "")
            blocks[-1]["text"] = blocks[-1].get("text", "") + delta.get("text", "")
        elif event["type"] == "content_block_stop":
            assert event["index"] == opened
            opened = None
            pieces = blocks[-1].pop("json")
            if blocks[-1]["type"] == "tool_use":
                assert blocks[-1]["input"] == {}
                blocks[-1]["input"] = json.loads(pieces)
        else:
            assert event["type"] == "message_delta"
            reason, usage = event["delta"]["stop_reason"], event["usage"]
    return blocks, reason, usage


def responses(local, stream, content="Tell me a story.", **more):
    """The finished response."""
    answer = local.post("/v1/responses", {"model": "smol", "max_output_tokens": 60, "temperature": 1, "seed": 3, "stream": stream, "input": content, **more})
    assert answer.status == 200, answer.body
    if not stream:
        return answer.json
    assert answer.clean
    events = [e for e in answer.events if e["type"] != "response.in_progress"]
    assert events[0]["type"] == "response.created" and events[-1]["type"] in ("response.completed", "response.incomplete")
    numbers = [e["sequence_number"] for e in events]
    assert numbers == sorted(set(numbers))
    done = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    assert done == events[-1]["response"]["output"]
    assert [e["item"]["id"] for e in events if e["type"] == "response.output_item.added"] == [i["id"] for i in done]
    return events[-1]["response"]


@pytest.mark.parametrize("stream", [True, False])
def test_messages_forced_calls(local, stream):
    blocks, reason, usage = messages(local, stream, tools=MESSAGE_TOOLS, tool_choice={"type": "tool", "name": "paint"})
    assert [(b["type"], b["name"]) for b in blocks] == [("tool_use", "paint")] and reason == "tool_use"
    assert blocks[0]["input"]["colour"] in ("red", "blue") and blocks[0]["id"]
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] > 50 and usage["output_tokens"] > 0
    blocks, reason, _ = messages(local, stream, tools=MESSAGE_TOOLS, tool_choice={"type": "any"})
    assert [b["type"] for b in blocks] == ["tool_use"] and blocks[0]["name"] in ("read", "paint") and reason == "tool_use"
    assert local.wait_request()["calls"][0]["outcome"].startswith("valid")
    blocks, _, _ = messages(local, stream, tools=MESSAGE_TOOLS, tool_choice={"type": "none"}, max_tokens=8, temperature=0)
    assert not [b for b in blocks if b["type"] == "tool_use"]


@pytest.mark.parametrize("stream", [True, False])
def test_messages_format_and_history(local, stream):
    form = {"format": {"type": "json_schema", "schema": ANSWER}}
    for tools in ({}, {"tools": MESSAGE_TOOLS}):
        blocks, reason, _ = messages(local, stream, "One or two?", output_config=form, **tools)
        assert reason == "end_turn" and json.loads(blocks[0]["text"])["a"] in (1, 2)
    history = [{"role": "user", "content": "Read a.txt"},
               {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "a.txt"}}]},
               {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "cats"}, {"type": "text", "text": "What is it?"}]}]
    blocks, _, _ = messages(local, stream, history, tools=MESSAGE_TOOLS, temperature=0, max_tokens=12)
    assert blocks


def test_messages_errors_have_their_shape(local):
    body = {"model": "smol", "max_tokens": 9, "tools": MESSAGE_TOOLS, "messages": [{"role": "user", "content": "Hi"}]}
    answer = local.post("/v1/messages", {**body, "tool_choice": {"type": "tool", "name": "fly"}})
    assert answer.status == 400 and answer.json["type"] == "error" and "fly" in answer.json["error"]["message"]
    long = local.post("/v1/messages", {**body, "stream": True, "messages": [{"role": "user", "content": "word " * 40000}]})
    assert long.status == 400 and "prompt is too long" in long.json["error"]["message"]


@pytest.mark.parametrize("stream", [True, False])
def test_responses_forced_calls(local, stream):
    response = responses(local, stream, tools=FUNCTIONS, tool_choice="required")
    item, = response["output"]
    assert item["type"] in ("function_call", "custom_tool_call") and item["call_id"]
    response = responses(local, stream, tools=FUNCTIONS, tool_choice={"type": "function", "name": "paint", "namespace": "art"})
    item, = response["output"]
    assert (item["type"], item["name"], item["namespace"], item["status"]) == ("function_call", "paint", "art", "completed")
    assert json.loads(item["arguments"])["colour"] in ("red", "blue")
    assert response["usage"]["input_tokens"] > 50 and response["usage"]["output_tokens"] > 0
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "read"}]}
    item, = responses(local, stream, tools=FUNCTIONS, tool_choice=allowed)["output"]
    assert (item["type"], item["name"]) == ("function_call", "read")
    cut = responses(local, stream, tools=FUNCTIONS, tool_choice={"type": "custom", "name": "note"}, max_output_tokens=2)
    assert cut["status"] == "incomplete" and cut["output"][0]["type"] == "custom_tool_call"


@pytest.mark.parametrize("stream", [True, False])
def test_responses_format_and_history(local, stream):
    form = {"format": {"type": "json_schema", "name": "n", "schema": ANSWER, "strict": True}}
    for tools in ({}, {"tools": FUNCTIONS}):
        response = responses(local, stream, "One or two?", text=form, **tools)
        assert response["status"] == "completed" and json.loads(response["output"][0]["content"][0]["text"])["a"] in (1, 2)
    history = [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
               {"role": "user", "content": "Note it."},
               {"type": "custom_tool_call", "call_id": "c1", "name": "note", "input": "it"},
               {"type": "custom_tool_call_output", "call_id": "c1", "output": "noted"},
               {"type": "function_call", "call_id": "c2", "name": "paint", "namespace": "art", "arguments": "{\"colour\": red}"},
               {"type": "function_call_output", "call_id": "c2", "output": "painted"}]
    response = responses(local, stream, history, tools=FUNCTIONS, temperature=0, max_output_tokens=12)
    assert response["output"]
