"""KV states with a real model: kept through restarts, swapped between slots, shared, verified; for both engines."""
import json
import os
import pathlib
import re
import signal
import threading

import pytest

from support.gateway import program, until

ENGINES = {"ours": "LOCALCODE_ENGINE", "stock": "LOCALCODE_LLAMA_SERVER"}
SYSTEM = "You are a coding agent. " + " ".join(f"Rule {i}: module {i * 37 % 101} is never changed by hand." for i in range(40))
TITLE = "You are a title generator. You output ONLY a thread title."


@pytest.fixture(params=sorted(ENGINES))
def kind(request):
    return request.param


# What is the gateway's alone needs one engine only.
one_engine = pytest.mark.parametrize("kind", ["ours"], indirect=True)


@pytest.fixture
def states(make_gateway, smollm2, kind):
    """Starts a gateway with SmolLM2: states(slots=2, more TOML)."""
    def make(slots=2, extra="", top="", **more):
        config = f'{top}\n[[model]]\nname = "smol"\npath = "{smollm2}"\nslots = {slots}\nthreads = 1\ncontext = 8192\n{extra}\n'
        return make_gateway(config, engine=program(ENGINES[kind]), **more)
    return make


def turn(gateway, session, *texts, system=SYSTEM, headers=(), **more):
    """A chat of user and assistant turns. Returns (answer, tokens that were cached, tokens of the prompt)."""
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]
    body = {"messages": messages, "max_tokens": 6, "temperature": 0, "stream": True,
            "stream_options": {"include_usage": True}, **more}
    answer = gateway.post("/v1/chat/completions", body, [("x-session-id", session), *headers])
    assert answer.status == 200, answer.body
    assert answer.clean and answer.done, answer.body
    usage = next(e["usage"] for e in reversed(answer.events) if e.get("usage"))
    return answer, usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"]


def closing(answer):
    """What the comment at the end of a stream says."""
    return next(json.loads(c[len(b": localcode "):]) for c in reversed(answer.comments) if c.startswith(b": localcode {"))


def stored(gateway, session=None):
    done = json.loads(gateway.run("sessions", "--json", "--port", str(gateway.port)).stdout)["sessions"]
    return [s for s in done if (session is None or s["id"] == session) and "disk" in s["where"]]


def status(gateway):
    return json.loads(gateway.run("status", "--json", "--port", str(gateway.port)).stdout)


def wait_stored(gateway, session, tokens=1):
    return until(lambda: next((s for s in stored(gateway, session) if s["stored_tokens"] >= tokens), None), 180,
                 f"session {session} should be stored")


def metric(gateway, name):
    text = gateway.get("/metrics").body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"localcode_{name}(\{{|\s)", line))


def verify(gateway):
    done = json.loads(gateway.run("cache", "verify", "--json", "--port", str(gateway.port)).stdout)
    assert done["bad"] == 0
    return done


def test_a_prompt_is_prefilled_once(states):
    gateway = states()
    first, cached, prompt = turn(gateway, "A", "Hello there")
    assert cached == 0 and prompt > 600
    assert closing(first)["cache"].startswith("miss")
    key = first.header("x-localcode-cache-key")
    wait_stored(gateway, "A", prompt)

    # The gateway starts again: the same request, then the next turn.
    gateway.stop()
    gateway.start()
    again, cached, prompt_again = turn(gateway, "A", "Hello there")
    assert prompt_again == prompt and cached == prompt - 1
    assert again.text == first.text
    assert closing(again)["cache"] == f"hit;tokens={prompt - 1}"
    assert key is None or again.header("x-localcode-cache-key") in (None, key)
    _, cached, longer = turn(gateway, "A", "Hello there", first.text, "And now?")
    assert cached >= prompt - 8 and longer > prompt

    # The engine dies.
    wait_stored(gateway, "A", longer)
    for pid in gateway.engines():
        os.kill(pid, signal.SIGKILL)
    until(lambda: any(e["phase"] != "ready" for e in status(gateway)["engines"]), message="its death should be seen")
    after, cached, _ = turn(gateway, "A", "Hello there", first.text, "And now?")
    assert cached == longer - 1, closing(after)
    verify(gateway)


def test_sessions_share_a_slot_by_turns(states):
    gateway = states(slots=1)
    prompts = {}
    for name in "ABC":
        _, cached, prompts[name] = turn(gateway, name, f"I am {name}, remember me")
        if name != "A":
            assert cached > 590, "system prompt and tools come from the store"
        wait_stored(gateway, name, prompts[name])
    for name in "ABCA":
        answer, cached, _ = turn(gateway, name, f"I am {name}, remember me", "Yes.", "Who am I?")
        # What another session of the same project left in the slot may do as well as a restore.
        assert cached >= prompts[name] - 64, closing(answer)
        wait_stored(gateway, name, prompts[name] + 1)
    listed = {s["id"] for s in stored(gateway)}
    assert listed == {"A", "B", "C"}
    # Three sessions with one prefix take little more than one.
    sizes = [s["bytes"] for s in stored(gateway)]
    stats = json.loads(gateway.run("cache", "stats", "--json", "--port", str(gateway.port)).stdout)
    assert stats["bytes"] < 1.8 * max(sizes)
    verify(gateway)


ASKED = {"/v1/messages": (lambda text: {"system": SYSTEM, "messages": [{"role": "user", "content": text}], "max_tokens": 4},
                          lambda u: (u["cache_read_input_tokens"], u["cache_read_input_tokens"] + u["input_tokens"])),
         "/v1/responses": (lambda text: {"instructions": SYSTEM, "input": [{"role": "user", "content": text}], "max_output_tokens": 4},
                           lambda u: (u["input_tokens_details"]["cached_tokens"], u["input_tokens"]))}


@one_engine
@pytest.mark.parametrize("path", sorted(ASKED))
def test_a_second_session_begins_behind_the_head_in_every_dialect(states, path):
    gateway = states(slots=1)
    body, usage = ASKED[path]

    def ask(session, text):
        answer = gateway.post(path, {**body(text), "temperature": 0}, [("x-session-id", session)])
        assert answer.status == 200, answer.body
        return usage(json.loads(answer.body)["usage"])
    assert ask("A", "Hello there, what is in this project?")[0] == 0
    wait_stored(gateway, "A", 256)
    gateway.stop()
    gateway.start()
    cached, prompt = ask("B", "Something quite different, please.")
    # To the very token: chunks alone would end at a multiple of 256.
    assert prompt - 40 < cached < prompt - 4 and cached % 256 != 0


def test_a_title_waits_for_the_main_request_and_costs_nothing(states):
    gateway = states(slots=1)
    seen = []

    def ask_title():
        answer, _, _ = turn(gateway, "T", "Generate a title", system=TITLE)
        seen.append(("title", answer))

    thread = threading.Thread(target=ask_title)
    thread.start()
    until(lambda: json.loads(gateway.run("ps", "--json", "--port", str(gateway.port)).stdout)["requests"], message="the title should be waiting")
    main, _, prompt = turn(gateway, "T", "Hello there")
    seen.append(("main", main))
    thread.join()
    until(lambda: {r["kind"] for r in gateway.requests() if r["session"] == "T"} == {"title", "main"})
    assert [name for name, _ in seen] == ["main", "title"], "the title was asked for first, and answered after the main request"
    answer, cached, _ = turn(gateway, "T", "Hello there", main.text, "Go on")
    assert cached >= prompt - 8, closing(answer)


@one_engine
def test_a_title_alone_is_answered(states):
    gateway = states()
    answer, _, _ = turn(gateway, "lonely", "Generate a title", system=TITLE)
    assert answer.text


def test_cache_off_and_refresh(states):
    gateway = states(slots=1)
    _, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)
    off, cached, _ = turn(gateway, "A", "Hello there", localcode={"cache": "off"})
    assert cached == 0 and closing(off)["cache"] == "miss;reason=cache_off"
    fresh, cached, _ = turn(gateway, "A", "Hello there", localcode={"cache": "refresh"})
    assert cached == 0 and closing(fresh)["cache"] == "miss;reason=cache_refresh"
    _, cached, _ = turn(gateway, "A", "Hello there")
    assert cached == prompt - 1


def test_tenants_share_nothing(states):
    top = '[auth]\nnamespaces = true\n[[auth.keys]]\nname = "ann"\nkey = "ka"\n[[auth.keys]]\nname = "bob"\nkey = "kb"\n'
    gateway = states(slots=1, top=top)
    ann, bob = [("authorization", "Bearer ka")], [("authorization", "Bearer kb")]
    _, _, prompt = turn(gateway, "A", "Hello there", headers=ann)
    wait_stored(gateway, "A", prompt)
    for session in ("A", "B"):
        answer, cached, _ = turn(gateway, session, "Hello there", headers=bob)
        if session == "A":
            assert cached == 0, closing(answer)
            until(lambda: len(stored(gateway)) == 2)
    _, cached, _ = turn(gateway, "A", "Hello there", headers=ann)
    assert cached == prompt - 1


def test_killed_at_any_time_it_never_answers_wrongly(states):
    gateway = states()
    first, _, prompt = turn(gateway, "A", "Hello there")
    gateway.kill()  # perhaps in the middle of the save
    until(lambda: not gateway.engines())
    gateway.start()
    again, cached, _ = turn(gateway, "A", "Hello there")
    assert again.text == first.text and cached in (0, *range(512, prompt))
    wait_stored(gateway, "A", prompt)
    verify(gateway)


def test_damage_is_found_and_set_aside(states):
    gateway = states()
    first, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)
    gateway.stop()
    chunks = sorted((pathlib.Path(gateway.state_dir) / "kv" / "chunks").glob("*/*"))
    assert len(chunks) >= 3
    for chunk in chunks:
        data = bytearray(chunk.read_bytes())
        data[-100] ^= 0x10
        chunk.write_bytes(data)
    gateway.start()
    again, cached, _ = turn(gateway, "A", "Hello there")
    assert again.text == first.text and cached == 0
    gateway.wait_log("set aside")
    wait_stored(gateway, "A", prompt)
    verify(gateway)
    gateway.stop()
    gateway.start()
    _, cached, _ = turn(gateway, "A", "Hello there")
    assert cached == prompt - 1, "it was stored again"


def test_another_model_of_the_same_shape_gets_nothing(states):
    """The same file with another RoPE base: same shape, other meaning."""
    gateway = states()
    _, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)
    gateway.stop()
    text = gateway.config_path.read_text()
    gateway.config_path.write_text(text + 'args = ["--rope-freq-base", "90000"]\n')
    gateway.start()
    _, cached, _ = turn(gateway, "A", "Hello there")
    assert cached == 0


@one_engine
def test_a_store_that_cannot_be_written_to_is_no_error(states):
    gateway = states()
    first, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)
    gateway.stop()
    kv = pathlib.Path(gateway.state_dir) / "kv"
    for folder in ("tmp", "chunks", "manifests", "snapshots"):  # root may write anywhere, but not into what is no folder
        (kv / folder).rename(kv / f"{folder}.away")
        (kv / folder).write_text("in the way")
    gateway.start()
    again, cached, _ = turn(gateway, "A", "Hello there")
    assert again.text == first.text and cached == 0
    _, cached, _ = turn(gateway, "A", "Hello there", first.text, "And now?")
    assert cached >= prompt - 8, "slots work all the same"


@one_engine
def test_without_a_store_everything_works(states):
    gateway = states(top="[kv]\nenabled = false\n")
    _, cached, prompt = turn(gateway, "A", "Hello there")
    answer, cached, _ = turn(gateway, "A", "Hello there")
    assert cached == prompt - 1, "slots keep their session in memory all the same"
    done = gateway.run("sessions", "--port", str(gateway.port), check=False)
    assert done.returncode != 0 and "no KV states are kept" in done.stderr


@one_engine
def test_commands(states, tmp_path):
    gateway = states()
    _, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)
    at = ["--port", str(gateway.port)]
    assert "A" in gateway.run("sessions", *at).stdout
    assert "states" in gateway.run("cache", "stats", *at).stdout
    assert "copied" in gateway.run("cache", "export", str(tmp_path / "out"), *at).stdout
    assert "freed" in gateway.run("cache", "clear", *at).stdout
    assert stored(gateway) == []
    gateway.run("cache", "import", str(tmp_path / "out"), *at)
    assert [s["id"] for s in stored(gateway)] == ["A"]
    assert "0 bad" in gateway.run("cache", "verify", *at).stdout
    deep = json.loads(gateway.run("cache", "verify", "--deep", "--json", *at, timeout=600).stdout)
    assert deep["bad"] == 0 and any(d["checked"] and d["good"] and d["session"] == "A" for d in deep["deep"]), deep
    gateway.run("cache", "gc", *at)
    state = ["--state-dir", str(gateway.state_dir)]
    busy = gateway.run("cache", "verify", *state, "--port", "1", check=False)
    assert busy.returncode != 0 and "in use by another localcode" in busy.stderr
    gateway.stop()
    assert json.loads(gateway.run("cache", "stats", "--json", *at, *state).stdout)["states"] >= 1
    assert "0 bad" in gateway.run("cache", "verify", *at, *state).stdout
