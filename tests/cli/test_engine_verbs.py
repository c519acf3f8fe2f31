"""`ps`, `load`, `unload` with a real engine; `top` in a real terminal."""
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from support.gateway import Gateway, alive, program, until


def port(gateway):
    return ["--port", str(gateway.port)]


@pytest.fixture
def local(smollm2):
    with Gateway(f'[[model]]\nname = "coder"\npath = "{smollm2}"\naliases = ["default"]\ncontext = 2048\n',
                 engine=program("LOCALCODE_ENGINE")) as g:
        yield g


def test_load_ps_unload(local):
    assert local.run("ps", *port(local)).stdout == "no model is loaded\n"
    assert local.run("load", "default", *port(local)).stdout == "loaded coder (2,048 tokens in each of 2 slots)\n"
    loaded = json.loads(local.run("ps", *port(local), "--json").stdout)["engines"]
    assert [(e["name"], e["phase"], e["slots"]) for e in loaded] == [("coder", "ready", 2)]
    assert "coder" in local.run("ps", *port(local)).stdout
    pid = loaded[0]["pid"]
    assert alive(pid)
    assert json.loads(local.run("load", "coder", *port(local), "--json").stdout)["phase"] == "ready", "again: nothing to do"
    assert local.run("unload", "coder", *port(local)).stdout == "coder is unloaded\n"
    assert not alive(pid)
    assert local.run("unload", "coder", *port(local)).stdout == "coder was not loaded\n"
    assert local.chat("Hi", max_tokens=4).status == 200, "the next request starts it again"
    assert local.run("unload", "--all", *port(local)).stdout == "coder is unloaded\n"


def test_a_model_in_use_is_not_unloaded(local):
    local.run("load", "coder", *port(local))
    with local.open_stream({"messages": [{"role": "user", "content": "Tell a story"}], "stream": True, "max_tokens": 1500,
                            "ignore_eos": True}) as stream:
        stream.read_head()
        done = local.run("unload", "coder", *port(local), check=False)
        assert done.returncode == 1
        assert "answering 1 request" in done.stderr and "--force" in done.stderr
        running = json.loads(local.run("ps", *port(local), "--json").stdout)["requests"]
        assert [r["model"] for r in running] == ["coder"]
        assert local.run("unload", "coder", "--force", *port(local)).returncode == 0


def test_a_model_that_is_still_starting(local):
    answers = []
    asking = threading.Thread(target=lambda: answers.append(local.chat("Hi", max_tokens=2)))
    asking.start()

    def engine():
        engines = json.loads(local.run("ps", *port(local), "--json").stdout)["engines"]
        return engines[0] if engines and engines[0]["pid"] else None
    found = until(engine, message="it should be starting")
    os.kill(found["pid"], signal.SIGSTOP)   # so that it goes on starting
    if engine()["phase"] == "starting":     # else it was quicker than this test
        done = local.run("unload", "coder", *port(local), check=False)
        assert done.returncode == 1 and "still starting" in done.stderr and "--force" in done.stderr
    assert local.run("unload", "coder", "--force", *port(local)).stdout == "coder is unloaded\n"
    asking.join()
    assert answers[0].status in (502, 503), answers[0].body
    assert not alive(found["pid"])
    assert local.chat("Hi", max_tokens=2).status == 200, "the next request starts it again"


def test_wrong_names(gateway):
    done = gateway.run("load", "fake-model", *port(gateway), check=False)
    assert done.returncode == 1 and "backend 'fake'" in done.stderr
    done = gateway.run("load", "no/such model", *port(gateway), check=False)
    assert done.returncode == 1 and "no/such model" in done.stderr
    assert gateway.run("unload", *port(gateway), check=False).returncode == 2


def test_a_model_that_cannot_load_says_why(make_gateway, tmp_path):
    gateway = make_gateway(f'[[model]]\nname = "coder"\npath = "{tmp_path}/gone.gguf"\n')
    done = gateway.run("load", "coder", *port(gateway), check=False)
    assert done.returncode == 1 and "does not exist" in done.stderr


def test_without_a_gateway(cli):
    for words in (["ps"], ["load", "x"], ["unload", "x"], ["top", "--once"]):
        assert "no gateway is running on port 4242" in cli(*words, code=1).stderr


# top -------------------------------------------------------------------------------------------------------------------

def test_top_once(gateway):
    for _ in range(3):
        gateway.chat("Hi", stream=True, model="fake-model")
    until(lambda: len(gateway.requests()) == 3)
    text = gateway.run("top", *port(gateway), "--once", "--interval", "0.1").stdout
    assert "3 requests" in text and "LATEST" in text and "fake-model" in text
    # The scripted backend says that 5 of 21 prompt tokens were cached.
    assert "24% of all prompt tokens from cache" in text
    answer = json.loads(gateway.run("top", *port(gateway), "--json", "--interval", "0.1").stdout)
    assert answer["status"]["pid"] == gateway.process.pid and round(answer["hit_share"], 2) == 0.24


class Tmux:
    def __init__(self, tmp_path, env):
        self.base = ["tmux", "-S", str(tmp_path / "tmux.sock"), "-f", "/dev/null"]
        self.env = {**env, "TERM": "xterm-256color", "LANG": "C.UTF-8"}

    def __call__(self, *words):
        done = subprocess.run([*self.base, *words], env=self.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def screen(self):
        return self("capture-pane", "-p", "-t", "0")


def test_top_in_a_terminal(gateway, backend, tmp_path):
    tmux = Tmux(tmp_path, gateway.env)
    command = f"{program('LOCALCODE_BIN')} top --port {gateway.port} --interval 0.2"
    tmux("new-session", "-d", "-x", "100", "-y", "30", "sh")
    try:
        until(lambda: tmux.screen().strip() in ("#", "$"), 60, "the shell should ask for a command")
        tmux("send-keys", "-t", "0", "echo before-it", "Enter")
        until(lambda: "\nbefore-it" in tmux.screen(), 60, "the shell should be there")
        tmux("send-keys", "-t", "0", command, "Enter")
        until(lambda: "no request is running" in tmux.screen() and "q: quit" in tmux.screen(), 60, "top should be there")
        assert "before-it" not in tmux.screen(), "a screen of its own"

        backend.default = "slow:120"
        with gateway.open_stream({"messages": [{"role": "user", "content": "Hi"}], "stream": True},
                                 headers=[("x-session-id", "ses_of_top")]):
            until(lambda: "ses_of_top" in tmux.screen() and "1 sessions" in tmux.screen(), 60, "the request should be seen")
        until(lambda: "no request is running" in tmux.screen(), 60, "it is over")
        tmux("resize-window", "-t", "0", "-x", "40", "-y", "8")
        until(lambda: max(map(len, tmux.screen().splitlines())) <= 40 and "q: quit" in tmux.screen(), 60, "it fits the new size")

        tmux("send-keys", "-t", "0", "q")
        until(lambda: "before-it" in tmux.screen() and "q: quit" not in tmux.screen(), 60, "the old screen comes back")
        tmux("send-keys", "-t", "0", "echo after-$((1+1))", "Enter")
        until(lambda: "after-2" in tmux.screen(), 60, "and the terminal works as before")
    finally:
        subprocess.run([*tmux.base, "kill-server"], env=tmux.env, capture_output=True)


def test_top_ends_when_the_gateway_does(make_gateway, backend, tmp_path):
    gateway = make_gateway(args=["--upstream", backend.url])
    import pty
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(program("LOCALCODE_BIN"), ["localcode", "top", "--port", str(gateway.port), "--interval", "0.1"],
                  {**gateway.env, "TERM": "xterm"})
    seen = b""
    try:
        while b"q: quit" not in seen:
            seen += os.read(fd, 65536)
        gateway.process.send_signal(signal.SIGTERM)
        while True:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                break
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(fd)
    assert os.waitstatus_to_exitcode(status) == 1
    assert seen.rstrip().split(b"\x1b[?1049l")[-1].strip().startswith(b"localcode top:"), seen[-300:]
    deadline = time.monotonic() + 60
    while gateway.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
