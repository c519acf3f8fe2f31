"""What llama.cpp does not do by itself, with a real model: forced calls, formats beside tools."""
import json

import pytest

from support.gateway import Gateway, program

ENGINES = {"ours": "LOCALCODE_ENGINE", "stock": "LOCALCODE_LLAMA_SERVER"}
TOOLS = [{"type": "function", "function": {"name": "read", "description": "Read a file", "parameters": {
             "type": "object", "properties": {"path": {"type": "string", "maxLength": 20}, "limit": {"type": "number", "minimum": 1}},
             "required": ["path", "limit"], "additionalProperties": False}}},
         {"type": "function", "function": {"name": "paint", "description": "Paint", "parameters": {
             "type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"], "additionalProperties": False}}}]
NAMED = {"type": "function", "function": {"name": "paint"}}


@pytest.fixture(scope="module", params=sorted(ENGINES))
def local(request, smollm2):
    with Gateway(f'[[model]]\nname = "smol"\npath = "{smollm2}"\n', engine=program(ENGINES[request.param])) as g:
        yield g


def call_of(answer, stream):
    assert answer.status == 200, answer.body
    if not stream:
        message = answer.json["choices"][0]["message"]
        assert answer.json["usage"]["prompt_tokens"] > 50
        call, = message["tool_calls"]
        return answer.json["choices"][0]["finish_reason"], call["function"]["name"], call["function"]["arguments"]
    assert answer.done and answer.clean
    name, arguments, finish = None, "", None
    for event in answer.events:
        for choice in event["choices"]:
            assert not choice["delta"].get("content")
            for piece in choice["delta"].get("tool_calls", []):
                name = piece["function"].get("name") or name
                arguments += piece["function"].get("arguments", "")
            finish = choice["finish_reason"] or finish
    return finish, name, arguments


@pytest.mark.parametrize("stream", [True, False])
def test_required_and_named_give_a_valid_call(local, stream):
    for choice, seed in ((NAMED, 1), ("required", 2), ("required", 3)):
        answer = local.chat("Tell me a story.", model="smol", tools=TOOLS, tool_choice=choice, stream=stream, max_tokens=120, temperature=1, seed=seed)
        finish, name, arguments = call_of(answer, stream)
        assert finish == "tool_calls"
        assert name == "paint" if choice == NAMED else name in ("read", "paint")
        parsed = json.loads(arguments)
        if name == "paint":
            assert parsed["colour"] in ("red", "blue") and len(parsed) == 1
        else:
            assert set(parsed) == {"path", "limit"} and 1 <= parsed["limit"] <= 999999999
    assert local.wait_request()["calls"][0]["outcome"].startswith("valid")


def test_a_forced_call_uses_the_cached_prefix(local):
    more = {"model": "smol", "tools": TOOLS, "max_tokens": 60, "temperature": 0}
    free = local.chat("Paint it blue. " * 20, **more)
    forced = local.chat("Paint it blue. " * 20, tool_choice=NAMED, **more)
    usage = forced.json["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] >= free.json["usage"]["prompt_tokens"] - 8


def test_a_cut_forced_call_says_so(local):
    finish, name, arguments = call_of(local.chat("Hi", model="smol", tools=TOOLS, tool_choice={"type": "function", "function": {"name": "read"}}, max_tokens=3), False)
    assert finish == "length" and name == "read"
    with pytest.raises(ValueError):
        json.loads(arguments)


@pytest.mark.parametrize("more", [{"grammar": 'root ::= "yes" | "no"'}, {"response_format": {"type": "json_schema", "json_schema": {
    "name": "a", "schema": {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"], "additionalProperties": False}}}}])
def test_a_format_beside_tools(local, more):
    answer = local.chat("Is water wet?", model="smol", tools=TOOLS, max_tokens=40, temperature=1, **more)
    assert answer.status == 200, answer.body
    assert answer.text in ("yes", "no") if "grammar" in more else json.loads(answer.text)["a"] in (1, 2)


def test_what_cannot_be_is_a_400(local):
    unknown = local.chat("Hi", model="smol", tools=TOOLS, tool_choice={"type": "function", "function": {"name": "fly"}})
    assert unknown.status == 400 and "fly" in unknown.error["message"]
    grammar = local.chat("Hi", model="smol", tools=TOOLS, grammar="root ::= ((")
    assert grammar.status == 400 and "grammar" in grammar.error["message"]
    schema = local.chat("Hi", model="smol", tools=TOOLS, response_format={"type": "json_schema", "json_schema": {"schema": {"properties": {"a": {"type": "strin"}}}}})
    assert schema.status == 400 and "/properties/a/type" in schema.error["message"]
