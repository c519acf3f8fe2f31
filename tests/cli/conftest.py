"""The program as a whole, run as people run it: LOCALCODE_BIN names it."""
import os
import subprocess

import pytest

from support.gateway import program

COLOUR_FREE = ("PATH", "LANG", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")


class Cli:
    """Runs localcode with a HOME of its own and nothing else of the caller's environment."""

    def __init__(self, home):
        self.home = home
        self.env = {k: os.environ[k] for k in COLOUR_FREE if k in os.environ}
        self.env["HOME"] = str(home)
        run = home / "run"
        run.mkdir(mode=0o700)
        self.env["XDG_RUNTIME_DIR"] = str(run)

    def __call__(self, *args, code=0, env=None, cwd=None, timeout=180):
        done = subprocess.run([program("LOCALCODE_BIN"), *map(str, args)], env={**self.env, **(env or {})},
                              cwd=cwd or self.home, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == code, f"{args} ended with {done.returncode}, not {code}:\n{done.stdout}{done.stderr}"
        return done

    def config(self, text, name="config.toml", mode=0o600):
        path = self.home / name
        path.write_text(text)
        path.chmod(mode)
        return path


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path)
