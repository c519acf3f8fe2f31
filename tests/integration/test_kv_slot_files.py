"""A slot file saved by a real llama-server, cut into chunks, stored, put together again, and restored by another one."""
import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import time

import pytest

WORDS = ("river stone light garden window paper engine cloud silver market table branch number winter forest letter "
         "travel bottle friend morning circle anchor basket candle desert escape fabric gentle harbor island").split()
TOKENS = 900

pytestmark = pytest.mark.full  # minutes of prefill on slow cores


def required(variable):
    path = os.environ.get(variable)
    if not path or not os.path.exists(path):
        pytest.fail(f"{variable} must name an existing file")
    return path


@pytest.fixture(scope="module")
def tool():
    build = pathlib.Path(required("LOCALCODE_BIN")).parent.parent
    return str(build / "tests/integration/kv/kv_slot_tool")


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=300)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(300)
        self.sock.connect(self.path)


class Server:
    """A stock llama-server with two slots of 4,096 tokens."""

    def __init__(self, folder, *args):
        self.folder = folder
        self.socket = str(folder / "s.sock")
        self.log = open(folder / "log", "ab")
        self.process = subprocess.Popen(
            [required("LOCALCODE_LLAMA_SERVER"), "-m", required("LOCALCODE_TEST_MODEL_SMOLLM2"), "--host", self.socket,
             "-np", "2", "-c", "8192", "-b", "512", "--cache-ram", "0", "--slot-save-path", str(folder) + "/", *args],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until = time.monotonic() + 120
        while True:
            try:
                if self.request("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < until, (folder / "log").read_text()[-2000:]
            time.sleep(0.05)

    def request(self, method, path, body=None):
        connection = Connection(self.socket)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def post(self, path, body):
        status, answer = self.request("POST", path, body)
        assert status == 200, answer
        return answer

    def complete(self, tokens, n_predict):
        return self.post("/completion", {"prompt": tokens, "n_predict": n_predict, "temperature": 0, "id_slot": 0,
                                         "cache_prompt": True, "n_probs": 8, "seed": 1})

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


@pytest.fixture
def start(tmp_path_factory):
    servers = []

    def starter(*args):
        folder = tmp_path_factory.mktemp("s")
        servers.append(Server(folder, *args))
        return servers[-1]
    yield starter
    for server in servers:
        if server.process.poll() is None:
            server.stop()


def run(*args):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(part.split("=") for part in done.stdout.split())


def probabilities(answer):
    return [[(p["id"], p["logprob"]) for p in t["top_logprobs"]] for t in answer["completion_probabilities"]]


@pytest.mark.parametrize("name,arguments,streams", [
    ("flash attention, split", ["-fa", "on"], 2),
    ("no flash attention, split", ["-fa", "off"], 2),
    ("unified", ["-fa", "on", "--kv-unified"], 1),
    ("q8_0", ["-fa", "on", "-ctk", "q8_0", "-ctv", "q8_0"], 2),
])
def test_cut_and_put_together(name, arguments, streams, start, tool, tmp_path):
    rng = random.Random(7)
    first = start(*arguments)
    text = " ".join(rng.choice(WORDS) for _ in range(TOKENS))
    tokens = first.post("/tokenize", {"content": text})["tokens"][:TOKENS]
    suffix = first.post("/tokenize", {"content": " Count the words about weather and name them:"})["tokens"]
    first.complete(tokens, 0)
    first.post("/slots/0?action=save", {"filename": "saved.bin"})
    facts = run(tool, "save", tmp_path / "kv", first.folder / "saved.bin")
    assert facts["tokens"] == facts["cells"] == str(len(tokens))
    assert facts["streams"] == str(streams) and facts["sections"] == "1"
    assert facts["chunks"] == str((len(tokens) + 255) // 256)
    assert int(facts["bytes"]) < int(facts["file"]) * 1.02, "chunks cost little more than the rows"
    assert run(tool, "verify", tmp_path / "kv")["bad"] == "0"

    second = start(*arguments)
    elements = [2] if "off" in arguments else []  # without flash attention V is transposed: f16, two bytes
    for cut in (512, 300, len(tokens)):
        prompt = tokens[:cut] + suffix
        in_memory = first.complete(prompt, 4)
        assert in_memory["timings"]["cache_n"] == cut
        written = run(tool, "write", tmp_path / "kv", cut, streams, second.folder / "cut.bin", *elements)
        restored = second.post("/slots/0?action=restore", {"filename": "cut.bin"})
        assert restored["n_restored"] == cut and restored["n_read"] == int(written["bytes"])
        answer = second.complete(prompt, 4)
        assert answer["timings"]["cache_n"] == cut
        assert answer["content"] == in_memory["content"]
        assert probabilities(answer) == probabilities(in_memory), "bit for bit what the rows in memory give"
        # For the next round: the whole prompt in the first server's slot, as it was saved.
        first.post("/slots/0?action=restore", {"filename": "saved.bin"})

    if elements:
        # Rows for a server that wants columns: refused, and unharmed.
        run(tool, "write", tmp_path / "kv", 300, streams, second.folder / "cut.bin")
        status, answer = second.request("POST", "/slots/0?action=restore", {"filename": "cut.bin"})
        assert status == 400, answer
        assert second.complete(suffix, 1)["timings"]["cache_n"] == 0
    # The whole file is the server's own, but for the stream and the sequence ids, which readers ignore.
    run(tool, "write", tmp_path / "kv", 0, streams, tmp_path / "again.bin", *elements)
    saved, again = (first.folder / "saved.bin").read_bytes(), (tmp_path / "again.bin").read_bytes()
    assert len(saved) == len(again)
    different = sum(a != b for a, b in zip(saved, again))
    assert different <= len(tokens) * 4 + 16
    shutil.rmtree(tmp_path / "kv")
