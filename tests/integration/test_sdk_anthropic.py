"""The real anthropic SDK, against engines (which speak Messages themselves) and a backend that does."""
import anthropic
import pytest

from support.gateway import Gateway, program

TOOLS = [{"name": "get_weather", "description": "Weather of a city", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]
HELLO = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module", params=["LOCALCODE_ENGINE", "LOCALCODE_LLAMA_SERVER"])
def local(request, smollm2):
    with Gateway(f'[[model]]\nname = "smol"\npath = "{smollm2}"\nargs = ["--temp", "0"]\n', engine=program(request.param)) as g:
        yield anthropic.Anthropic(base_url=g.url, api_key="none", max_retries=0, timeout=300)


def test_whole_answer(local):
    answer = local.messages.create(model="smol", max_tokens=12, messages=HELLO)
    assert answer.content[0].text and answer.usage.output_tokens > 0


def test_stream(local):
    with local.messages.stream(model="smol", max_tokens=12, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text and final.content[0].text == text and final.usage.output_tokens > 0


def test_count_tokens(local):
    few = local.messages.count_tokens(model="smol", messages=HELLO).input_tokens
    assert 0 < few < local.messages.count_tokens(model="smol", messages=HELLO, tools=TOOLS).input_tokens


def test_tools_are_taken(local):
    answer = local.messages.create(model="smol", max_tokens=32, tools=TOOLS, messages=[{"role": "user", "content": "Weather in Oslo?"}])
    assert answer.usage.input_tokens > 60


def test_tool_results_are_taken(local):
    answer = local.messages.create(model="smol", max_tokens=16, tools=TOOLS, messages=[
        {"role": "user", "content": "Weather in Oslo?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]}])
    assert answer.content


def test_errors(local):
    with pytest.raises(anthropic.NotFoundError) as caught:
        local.messages.create(model="nope", max_tokens=8, messages=HELLO)
    assert caught.value.body["type"] == "error" and caught.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as caught:
        local.messages.create(model="smol", max_tokens=8, messages=[{"role": "user", "content": "word " * 30000}])
    assert "prompt is too long" in str(caught.value) or "context" in str(caught.value)


def test_cancel(local):
    with local.messages.stream(model="smol", max_tokens=4000, messages=[{"role": "user", "content": "A very long story, please."}], extra_body={"ignore_eos": True}) as stream:
        for _ in stream.text_stream:
            break
    assert local.messages.create(model="smol", max_tokens=4, messages=HELLO).content


def test_models(local):
    assert [m.id for m in local.models.list()] == ["smol"]


def test_a_backend_that_speaks_messages(gateway):
    client = anthropic.Anthropic(base_url=gateway.url, api_key="none", max_retries=0, timeout=60)
    assert client.messages.create(model="fake-model", max_tokens=8, messages=HELLO).content[0].text == "Hello from the scripted backend."
    with client.messages.stream(model="fake-model", max_tokens=8, messages=HELLO, extra_body={"fake": "slow:7"}) as stream:
        assert "".join(stream.text_stream) == "Hello from the scripted backend."
    for script in ("rate_limited:1", "status:503"):
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.create(model="fake-model", max_tokens=8, messages=HELLO, extra_body={"fake": script})
        assert caught.value.body["type"] == "error"
