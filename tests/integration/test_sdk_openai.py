"""The real openai SDK."""
import threading

import openai
import pytest

from support.gateway import Gateway, program, until

TOOLS = [{"type": "function", "function": {"name": "read", "description": "Reads a file", "parameters": {
    "type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}}}]


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, timeout=60) as c:
        yield c


@pytest.fixture(scope="module")
def local(smollm2):
    with Gateway(f'[[model]]\nname = "smol"\npath = "{smollm2}"\n', engine=program("LOCALCODE_ENGINE")) as g:
        yield openai.OpenAI(base_url=f"{g.url}/v1", api_key="none", max_retries=0, timeout=300)


def ask(client, **more):
    return client.chat.completions.create(model="fake-model", messages=[{"role": "user", "content": "Hi"}], **more)


def test_whole_answer(client):
    answer = ask(client)
    assert answer.choices[0].message.content == "Hello from the scripted backend."
    assert answer.usage.prompt_tokens_details.cached_tokens == 5


def test_stream(client):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello from the scripted backend."
    assert chunks[-1].usage.total_tokens == 27


def test_stream_of_a_slow_backend(client):
    """Pings and heartbeats must not disturb it."""
    chunks = list(ask(client, stream=True, extra_body={"fake": "slow:7"}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello from the scripted backend."


def test_tools(client):
    call = ask(client, tools=TOOLS, extra_body={"fake": "tool"}).choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("read", '{"path": "a.txt"}')
    with client.chat.completions.stream(model="fake-model", messages=[{"role": "user", "content": "Hi"}], tools=TOOLS,
                                        extra_body={"fake": "tool"}) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.name == "read"


def test_a_whole_tool_loop(client):
    messages = [{"role": "user", "content": "Read a.txt"}]
    first = client.chat.completions.create(model="fake-model", messages=messages, tools=TOOLS, extra_body={"fake": "tool"}).choices[0].message
    messages += [first.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "42"}]
    last = client.chat.completions.create(model="fake-model", messages=messages, tools=TOOLS, extra_body={"fake": "tool"})
    assert last.choices[0].message.content == "The tool said: 42"


def test_models(client):
    assert [m.id for m in client.models.list()] == ["fake-model", "fake-small"]
    assert client.models.retrieve("fake-small").id == "fake-small"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")


@pytest.mark.parametrize("script,error", [
    ("overflow:llama", openai.BadRequestError), ("rate_limited:1", openai.RateLimitError),
    ("status:500", openai.InternalServerError), ("status:503", openai.InternalServerError), ("refuse", openai.InternalServerError)])
def test_errors(client, script, error):
    for stream in (False, True):
        with pytest.raises(error) as caught:
            ask(client, stream=stream, extra_body={"fake": script})
        assert caught.value.message
        if script.startswith("overflow"):
            assert caught.value.code == "context_length_exceeded"


def test_errors_in_the_stream(client):
    for script in ("cut_stream", "error_mid"):
        with pytest.raises((openai.APIError, Exception)) as caught:
            list(ask(client, stream=True, extra_body={"fake": script}))
        assert str(caught.value)


def test_retries_of_the_sdk_honour_retry_after(gateway, backend):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=2, timeout=60) as client:
        with pytest.raises(openai.RateLimitError):
            ask(client, extra_body={"fake": "rate_limited:1"})
    assert len(backend.requests) == 3


def test_cancel(client, backend):
    stream = ask(client, stream=True, extra_body={"fake": "drip"})
    next(iter(stream))
    stream.close()
    backend.wait_for(lambda b: b.requests[-1].client_gone)


def test_a_key(backend, make_gateway):
    from support.gateway import backend_config
    g = make_gateway('[[auth.keys]]\nname = "a"\nkey = "k-of-a"\n' + backend_config(backend))
    with openai.OpenAI(base_url=f"{g.url}/v1", api_key="k-of-a", max_retries=0) as c:
        assert ask(c).choices
    with openai.OpenAI(base_url=f"{g.url}/v1", api_key="wrong", max_retries=0) as c, pytest.raises(openai.AuthenticationError):
        ask(c)


def test_a_real_model(local):
    messages = [{"role": "user", "content": "Say hello."}]
    whole = local.chat.completions.create(model="smol", messages=messages, max_tokens=12, temperature=0)
    text = "".join(c.choices[0].delta.content or "" for c in local.chat.completions.create(
        model="smol", messages=messages, max_tokens=12, temperature=0, stream=True) if c.choices)
    assert whole.choices[0].message.content == text != ""
    assert local.completions.create(model="smol", prompt="Once upon", max_tokens=4, temperature=0).choices[0].text
    assert local.responses.create(model="smol", input="Say hello.", max_output_tokens=16).status in ("completed", "incomplete")
    with pytest.raises(openai.BadRequestError) as caught:
        local.chat.completions.create(model="smol", messages=[{"role": "user", "content": "word " * 30000}])
    assert caught.value.code == "context_length_exceeded"


def test_cancel_of_a_real_model(local):
    stream = local.chat.completions.create(model="smol", messages=[{"role": "user", "content": "A very long story, please."}],
                                           max_tokens=4000, stream=True, temperature=0, extra_body={"ignore_eos": True})
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    stream.close()
    import httpx2 as httpx
    base = str(local.base_url).rsplit("/v1", 1)[0]
    until(lambda: not any(s["is_processing"] for s in httpx.get(base + "/slots").json()), message="the slot is still busy")


def test_threads_share_a_client(client):
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(ask(client).choices[0].message.content)) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert texts == ["Hello from the scripted backend."] * 16
