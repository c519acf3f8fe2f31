"""An empty machine of one user: a HOME, a project, and LocalCode in it; gateways that were started are stopped."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from . import http
from .gateway import free_port, program

KEEP = ("LANG", "LD_LIBRARY_PATH", "LOCALCODE_TEMPLATES", "LOCALCODE_ENGINE", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")


class Machine:
    def __init__(self, config=""):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="lcm"))   # short: sockets
        self.project = self.home / "project"
        self.project.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=self.project, check=True)
        (self.home / "run").mkdir(mode=0o700)
        self.port = free_port()
        self.env = {k: os.environ[k] for k in KEEP if k in os.environ}
        # Windows of clients that open at once, updates, model lists: none of them matters here.
        self.env |= {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home / "run"), "LOCALCODE_PORT": str(self.port),
                     "PATH": os.environ["PATH"], "NO_COLOR": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1",
                     "OPENCODE_DISABLE_LSP_DOWNLOAD": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}
        if config:
            self.write(".config/localcode/config.toml", config)

    state = property(lambda self: self.home / ".local" / "state" / "localcode")
    url = property(lambda self: f"http://127.0.0.1:{self.port}")

    def write(self, name, text, mode=0o600):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def add_program(self, variable):
        """Puts the program that this variable names into PATH."""
        folder = str(pathlib.Path(program(variable)).parent)
        self.env["PATH"] = folder + ":" + self.env["PATH"]

    def run(self, *args, code=0, timeout=300, cwd=None, env=None, input=None):
        """`localcode ARGS`. Everything it leaves in its own session ends when it hangs."""
        process = subprocess.Popen([program("LOCALCODE_BIN"), *map(str, args)], env={**self.env, **(env or {})},
                                   cwd=cwd or self.project, stdin=subprocess.PIPE if input else subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"{args} did not end within {timeout} s:\n{out}\n{err}\n{self.logs()}") from None
        done = subprocess.CompletedProcess(args, process.returncode, out, err)
        assert code is None or done.returncode == code, f"{args} ended with {done.returncode}, not {code}:\n{out}\n{err}\n{self.logs()}"
        return done

    def json(self, *args, **more):
        return json.loads(self.run(*args, "--json", **more).stdout)

    def running(self):
        with contextlib.suppress(OSError, ConnectionError):
            return http.fetch(("127.0.0.1", self.port), "GET", "/health", None, (), 10).status == 200
        return False

    def logs(self):
        return "\n".join(f"--- {f.name} ---\n{f.read_text(errors='replace')[-3000:]}" for f in sorted(self.state.glob("serve-*.log")))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self.running():
                self.run("stop", timeout=120)
        finally:
            shutil.rmtree(self.home, ignore_errors=True)
