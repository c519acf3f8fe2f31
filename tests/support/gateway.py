"""A real `localcode serve` with a HOME, state folder, runtime folder and port of its own."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import http

START_TIMEOUT = 120
STOP_TIMEOUT = 120


def program(variable):
    """A program or file named by the environment. Missing is a failure, never a skip."""
    value = os.environ.get(variable)
    assert value, f"{variable} is not set; `make test` sets it, or see CONTRIBUTING.md"
    assert pathlib.Path(value).exists(), f"{variable}={value} does not exist; `make test` builds or fetches it"
    return value


def free_port(host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def processes_mentioning(text):
    """Pids whose command line holds this text: an engine has the runtime folder's path in it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if text.encode() in (entry / "cmdline").read_bytes() and alive(entry.name):
                    found.append(int(entry.name))
    return found


def until(check, timeout=180, message="did not happen"):
    """Polls until `check()` is true and returns its value."""
    deadline = time.monotonic() + timeout
    while not (value := check()):
        assert time.monotonic() < deadline, f"within {timeout} s: {message}"
        time.sleep(0.02)
    return value


def backend_config(backend, name="fake", models=("fake-model", "fake-small"), extra="", path="/v1"):
    """A [[backend]] table for a scripted backend."""
    listed = ", ".join(f'"{m}"' for m in models)
    return f'[[backend]]\nname = "{name}"\nurl = "{backend.url}{path}"\nmodels = [{listed}]\n{extra}\n'


class Gateway:
    def __init__(self, config="", args=(), env=None, engine=None, start=True, port=None, home=None):
        """config: TOML text (empty: none is given). engine: path of the engine program for local models."""
        # Short paths: a Unix socket's path may have 107 bytes.
        self.owns_home = home is None
        self.home = pathlib.Path(home or tempfile.mkdtemp(prefix="lct"))
        for folder in ("state", "run", "work"):
            (self.home / folder).mkdir(mode=0o700, exist_ok=True)
        self.owns_port = port is None
        self.port = port or free_port()
        self.state_dir = self.home / "state"
        self.log_path = self.home / "log"
        self.args = list(args)
        self.config_path = None
        if config:
            self.config_path = self.home / "config.toml"
            self.config_path.write_text(config)
        keep = {k: os.environ[k] for k in ("PATH", "LANG", "LD_LIBRARY_PATH", "LOCALCODE_TEMPLATES", "ASAN_OPTIONS",
                                           "UBSAN_OPTIONS", "TSAN_OPTIONS") if k in os.environ}
        self.env = {**keep, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home / "run"),
                    "XDG_STATE_HOME": str(self.home / "xstate"), "XDG_CACHE_HOME": str(self.home / "xcache"),
                    "XDG_CONFIG_HOME": str(self.home / "xconfig"), **(env or {})}
        if engine:
            self.env["LOCALCODE_ENGINE"] = engine
        self.process = None
        if start:
            self.start()

    address = property(lambda self: ("127.0.0.1", self.port))
    url = property(lambda self: f"http://127.0.0.1:{self.port}")

    def command(self, *args):
        return [program("LOCALCODE_BIN"), *args]

    def serve_command(self):
        config = ["--config", str(self.config_path)] if self.config_path else []
        return self.command("serve", *config, "--port", str(self.port), "--state-dir", str(self.state_dir), *self.args)

    def launch(self):
        """Starts it without waiting until it serves."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.serve_command(), env=self.env, cwd=self.home / "work",
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def start(self):
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            if self.process.poll() is not None:
                if self.owns_port and f"port {self.port}" in self.log and "taken" in self.log and time.monotonic() < deadline:
                    self.log_path.unlink()   # somebody took it between free_port() and now
                    self.port = free_port()
                    self.launch()
                    continue
                raise AssertionError(f"localcode serve ended with {self.process.returncode}:\n{self.log}")
            with contextlib.suppress(OSError, ConnectionError):
                if self.healthy():
                    return self
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"localcode serve did not answer /health within {START_TIMEOUT} s:\n{self.log}")
            time.sleep(0.02)

    def healthy(self):
        return self.get("/health", timeout=5).status == 200

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, text, timeout=180):
        until(lambda: text in self.log, timeout, f"the log should have {text!r}:\n{self.log[-4000:]}")

    # Requests ---------------------------------------------------------------------------------------------------------

    def connect(self, timeout=60):
        return http.Connection(self.address, timeout)

    def get(self, target, headers=(), timeout=300):
        return http.fetch(self.address, "GET", target, None, headers, timeout)

    def post(self, target, body, headers=(), timeout=900):
        return http.fetch(self.address, "POST", target, body, headers, timeout)

    def chat(self, content="Hi", timeout=900, headers=(), **more):
        """Greedy unless told otherwise: a model's answer is the same each time, and not empty by chance."""
        body = {"messages": [{"role": "user", "content": content}], "temperature": 0, **more}
        return self.post("/v1/chat/completions", body, headers, timeout)

    def open_stream(self, body, target="/v1/chat/completions", timeout=900, headers=()):
        """A connection on which the request was sent; the caller reads and closes."""
        connection = self.connect(timeout)
        connection.send(http.request_bytes("POST", target, http.to_bytes(body), headers))
        return connection

    def run(self, *args, timeout=180, check=True):
        """A command line verb against this gateway."""
        done = subprocess.run(self.command(*args), env=self.env, cwd=self.home / "work", capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL)
        if check:
            assert done.returncode == 0, f"{args} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def requests(self, limit=50):
        """The request log, newest first, as `localcode requests --json` prints it."""
        done = self.run("requests", "--state-dir", str(self.state_dir), "--limit", str(limit), "--json")
        return json.loads(done.stdout)["requests"]

    def wait_request(self, check=lambda record: True, timeout=180):
        """The newest record for which `check` holds; records are written a moment after the answer."""
        return until(lambda: next((r for r in self.requests() if check(r)), None), timeout, "no such request was recorded")

    # Engines and the end ----------------------------------------------------------------------------------------------

    def engines(self):
        """Pids of the engines of this gateway."""
        return [pid for pid in processes_mentioning(str(self.home / "run")) if pid != self.process.pid]

    def stop(self, expect=0):
        """SIGTERM; it must end with `expect` and leave no engine behind."""
        if self.process is None:
            return
        engines = self.engines()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"SIGTERM did not end it within {STOP_TIMEOUT} s:\n{self.log[-4000:]}") from None
        try:
            assert code == expect, f"it ended with {code}, not {expect}:\n{self.log[-4000:]}"
            until(lambda: not any(alive(p) for p in [*engines, *self.engines()]), message="an engine outlived the gateway")
        finally:
            self.process = None

    def kill(self):
        """kill -9: no chance to clean up."""
        self.process.kill()
        self.process.wait()

    def close(self, expect=0):
        try:
            self.stop(expect)
        finally:
            if self.owns_home:
                shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and self.process is not None and self.process.poll() is None:
            # A test has failed already: its reason must not be hidden by a second one.
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_TIMEOUT)
            print(f"--- log of the gateway ---\n{self.log[-6000:]}")
            self.process = None
        self.close()
