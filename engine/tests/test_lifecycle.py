"""Start, stop, a parent that dies, models that cannot be loaded."""
import os
import signal
import subprocess
import sys
import time

import pytest

from engine_process import Background, Engine, UnixConnection, text

ARGS = ("-t", 1, "-c", 8192, "-np", 2, "--no-kv-unified", "--cache-ram", 0, "-fa", "on", "-b", 512)


def run_once(binary, *args):
    done = subprocess.run([binary, *map(str, args)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def last_line(stderr):
    return stderr.strip().splitlines()[-1]


def gone(pid, seconds=20):
    """True once no such process runs (a zombie that nobody reaps has ended too)."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with open(f"/proc/{pid}/stat") as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_says_what_it_is(start, smollm2, engine_binary):
    engine = start(smollm2, *ARGS)
    status, answer = engine.get("/localcode/engine")
    assert status == 200
    assert answer["engine"] == "localcode-engine" and answer["api"] == 1 and answer["llama_cpp"] == "0.5.0"
    assert "fast_cancel" in answer["features"]
    code, out, _ = run_once(engine_binary, "--version")
    assert code == 0 and out.startswith("localcode-engine api 1, llama.cpp 0.5.0")
    assert all(feature in out for feature in answer["features"])


def test_routes(start, smollm2):
    engine = start(smollm2, *ARGS)
    assert engine.get("/health") == (200, {"status": "ok"})
    assert engine.get("/props")[1]["total_slots"] == 2
    assert engine.get("/v1/models")[1]["data"][0]["meta"]["n_ctx"] == 4096
    tokens = engine.ok("/tokenize", {"content": "hello world"})["tokens"]
    assert engine.ok("/detokenize", {"tokens": tokens})["content"] == "hello world"
    messages = [{"role": "user", "content": "Say hi"}]
    assert "Say hi" in engine.ok("/apply-template", {"messages": messages})["prompt"]
    chat = engine.ok("/v1/chat/completions", {"messages": messages, "max_tokens": 3})
    assert chat["usage"]["completion_tokens"] == 3
    anthropic = engine.ok("/v1/messages", {"model": "x", "messages": messages, "max_tokens": 3})
    assert anthropic["type"] == "message"
    assert engine.ok("/v1/messages/count_tokens", {"model": "x", "messages": messages})["input_tokens"] > 3
    assert engine.ok("/v1/responses", {"model": "x", "input": "Say hi", "max_output_tokens": 3})["object"] == "response"
    for path in ("/", "/tools", "/cors-proxy", "/models/sse"):
        assert engine.get(path)[0] == 404, path
    status, answer = engine.post("/v1/chat/completions", {"messages": "nonsense"})
    assert status == 400 and answer["error"]["message"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_when_idle(start, smollm2, number):
    engine = start(smollm2, *ARGS)
    begin = time.monotonic()
    assert engine.stop(number) == 0
    print(f"\nstopped after {(time.monotonic() - begin) * 1000:.0f} ms")
    assert not os.path.exists(engine.socket)


def test_stops_while_generating(start, smollm2):
    engine = start(smollm2, *ARGS)
    events = engine.events("/v1/chat/completions", {"messages": [{"role": "user", "content": "Count"}], "max_tokens": 4000,
                                                   "ignore_eos": True})
    for _ in range(5):
        next(events)
    plain = Background(engine.post, "/completion", {"prompt": text(100, 1), "n_predict": 4000, "ignore_eos": True})
    engine.wait_slot(0, busy=True)
    engine.wait_slot(1, busy=True)
    begin = time.monotonic()
    engine.process.send_signal(signal.SIGTERM)
    rest = list(events)
    assert "error" in rest[-1], rest[-1]
    status, answer = plain.result()
    assert status == 503 and "stopping" in answer["error"]["message"]
    assert engine.process.wait(20) == 0
    took = time.monotonic() - begin
    print(f"\nstopped after {took * 1000:.0f} ms")
    assert took < 10


def test_stops_in_the_middle_of_a_prefill(start, smollm2):
    engine = start(smollm2, "-t", 1, "-c", 16384, "-np", 1, "--cache-ram", 0, "-fa", "on", "-b", 2048, "-ub", 2048)
    waiting = Background(engine.post, "/completion", {"prompt": text(6000, 2), "n_predict": 4})
    engine.wait_slot(0, busy=True)
    time.sleep(0.3)
    queued = Background(engine.post, "/completion", {"prompt": "queued", "n_predict": 4})
    time.sleep(0.2)
    begin = time.monotonic()
    assert engine.stop() == 0
    took = time.monotonic() - begin
    assert waiting.result()[0] == 503
    assert queued.result()[0] == 503
    print(f"\nstopped after {took * 1000:.0f} ms")
    assert took < 4, "waited for the batch"


def test_a_client_that_does_not_read_cannot_hold_it(start, smollm2):
    engine = start(smollm2, *ARGS)
    connection = engine.open("/completion", {"prompt": "x", "n_predict": 4000, "ignore_eos": True, "stream": True,
                                             "n_probs": 50})
    engine.wait_slot(0, busy=True) if engine.slots()[0]["is_processing"] else None
    time.sleep(1)
    assert engine.stop(seconds=30) == 0
    connection.close()


def test_stops_while_loading(engine_binary, gemma, tmp_path):
    engine = Engine(engine_binary, gemma, ARGS, tmp_path)
    try:
        until = time.monotonic() + 60
        while not os.path.exists(engine.socket) and time.monotonic() < until:
            time.sleep(0.005)
        assert engine.stop() == 0
        assert not os.path.exists(engine.socket)
    finally:
        engine.kill()


PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen(sys.argv[1:] + ["--die-with-parent", str(os.getpid())],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("when", ["loading", "ready", "generating"])
def test_dies_with_its_parent(engine_binary, smollm2, tmp_path, when):
    path = str(tmp_path / "e.sock")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, engine_binary, "-m", smollm2, "--host", path, *map(str, ARGS)],
                              stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    connection = None
    try:
        if when != "loading":
            engine = Engine.__new__(Engine)
            engine.socket = path
            engine.process = parent
            engine.wait_ready()
            if when == "generating":
                connection = engine.open("/completion", {"prompt": "x", "n_predict": 4000, "ignore_eos": True, "stream": True})
                connection.getresponse()
        assert not gone(child, seconds=0.1)
        parent.kill()
        parent.wait()
        begin = time.monotonic()
        assert gone(child), "the engine survived its parent"
        print(f"\ngone after {(time.monotonic() - begin) * 1000:.0f} ms")
    finally:
        parent.kill()
        if not gone(child, seconds=0):
            os.kill(child, signal.SIGKILL)
        if connection:
            connection.close()


def test_survives_the_thread_that_started_it(engine_binary, smollm2, tmp_path):
    """The kernel's parent-death signal would come when that thread ends."""
    def begin():
        return Engine(engine_binary, smollm2, [*ARGS, "--die-with-parent", os.getpid()], tmp_path)
    engine = Background(begin).result()
    try:
        engine.wait_ready()
        time.sleep(1.5)
        assert engine.get("/health")[0] == 200
        assert engine.stop() == 0
    finally:
        engine.kill()


def test_refuses_what_it_cannot_serve(engine_binary, smollm2, tmp_path):
    garbage = tmp_path / "garbage.gguf"
    garbage.write_bytes(b"GGUF" + bytes(1000))
    text_file = tmp_path / "text.gguf"
    text_file.write_text("this is not a model")
    sock = tmp_path / "e.sock"
    cases = [
        ("no model", [], "no model"),
        ("missing file", ["-m", tmp_path / "none.gguf", "--host", sock], "cannot load the model"),
        ("not a GGUF", ["-m", text_file, "--host", sock], "cannot load the model"),
        ("garbage behind the magic", ["-m", garbage, "--host", sock], "cannot load the model"),
        ("download", ["-hf", "org/repo", "--host", sock], "does not download"),
        ("unknown argument", ["-m", smollm2, "--no-such-argument"], "bad arguments"),
        ("parent not a number", ["--die-with-parent", "x"], "process id"),
        ("parent gone", ["-m", smollm2, "--die-with-parent", 2 ** 22 + 1], "parent"),
        ("no such folder", ["-m", smollm2, "--host", tmp_path / "none" / "e.sock"], "cannot listen"),
    ]
    for name, args, want in cases:
        code, _, stderr = run_once(engine_binary, *args)
        assert code != 0, name
        assert last_line(stderr).startswith("localcode-engine:") and want in last_line(stderr), (name, stderr[-500:])
        assert not sock.exists(), name


def test_answers_while_loading(engine_binary, gemma, tmp_path):
    engine = Engine(engine_binary, gemma, ARGS, tmp_path)
    try:
        until = time.monotonic() + 60
        status = None
        while status is None and time.monotonic() < until:
            try:
                connection = UnixConnection(engine.socket)
                connection.request("GET", "/health")
                status = connection.getresponse().status
            except OSError:
                time.sleep(0.005)
        assert status in (503, 200)
        engine.wait_ready()
    finally:
        engine.kill()
