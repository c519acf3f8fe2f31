"""`localcode pull` with a HOME of its own, against a hub of the tests' own."""
import os
import pathlib
import subprocess

import pytest
from hub_server import Hub
from support.gateway import program


class Puller:
    def __init__(self, home, hub):
        self.home, self.hub = home, hub
        self.cache = home / "cache"
        keep = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if k in os.environ}
        self.env = {**keep, "HOME": str(home), "LOCALCODE_CACHE_DIR": str(self.cache), "HF_ENDPOINT": hub.url, "TERM": "dumb"}

    def start(self, *args, **env):
        return subprocess.Popen([program("LOCALCODE_BIN"), "pull", *args], env={**self.env, **env}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __call__(self, *args, expect=0, timeout=180, preexec=None, **env):
        done = subprocess.run([program("LOCALCODE_BIN"), "pull", *args], env={**self.env, **env}, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, preexec_fn=preexec)
        assert done.returncode == expect, f"pull {args} ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}"
        return done

    def path(self, repo, file):
        return self.cache / "models" / "hf" / repo / file

    def left_over(self):
        """Part files and the notes beside them."""
        return sorted(p.name for p in self.cache.rglob("*.part*"))

    def files(self):
        return sorted(str(p.relative_to(self.home)) for p in pathlib.Path(self.home).rglob("*") if p.is_file())


@pytest.fixture
def hub():
    with Hub() as h:
        yield h


@pytest.fixture
def pull(tmp_path, hub):
    return Puller(tmp_path, hub)
