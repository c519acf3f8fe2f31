"""KV states when the disk, the clock, or somebody else misbehaves: always the right answer, nothing left behind, a clean store.

A tiny random model makes the answers; faults are injected into the real gateway and the real engine by a preloaded library.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys

import pytest

from support.gateway import Gateway, alive, program, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "engine" / "tests"))
import tiny_hybrid  # noqa: E402

SYSTEM = "You are a coding agent. " + " ".join(f"Rule {i}: module {i * 37 % 101} stays." for i in range(24))
TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(tiny_hybrid.write_window(tmp_path_factory.mktemp("model") / "tiny.gguf", window=0))


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """The library, compiled."""
    out = tmp_path_factory.mktemp("faults") / "faults.so"
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(out), str(ROOT / "tests/support/disk_faults.c"), "-ldl"], check=True)
    return str(out)


class Faulty(Gateway):
    """A gateway whose disk can be spoilt."""
    number = 0

    def spoil(self, action="none", role="both", at=0):
        self.number += 1
        self.faults.write_text(f"{self.number} {action} {role} {at}\n")

    def heal(self):
        self.spoil()

    kv = property(lambda self: self.state_dir / "kv")
    faults = property(lambda self: self.home / "faults")
    clock = property(lambda self: self.home / "clock")


@pytest.fixture
def states(model, faults, tmp_path):
    """states(slots, more TOML) -> a running Faulty gateway on the tiny model"""
    made = []
    template = tmp_path / "template.jinja"
    template.write_text(TEMPLATE)

    def make(slots=1, extra="", **more):
        config = (f'[[model]]\nname = "tiny"\npath = "{model}"\nslots = {slots}\nthreads = 1\ncontext = 4096\n'
                  f'chat_template = "{template}"\n{extra}\n')
        gateway = Faulty(config, engine=program("LOCALCODE_ENGINE"), start=False, **more)
        gateway.env.update(LD_PRELOAD=faults, LOCALCODE_TEST_FAULT_DIR=str(gateway.kv) + "/", LOCALCODE_TEST_FAULTS=str(gateway.faults),
                           LOCALCODE_TEST_CLOCK=str(gateway.clock))
        made.append(gateway)
        return gateway.start()
    yield make
    for gateway in made:
        gateway.close()


class Said:
    """An answer with what the model thought of other words: equal when it was computed from the same state (llama.cpp's
    sums differ a little with the split of a prompt)."""
    def __init__(self, choice):
        self.text = choice["message"]["content"]
        self.words = [{t["token"]: t["logprob"] for t in word["top_logprobs"]} for word in choice["logprobs"]["content"]]

    def __eq__(self, other):
        pairs = list(zip(self.words, other.words))
        near = all(abs(a[t] - b[t]) < 0.15 for a, b in pairs for t in a.keys() & b.keys())
        return self.text == other.text and near and all(len(a.keys() & b.keys()) >= 3 for a, b in pairs)

    def __repr__(self):
        return f"{self.text!r} {self.words[:1]}"


def turn(gateway, session, *texts, **more):
    """(what was said, cached tokens, tokens of the prompt)"""
    messages = [{"role": "system", "content": SYSTEM}]
    messages += [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]
    body = {"messages": messages, "max_tokens": 6, "temperature": 0, "ignore_eos": True, "logprobs": True, "top_logprobs": 5, **more}
    answer = gateway.post("/v1/chat/completions", body, [("x-session-id", session)])
    assert answer.status == 200, answer.body
    body = json.loads(answer.body)
    usage = body["usage"]
    return Said(body["choices"][0]), usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"]


def command(gateway, *args):
    def attempt():
        done = gateway.run(*args, "--json", "--port", str(gateway.port), check=False)
        assert done.stdout or "not open yet" in done.stderr, done.stderr
        return done.stdout
    return json.loads(until(attempt, 60))


def stored(gateway, session):
    return next((s["stored_tokens"] for s in command(gateway, "sessions")["sessions"] if s["id"] == session and "disk" in s["where"]), 0)


def wait_stored(gateway, session, tokens):
    until(lambda: stored(gateway, session) >= tokens, 60, f"session {session} should be stored")


def blobs(gateway):
    return {p: p.stat().st_size for kind in ("chunks", "snapshots", "manifests") for p in (gateway.kv / kind).glob("*/*")}


def assert_clean(gateway):
    """All that is stored is right, and there is nothing that the store does not count."""
    assert command(gateway, "cache", "verify")["bad"] == 0
    until(lambda: not list((gateway.kv / "tmp").iterdir()), 30, "nothing half-written should stay")
    until(lambda: command(gateway, "cache", "stats")["bytes"] == sum(blobs(gateway).values()), 30,
          "every file should be counted, and be there")


def restart(gateway):
    gateway.stop()
    gateway.start()


@pytest.fixture
def right(states):
    """The answer to a first question, computed without any state."""
    with_none = states(extra="")
    out = turn(with_none, "cold", "Hello there", localcode={"cache": "off"})[0]
    with_none.stop()
    return out


def test_a_full_disk_costs_only_the_states(states, right):
    gateway = states()
    answer, _, prompt = turn(gateway, "A", "Hello there")
    assert answer == right
    wait_stored(gateway, "A", prompt)
    before = blobs(gateway)
    for role in ("engine", "gateway"):
        gateway.spoil("full", role)
        said, _, longer = turn(gateway, "A", "Hello there", "Yes.", f"And with a full disk of the {role}? " + "x" * 300)
        gateway.wait_log("was not saved")
        assert turn(gateway, "A", "Hello there", "Yes.", f"And with a full disk of the {role}? " + "x" * 300)[:2] == (said, longer - 1)
        gateway.log_path.write_text("")
        assert blobs(gateway).keys() >= before.keys(), "what was stored stays"
    gateway.heal()
    _, _, longer = turn(gateway, "A", "Hello there", "Yes.", "There is room again.")
    wait_stored(gateway, "A", longer)
    restart(gateway)
    assert_clean(gateway)
    assert turn(gateway, "A", "Hello there", "Yes.", "There is room again.")[1] == longer - 1


def test_a_store_that_turns_read_only(states, right):
    gateway = states()
    answer, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)
    before = blobs(gateway)
    gateway.spoil("readonly")
    assert turn(gateway, "B", "Who is there?")[1] > 0
    again, cached, _ = turn(gateway, "A", "Hello there")
    assert again == right and cached > 0
    gateway.stop()
    gateway.start()  # the whole folder is read-only from the first moment
    again, _, _ = turn(gateway, "A", "Hello there")
    assert again == right
    assert blobs(gateway) == before
    gateway.heal()
    restart(gateway)
    again, cached, _ = turn(gateway, "A", "Hello there")
    assert (again, cached) == (right, prompt - 1)
    assert_clean(gateway)


def test_a_second_gateway_on_the_folder(states, right):
    first = states()
    answer, _, prompt = turn(first, "A", "Hello there")
    wait_stored(first, "A", prompt)
    before = blobs(first)
    # Another home and port, the same folder of states.
    second = states(extra=f'[kv]\ndir = "{first.kv}"\n')
    assert turn(second, "A", "Hello there")[0] == right
    assert "in use by another localcode" in second.log
    assert blobs(first) == before
    _, _, longer = turn(first, "A", "Hello there", "Yes.", "Go on")
    wait_stored(first, "A", longer)
    second.stop()
    restart(first)
    assert turn(first, "A", "Hello there")[0] == right
    assert_clean(first)


def test_the_clock_goes_backwards(states, right):
    gateway = states()
    answer, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)
    for days in (-1, -4000, 4000):
        gateway.clock.write_text(str(days * 86400))
        _, _, other = turn(gateway, "B", f"Hello from day {days}")
        wait_stored(gateway, "B", other)
        again, cached, _ = turn(gateway, "A", "Hello there")
        assert again == right and cached >= prompt - 1
        restart(gateway)
        assert turn(gateway, "A", "Hello there")[:2] == (right, prompt - 1)
        assert_clean(gateway)


def test_files_torn_and_flipped_under_a_running_gateway(states, right):
    gateway = states()
    rng = random.Random(5)
    answer, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)

    def flip(path):
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)

    def not_a_number(path):
        data = bytearray(path.read_bytes())
        data[-4096:] = b"\xff" * 4096
        path.write_bytes(data)
    spoils = [flip, flip, lambda p: os.truncate(p, p.stat().st_size // 2), lambda p: os.truncate(p, 0), lambda p: os.unlink(p),
              lambda p: p.write_bytes(rng.randbytes(p.stat().st_size)), not_a_number]
    for n, spoil in enumerate(spoils):
        turn(gateway, f"other {n}", "Something else")  # the only slot is another session's now
        wait_stored(gateway, "A", prompt)
        chunks = sorted((gateway.kv / "chunks").glob("*/*"))
        manifests = sorted((gateway.kv / "manifests").glob("*/*"))
        spoil(rng.choice(chunks))
        if n % 2:
            spoil(rng.choice(manifests))
        again, _, _ = turn(gateway, "A", "Hello there")
        assert again == right, n
        assert all(alive(pid) for pid in gateway.engines())
        command(gateway, "cache", "verify")  # finds what no request has touched
        turn(gateway, "A", "Hello there")
        until(lambda: command(gateway, "cache", "verify")["bad"] == 0, 60)
        again, cached, longer = turn(gateway, "A", "Hello there", "Yes.", f"Turn {n}")
        wait_stored(gateway, "A", longer)
    restart(gateway)
    assert_clean(gateway)
    assert turn(gateway, "A", "Hello there")[0] == right


def write_adapter(path):
    """A LoRA for one matrix of the tiny model."""
    fields = {"general.architecture": "gemma3", "general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": 4.0}
    embd = tiny_hybrid.EMBD
    return tiny_hybrid.write_gguf(path, fields, [("blk.0.attn_q.weight.lora_a", (embd, 2)), ("blk.0.attn_q.weight.lora_b", (2, embd))])


def test_a_state_of_another_identity_is_never_used(states, right, tmp_path):
    gateway = states()
    _, _, prompt = turn(gateway, "A", "Hello there")
    wait_stored(gateway, "A", prompt)
    plain = gateway.config_path.read_text()
    lora = write_adapter(tmp_path / "lora.gguf")
    for args in (["--rope-freq-base", "90000"], ["--cache-type-k", "q8_0"], ["--lora", str(lora)], ["--rope-freq-scale", "0.5"]):
        gateway.stop()
        gateway.config_path.write_text(plain + f"args = {json.dumps(args)}\n")
        gateway.start()
        said, cached, _ = turn(gateway, "A", "Hello there")
        assert cached == 0, args
        assert said == turn(gateway, "cold", "Hello there", localcode={"cache": "off"})[0], args
        wait_stored(gateway, "A", prompt)
    gateway.stop()
    gateway.config_path.write_text(plain)
    gateway.start()
    assert turn(gateway, "A", "Hello there")[:2] == (right, prompt - 1)
    assert_clean(gateway)


def saved_all(gateway, tokens):
    done = gateway.run("sessions", "--json", "--port", str(gateway.port), check=False)
    return done.returncode == 0 and any(s["id"] == "A" and s["stored_tokens"] >= tokens for s in json.loads(done.stdout)["sessions"])


@pytest.mark.parametrize("who", ["gateway", "engine"])
def test_killed_at_any_step_of_a_save(states, right, who):
    gateway = states()
    rng = random.Random(11)
    answer, _, _ = turn(gateway, "A", "Hello there")
    assert answer == right
    deaths = 0
    for step in [1, 2, 3, 4, 6, 9, 13, 18, *rng.sample(range(19, 60), 4)]:
        text = f"Step {step}. " + "".join(rng.choice("abcdefgh ") for _ in range(400))
        gateway.spoil("kill", who, step)
        victim = gateway.process.pid if who == "gateway" else gateway.engines()[0]
        said, tokens = None, 0
        try:
            said, _, tokens = turn(gateway, "A", "Hello there", "Yes.", text)
        except (AssertionError, OSError):
            until(lambda: not alive(victim), 30, "only a death breaks an answer")
        # A save may have fewer steps than that.
        until(lambda: not alive(victim) or saved_all(gateway, tokens), 60)
        died = not alive(victim)
        deaths += died
        gateway.heal()
        if died and who == "gateway":
            gateway.process.wait()
            until(lambda: not gateway.engines(), 60, "engines end with their gateway")
            gateway.start()
        elif deaths % 3 == 2:
            restart(gateway)  # an engine that dies often is not started again at once
        assert turn(gateway, "A", "Hello there")[0] == right, step
        again, _, longer = turn(gateway, "A", "Hello there", "Yes.", text)
        assert said is None or said == again, step
        wait_stored(gateway, "A", longer)
        assert command(gateway, "cache", "verify")["bad"] == 0, step
    assert deaths >= 4, "most of these steps should be part of a save"
    restart(gateway)
    assert_clean(gateway)


def test_ends_at_once_is_no_fault(states, right):
    """SIGTERM in the middle of saving: what is half-written is gone, what is stored is right."""
    gateway = states()
    for n in range(3):
        turn(gateway, "A", "Hello there", "Yes.", f"Turn {n} " + "y" * 500)
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(60)
        gateway.process = None
        gateway.start()
        assert turn(gateway, "A", "Hello there")[0] == right
        assert_clean(gateway)
