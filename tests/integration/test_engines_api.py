"""Real models: SmolLM2 through localcode-engine and through a stock llama-server, both as child processes of a gateway."""
import json
import os
import signal
import threading
import time

import pytest

from support.gateway import Gateway, alive, program, until

ENGINES = {"ours": "LOCALCODE_ENGINE", "stock": "LOCALCODE_LLAMA_SERVER"}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]


@pytest.fixture(scope="module", params=sorted(ENGINES))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def local(kind, smollm2):
    """One gateway with SmolLM2, for all tests that leave it as it was."""
    with Gateway(f'[[model]]\nname = "smol"\npath = "{smollm2}"\n', engine=program(ENGINES[kind])) as g:
        yield g


def test_chat(local):
    answer = local.chat("Say hello.", model="smol", max_tokens=16, temperature=0)
    assert answer.status == 200, answer.body
    assert answer.json["object"] == "chat.completion" and answer.json["choices"][0]["message"]["role"] == "assistant"
    assert answer.text
    usage = answer.json["usage"]
    assert usage["prompt_tokens"] > 5 and 0 < usage["completion_tokens"] <= 16
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert answer.json["choices"][0]["finish_reason"] in ("stop", "length")


def test_stream_says_the_same_as_a_whole_answer(local):
    whole = local.chat("Count from one to five.", max_tokens=24, temperature=0, seed=1)
    streamed = local.chat("Count from one to five.", max_tokens=24, temperature=0, seed=1, stream=True,
                          stream_options={"include_usage": True})
    assert streamed.clean and streamed.done
    assert streamed.text == whole.text
    assert streamed.events[-1]["usage"]["completion_tokens"] == whole.json["usage"]["completion_tokens"]


def test_progress_is_not_shown_to_who_did_not_ask(local):
    answer = local.chat("hello " * 300, max_tokens=4, stream=True)
    assert b"prompt_progress" not in answer.body
    asked = local.chat("hallo " * 300, max_tokens=4, stream=True, return_progress=True)
    assert b"prompt_progress" in asked.body


def test_unknown_fields_of_the_engine_survive(local):
    answer = local.chat("Hi", max_tokens=4, timings_per_token=True, stream=True)
    assert any("timings" in e for e in answer.events)
    assert "timings" in local.chat("Hi", max_tokens=4).json


def test_completions(local):
    answer = local.post("/v1/completions", {"model": "smol", "prompt": "Once upon a time", "max_tokens": 8, "temperature": 0})
    assert answer.status == 200 and answer.json["choices"][0]["text"]
    streamed = local.post("/v1/completions", {"model": "smol", "prompt": "Once upon a time", "max_tokens": 8, "temperature": 0, "stream": True})
    assert streamed.text == answer.json["choices"][0]["text"]
    several = local.post("/v1/completions", {"prompt": ["One", "Two"], "max_tokens": 4})
    assert several.status == 200
    own = local.post("/completion", {"prompt": "Once", "n_predict": 4})
    assert own.status == 200 and own.json["content"] is not None


def test_messages_and_count_tokens(local):
    body = {"model": "smol", "max_tokens": 12, "temperature": 0, "messages": [{"role": "user", "content": "Say hello."}]}
    answer = local.post("/v1/messages", body)
    assert answer.status == 200 and answer.json["type"] == "message" and answer.json["content"][0]["type"] == "text"
    assert answer.json["usage"]["output_tokens"] > 0
    streamed = local.post("/v1/messages", {**body, "stream": True})
    events = [e for e in streamed.events if e["type"] != "ping"]  # there are pings when it takes long
    assert streamed.clean and [e["type"] for e in events][:2] == ["message_start", "content_block_start"]
    assert events[0]["message"]["model"] == "smol" and events[-1]["type"] == "message_stop"
    counted = local.post("/v1/messages/count_tokens", {k: v for k, v in body.items() if k != "max_tokens"})
    assert counted.json["input_tokens"] > 0


def test_responses(local):
    body = {"model": "smol", "max_output_tokens": 12, "temperature": 0, "input": "Say hello."}
    answer = local.post("/v1/responses", body)
    assert answer.status == 200 and answer.json["object"] == "response"
    streamed = local.post("/v1/responses", {**body, "stream": True})
    types = [e["type"] for e in streamed.events if e["type"] != "response.in_progress"]
    assert streamed.clean and types[0] == "response.created" and types[-1] == "response.completed"
    assert types.count("response.created") == 1


def test_queries_of_the_engine(local):
    tokens = local.post("/tokenize", {"content": "Hello world"}).json["tokens"]
    assert local.post("/detokenize", {"tokens": tokens}).json["content"] == "Hello world"
    assert "Hello" in local.post("/apply-template", {"messages": [{"role": "user", "content": "Hello"}]}).json["prompt"]
    assert local.get("/props?model=smol").json["default_generation_settings"]["n_ctx"] == 16384
    slots = local.get("/slots").json
    assert len(slots) == 2 and all(s["n_ctx"] == 16384 for s in slots)
    assert local.get("/upstream/smol/health").json["status"] == "ok"
    assert local.get("/upstream/nope/health").status == 404


def test_what_models_says(local, kind):
    local.chat("Hi", max_tokens=1)
    model = local.get("/v1/models/smol").json
    assert model["meta"]["n_ctx"] == 16384 and model["meta"]["n_ctx_train"] == 8192
    assert "tools" in model["localcode"]["capabilities"]
    told = json.dumps(model["localcode"]).lower()
    assert "yarn" in told and "template" in told, "stretched context and exchanged template are said"
    verb = json.loads(local.run("models", "--port", str(local.port), "--json").stdout)["models"][0]
    assert verb["id"] == "smol" and verb["kind"] == "local" and verb["context"] == 16384 and verb["slots"] == 2
    status = json.loads(local.run("status", "--port", str(local.port), "--json").stdout)["engines"][0]
    assert status["name"] == "smol" and status["phase"] == "ready" and alive(status["pid"]) and status["rss_bytes"] > 50e6
    assert local.get("/health").json["model"] == "smol"
    assert local.run("logs", "smol", "--port", str(local.port)).stdout


def test_tools_reach_the_model(local):
    """SmolLM2's own template would drop them silently."""
    with_tools = local.post("/apply-template", {"messages": [{"role": "user", "content": "Weather in Oslo?"}], "tools": TOOLS}).json["prompt"]
    assert "get_weather" in with_tools
    answer = local.chat("What is the weather in Oslo? Use the tool.", tools=TOOLS, max_tokens=48, temperature=0)
    assert answer.status == 200
    assert answer.json["usage"]["prompt_tokens"] > 100, "the tools are in the prompt"
    until(lambda: "template" in local.log.lower(), message="the exchange is said in the log")


def test_a_tool_result_is_taken(local):
    messages = [
        {"role": "user", "content": "What is the weather in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": {
            "name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain, 4 degrees"},
    ]
    answer = local.post("/v1/chat/completions", {"messages": messages, "tools": TOOLS, "max_tokens": 24, "stream": True})
    assert answer.status == 200 and answer.done


@pytest.mark.parametrize("target,body", [
    ("/v1/messages", {"max_tokens": 2, "messages": [{"role": "user", "content": "word " * 40000}]}),
    ("/v1/responses", {"input": "word " * 40000})])
def test_overflow_in_other_dialects_while_all_slots_are_busy(local, target, body):
    """The engine would only look at it later: it is counted, so that the client gets a real status."""
    local.chat("Hi", max_tokens=1)  # or it would still be loading
    streams = [local.open_stream({"messages": [{"role": "user", "content": "Count"}], "stream": True, "max_tokens": 3000,
                                  "ignore_eos": True}) for _ in range(2)]
    try:
        for s in streams:
            assert s.read_head().status == 200
        until(lambda: busy_slots(local) == 2, message="both slots should be taken")
        answer = local.post(target, {"model": "smol", "stream": True, **body})
        assert answer.status == 400, answer.body[:300]
        assert "exceeds the available context size" in str(answer.json) or "prompt is too long" in str(answer.json)
    finally:
        for s in streams:
            s.close()


def test_overflow_is_an_error_before_the_commit(local):
    for stream in (False, True):
        answer = local.chat("word " * 30000, max_tokens=8, stream=stream)
        assert answer.status == 400, answer.body[:300]
        assert answer.error["code"] == "context_length_exceeded"
    messages = local.post("/v1/messages", {"max_tokens": 8, "messages": [{"role": "user", "content": "word " * 30000}]})
    assert messages.status == 400 and messages.json["type"] == "error"


def test_a_bad_request_keeps_the_engines_words(local):
    answer = local.chat("Hi", grammar="root ::= nothing-of-this-name")
    assert answer.status == 400 and "grammar" in answer.error["message"].lower(), answer.body


def test_several_clients_at_once(local):
    answers = []
    threads = [threading.Thread(target=lambda i=i: answers.append(local.chat(f"Say {i}.", max_tokens=8, stream=i % 2 == 0)))
               for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 6 and all(a.status == 200 and a.text for a in answers)


def busy_slots(g):
    return sum(s["is_processing"] for s in g.get("/slots", timeout=60).json)


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_a_client_that_leaves_frees_its_slot(local, phase):
    content = f"{time.time()} " + "some words to read " * 2500 if phase == "prefill" else "Tell me a very long story."
    c = local.open_stream({"messages": [{"role": "user", "content": content}], "stream": True, "max_tokens": 4000, "ignore_eos": True})
    if phase == "decode":
        c.read_head()
        while b'"content":"' not in c.buffer.replace(b'"content":""', b""):
            assert c.more()
    else:
        until(lambda: busy_slots(local) == 1, message="prefill should have begun")
    c.close()
    until(lambda: busy_slots(local) == 0, message="the slot is still busy")
    assert local.chat("Hi", max_tokens=2).status == 200


def test_an_explicit_cancel(local):
    c = local.open_stream({"messages": [{"role": "user", "content": "Tell me a very long story."}], "stream": True, "max_tokens": 4000,
                           "ignore_eos": True})
    answer = c.read_head()
    admin = str(next((local.home / "run").rglob(f"{local.port}.sock")))
    from support import http
    assert http.fetch(admin, "DELETE", f"/localcode/v1/requests/{answer.header('x-localcode-request-id')}").status == 200
    for _ in c.body(answer):
        pass
    assert not answer.done
    until(lambda: busy_slots(local) == 0, message="the slot is still busy")
    c.close()


def test_pings_say_how_far_the_prefill_is(local):
    answer = local.chat(f"{time.time()} " + "many words to read here " * 800, max_tokens=2, stream=True)
    assert answer.status == 200 and answer.done, answer.body[-500:]
    if answer.pieces and answer.pieces[-1][0] > 6:  # a fast machine is done before the first ping
        assert any(b"prefill" in line for line in answer.comments)


def test_killed_in_the_stream(local):
    """The client is told at once; the next request gets a fresh engine."""
    c = local.open_stream({"messages": [{"role": "user", "content": "Tell me a very long story."}], "stream": True, "max_tokens": 4000,
                           "ignore_eos": True})
    answer = c.read_head()
    body = c.body(answer)
    next(body)
    pid = json.loads(local.run("status", "--port", str(local.port), "--json").stdout)["engines"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    for _ in body:
        pass
    assert not answer.clean and not answer.done and answer.error["message"]
    c.close()
    again = local.chat("Hi", max_tokens=2)
    assert again.status == 200, again.body
    status = json.loads(local.run("status", "--port", str(local.port), "--json").stdout)["engines"][0]
    assert status["pid"] != pid and status["restarts"] >= 1


def test_killed_in_the_prefill(local):
    local.chat("Hi", max_tokens=1)
    pid = json.loads(local.run("status", "--port", str(local.port), "--json").stdout)["engines"][0]["pid"]
    result = []
    content = f"{time.time()} " + "some words to read " * 2500
    t = threading.Thread(target=lambda: result.append(local.chat(content, max_tokens=4)))
    t.start()
    until(lambda: busy_slots(local) == 1, message="prefill should have begun")
    os.kill(pid, signal.SIGKILL)
    t.join()
    assert result and result[0].status == 502 and result[0].error["message"]
    assert local.chat("Hi", max_tokens=2).status == 200
