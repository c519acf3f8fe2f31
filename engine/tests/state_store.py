"""The gateway's part in keeping states, as far as the engine sees it: a folder of chunks, snapshots and manifests."""
import json
import os
import pathlib
import re
import subprocess

TOKEN = "t" * 32
NAMESPACE, IDENTITY = "11" * 32, "22" * 32


class Store:
    """A store's folder. Engines on it are started with `args` and `env`."""

    def __init__(self, folder, tool):
        self.dir, self.tool = pathlib.Path(folder), tool
        self.saves = 0
        for name in ("chunks", "snapshots", "manifests", "tmp"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        self.args = ("--kv-dir", str(self.dir))
        self.env = {"LOCALCODE_ENGINE_TOKEN": TOKEN}

    def member(self, *states, **more):
        """`localcode_state` of a request."""
        return {"localcode_state": {"token": TOKEN, "namespace": NAMESPACE, "identity": IDENTITY, "states": list(states), **more}}

    def save(self, engine, slot=0, **more):
        """Saves a slot, takes its files in, writes the manifest; returns (manifest's name, the event `done`)."""
        events = self.save_events(engine, slot, **more)
        assert [e["event"] for e in events] == ["copied", "done"], events
        done = events[-1]
        assert events[0]["n_tokens"] == done["n_tokens"] == len(done["tokens"])
        self.adopt(done)
        return self.manifest(done), done

    def save_events(self, engine, slot=0, status=200, **more):
        self.saves += 1
        got, raw = engine.request("POST", "/localcode/save", {
            "token": TOKEN, "slot": slot, "namespace": NAMESPACE, "identity": IDENTITY, "staging": f"tmp/save-{self.saves}", **more})
        assert status is None or got == status, (got, raw)
        return [raw] if isinstance(raw, dict) else [json.loads(line) for line in raw.splitlines()]

    def adopt(self, done):
        for file in done["files"]:
            staged = self.dir / file["path"]
            assert staged.stat().st_size == file["bytes"] and staged.stat().st_mode & 0o777 == 0o600
            assert self.check(staged).split()[:2] == [file["kind"], file["name"]]
            place = self.path(file["kind"], file["name"])
            place.parent.mkdir(exist_ok=True)
            os.rename(staged, place)
        assert not list((self.dir / "tmp").iterdir())

    def path(self, kind, name):
        return self.dir / (kind + "s") / name[:2] / name

    def check(self, path):
        done = subprocess.run([self.tool, "check", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, (path, done.stdout, done.stderr)
        return done.stdout

    def manifest(self, done, n_tokens=None, identity=IDENTITY, namespace=NAMESPACE):
        """A manifest of the first tokens of a save."""
        n = n_tokens or done["n_tokens"]
        lines = [f"chunks {int(done['has_chunks'])}", "tokens " + " ".join(map(str, done["tokens"][:n]))]
        lines += [f"snapshot {s['name']} {s['n_tokens']} {s['bytes']}" for s in done["snapshots"] if s["n_tokens"] <= n]
        written = subprocess.run([self.tool, "manifest", str(self.dir), namespace, identity], input="\n".join(lines),
                                 capture_output=True, text=True)
        assert written.returncode == 0, written.stderr
        return written.stdout.strip()

    def files(self, kind):
        return sorted(p for p in (self.dir / (kind + "s")).glob("*/*"))


def told(headers):
    """What the engine says of a request's state, from the headers of an answer."""
    line = headers.get("x-localcode-state")
    return json.loads(line) if line else None


def told_in_stream(raw):
    """The same from the very first line of a streamed answer."""
    first = raw.split(b"\n", 1)[0].decode()
    found = re.fullmatch(r": localcode-state (\{.*\})", first)
    assert found, first
    return json.loads(found[1])
