"""Starting and ending engines, the models and programs that cannot start, Gemma."""
import json
import os
import pathlib
import signal
import struct
import threading
import time

import pytest

from support.gateway import Gateway, alive, program, until


def model(path, name="m", more=""):
    return f'[[model]]\nname = "{name}"\npath = "{path}"\n{more}\n'


@pytest.fixture
def local(make_gateway):
    def make(config, engine="LOCALCODE_ENGINE", **more):
        return make_gateway(config, engine=program(engine), **more)
    return make


def test_an_engine_starts_with_the_first_request_and_ends_with_the_gateway(local, smollm2):
    g = local(model(smollm2))
    assert g.engines() == [], "nothing runs before it is needed"
    assert g.chat("Hi", max_tokens=2).status == 200
    engines = g.engines()
    assert len(engines) == 1
    g.stop()
    assert not alive(engines[0])


def test_preload(local, smollm2):
    g = local('[server]\npreload = ["m"]\n' + model(smollm2))
    until(lambda: g.engines(), message="the engine should start by itself")


def test_concurrent_first_requests_share_one_start(local, smollm2):
    g = local(model(smollm2))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(g.chat("Hi", max_tokens=2, stream=True))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(a.status == 200 and a.done for a in answers)
    assert len(g.engines()) == 1


@pytest.mark.parametrize("engine", ["LOCALCODE_ENGINE", "LOCALCODE_LLAMA_SERVER"])
def test_kill_9_of_the_gateway_leaves_no_engine(local, smollm2, engine):
    g = local(model(smollm2), engine)
    g.chat("Hi", max_tokens=2)
    engines = g.engines()
    assert engines
    g.kill()
    until(lambda: not any(alive(p) for p in engines), message="an orphan was left")
    g.start()
    assert g.chat("Hi", max_tokens=2).status == 200


def test_killed_while_it_starts(local, smollm2):
    g = local(model(smollm2))
    result = []
    t = threading.Thread(target=lambda: result.append(g.chat("Hi", max_tokens=2)))
    t.start()
    pid = until(lambda: g.engines())[0]
    os.kill(pid, signal.SIGKILL)
    t.join()
    assert result[0].status in (200, 503)  # 200: it was restarted for the waiting request
    assert g.chat("Hi", max_tokens=2).status == 200 or until(
        lambda: g.chat("Hi", max_tokens=2).status == 200, 60)


def broken_models(folder, good):
    data = open(good, "rb").read(2 << 20)
    (folder / "truncated.gguf").write_bytes(data[: 1 << 20])
    (folder / "text.gguf").write_text("this is not a model\n" * 100)
    name = b"general.architecture"
    value = b"nonesuch"
    (folder / "unknown.gguf").write_bytes(
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", len(name)) + name + struct.pack("<I", 8) +
        struct.pack("<Q", len(value)) + value)
    return {"missing": folder / "nowhere.gguf", "truncated": folder / "truncated.gguf", "text": folder / "text.gguf",
            "unknown": folder / "unknown.gguf", "folder": folder}


@pytest.mark.parametrize("what,words", [
    ("missing", ["nowhere.gguf"]), ("truncated", ["truncated.gguf"]), ("text", ["GGUF"]), ("unknown", ["nonesuch"]), ("folder", [])])
def test_models_that_cannot_be_loaded(local, smollm2, tmp_path, what, words):
    g = local(model(broken_models(tmp_path, smollm2)[what], "broken") + model(smollm2, "good"))
    answer = g.chat(model="broken", max_tokens=2)
    assert answer.status == 503, answer.body
    assert answer.error["code"] == "model_load_failed" or "load" in str(answer.error)
    for word in words:
        assert word in answer.error["message"]
    assert g.chat(model="good", max_tokens=2).status == 200


def test_an_engine_program_that_is_none(make_gateway, smollm2, tmp_path):
    for program_text, name in ((None, "nowhere"), ("#!/bin/sh\necho 'this is no engine' >&2\nexit 3\n", "fails")):
        path = tmp_path / name
        if program_text:
            path.write_text(program_text)
            path.chmod(0o755)
        g = make_gateway(f'[server]\nengine = "{path}"\n' + model(smollm2))
        answer = g.chat(max_tokens=2)
        assert answer.status == 503
        assert name in answer.error["message"] or "this is no engine" in answer.error["message"]


def test_the_engine_named_in_the_config_is_used(make_gateway, smollm2):
    stock = program("LOCALCODE_LLAMA_SERVER")
    g = make_gateway(f'[server]\nengine = "{stock}"\n' + model(smollm2))
    assert g.chat("Hi", max_tokens=2).status == 200
    assert os.path.realpath(f"/proc/{g.engines()[0]}/exe") == os.path.realpath(stock)


def test_context_slots_and_arguments(local, smollm2):
    g = local(model(smollm2, more='context = 2048\nslots = 3\naliases = ["alias"]\nargs = ["--alias", "renamed"]'))
    assert g.chat("Hi", model="alias", max_tokens=2).status == 200
    slots = g.get("/slots").json
    assert len(slots) == 3 and slots[0]["n_ctx"] == 2048
    overflow = g.chat("word " * 3000, max_tokens=2)
    assert overflow.status == 400 and overflow.error["code"] == "context_length_exceeded"


def test_sampling_and_thinking_by_kind(local, smollm2, tmp_path):
    """What holds for all kinds is an argument of the engine, the rest is set in requests that do not say."""
    template = tmp_path / "t.jinja"
    template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}"
                        "{% if enable_thinking is defined and not enable_thinking %}<quiet>{% endif %}")
    g = local(model(smollm2, more=f'chat_template = "{template}"\ncontext = 512\nthreads = 1\n'
                    'sampling = { temperature = 0, seed = 7, title = { top_k = 3, seed = 8 } }\nthinking = { title = false }'))
    told = g.get("/v1/models/m").json["localcode"]
    assert told["output"] == 64 and told["phase"] == "stopped" and "reasoning" in told["capabilities"]
    body = {"prompt": "Once upon a time", "max_tokens": 8}
    assert g.post("/v1/completions", body).json["choices"] == g.post("/v1/completions", body).json["choices"]
    args = pathlib.Path(f"/proc/{g.engines()[0]}/cmdline").read_text().split("\0")
    assert args[args.index("--temp") + 1] == "0" and args[args.index("--seed") + 1] == "7"
    question = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "stream": True}

    def settings(**more):
        answer = g.post("/v1/chat/completions", {**question, **more, "verbose": True, "return_progress": True})
        assert answer.status == 200, answer.body
        usage = next(e["usage"] for e in reversed(answer.events) if e.get("usage"))
        return usage["prompt_tokens"]
    plain, quiet = settings(stream_options={"include_usage": True}), settings(
        stream_options={"include_usage": True}, localcode={"kind": "title"})
    assert quiet > plain, "the template was told not to think"
    said = settings(stream_options={"include_usage": True}, localcode={"kind": "title"}, chat_template_kwargs={"enable_thinking": True})
    assert said == plain, "a request that says so itself is left alone"


def test_a_chat_template_of_ones_own(local, smollm2, tmp_path):
    template = tmp_path / "t.jinja"
    template.write_text("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
    g = local(model(smollm2, more=f'chat_template = "{template}"'))
    assert g.post("/apply-template", {"messages": [{"role": "user", "content": "Hello"}]}).json["prompt"].startswith("<user>Hello")


def test_local_and_remote_side_by_side(local, backend, smollm2):
    from support.gateway import backend_config
    g = local(model(smollm2, "smol") + backend_config(backend))
    assert [m["id"] for m in g.get("/v1/models").json["data"]] == ["smol", "fake-model", "fake-small"]
    assert g.get("/health").json["model"] == "smol", "the first local one is the default"
    assert g.chat(model="fake-model").text == "Hello from the scripted backend."
    assert g.engines() == []
    assert g.chat("Hi", max_tokens=2).json["usage"]["completion_tokens"] <= 2


def test_a_model_on_the_command_line(local, smollm2):
    g = local("", args=["--model", smollm2])
    listed = json.loads(g.run("models", "--port", str(g.port), "--json").stdout)["models"]
    assert len(listed) == 1 and "smol" in listed[0]["id"].lower()
    assert g.chat("Hi", max_tokens=2).status == 200


def test_sigterm_while_an_engine_generates(local, smollm2):
    g = local("[server]\ndrain_ms = 500\n" + model(smollm2))
    c = g.open_stream({"messages": [{"role": "user", "content": "Tell me a very long story."}], "stream": True, "max_tokens": 4000,
                       "ignore_eos": True})
    answer = c.read_head()
    body = c.body(answer)
    next(body)
    g.stop()
    for _ in body:
        pass
    assert not answer.done
    c.close()


@pytest.mark.parametrize("engine", ["LOCALCODE_ENGINE", "LOCALCODE_LLAMA_SERVER"])
def test_gemma(local, gemma, engine):
    """Sliding-window attention, trained for 32k, a template without tools."""
    g = local(model(gemma, "gemma"), engine)
    answer = g.chat("The capital of France is", max_tokens=8, temperature=0)
    assert answer.status == 200 and answer.text
    streamed = g.chat("The capital of France is", max_tokens=8, temperature=0, stream=True)
    assert streamed.text == answer.text
    assert g.get("/v1/models/gemma").json["meta"]["n_ctx"] >= 16384
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    answer = g.chat("Look!", tools=tools, max_tokens=8)
    assert answer.status == 200 or answer.error["message"]
    prompt = g.post("/apply-template", {"messages": [{"role": "user", "content": "Look!"}], "tools": tools}).json["prompt"]
    assert "look" in prompt


@pytest.mark.full
def test_both_models_at_once(local, smollm2, gemma):
    g = local(model(smollm2, "smol") + model(gemma, "gemma"))
    answers = {}
    threads = [threading.Thread(target=lambda n=n: answers.update({n: g.chat("Hi", model=n, max_tokens=16, stream=True)}))
               for n in ("smol", "gemma")]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(a.status == 200 and a.done for a in answers.values())
    assert len(g.engines()) == 2


@pytest.mark.parametrize("engine", ["LOCALCODE_ENGINE", "LOCALCODE_LLAMA_SERVER"])
def test_an_engine_that_hangs_is_ended(local, smollm2, engine):
    """Stopped, not dead: its socket stays open, and nothing would ever come."""
    g = local(model(smollm2), engine)
    assert g.chat("Hi", max_tokens=2).status == 200
    pid = g.engines()[0]
    os.kill(pid, signal.SIGSTOP)
    answer = g.chat("Are you there?", max_tokens=2, timeout=600)
    assert answer.status == 502, answer.body
    until(lambda: not alive(pid))
    g.wait_log("it hung")
    assert g.chat("Hi", max_tokens=2).status == 200, "the next request gets a fresh one"
    assert g.engines() and g.engines() != [pid]


def test_a_busy_engine_does_not_count_as_hung(local, smollm2):
    """A client that reads nothing makes its engine wait; others go on."""
    g = local(model(smollm2))
    stalled = g.open_stream({"messages": [{"role": "user", "content": "Count"}], "stream": True, "max_tokens": 16000, "ignore_eos": True})
    assert stalled.read_head().status == 200
    pid = g.engines()[0]
    until(lambda: g.chat("Hi", max_tokens=8).status == 200 and time.monotonic() - stalled.sent_at > 20, 600)
    assert g.engines() == [pid]
    stalled.close()


def test_a_request_right_after_its_engines_death_gets_a_fresh_one(local, smollm2):
    g = local(model(smollm2))
    assert g.chat("Hi", max_tokens=2).status == 200
    for _ in range(3):
        # It may not be known yet that it is gone: its socket refuses, or breaks.
        os.kill(g.engines()[0], signal.SIGKILL)
        answer = g.chat("Hi", max_tokens=2)
        assert answer.status == 200, answer.body
