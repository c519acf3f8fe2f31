"""LocalCode's plugin in the real OpenCode: what it sends, and that a prompt only ever grows at its end."""
import json
import os
import subprocess

import pytest

from support.gateway import backend_config, until
from support.machine import Machine


@pytest.fixture
def machine(backend):
    with Machine(backend_config(backend, extra="context = 32768")) as m:
        m.add_program("LOCALCODE_OPENCODE")
        yield m


def tell(machine, *words, plugin=True, env=None):
    env = dict(env or {}, **({} if plugin else {"LOCALCODE_PLUGIN": "off"}))
    return machine.run("launch", "opencode", "run", *words, env=env)


def mains(backend):
    return [r.json["messages"] for r in backend.requests if r.json.get("tools")]


def flat(message):
    """Its text, in whatever form it is sent."""
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(p.get("text", "") for p in content or [])


def test_what_is_told(machine, backend):
    backend.default = "opencode"
    (machine.project / "a.txt").write_text("the word is marker-77\n")
    done = tell(machine, "Read a.txt and tell me what it says")
    assert "marker-77" in done.stdout, done.stderr
    records = until(lambda: len(r := machine.json("requests")["requests"]) == 3 and r)
    assert sorted(r["kind"] for r in records) == ["main", "main", "title"]
    assert len({r["session"] for r in records}) == 1 and records[0]["session"].startswith("ses_")
    for request in backend.requests:
        assert "localcode" not in request.json, "a backend never sees it"
        assert request.json["model"] == "fake-model"


def test_a_plan_is_told_from_building(machine, backend):
    tell(machine, "--agent", "plan", "Make a plan")
    kinds = until(lambda: len(r := [x["kind"] for x in machine.json("requests")["requests"]]) == 2 and r)
    assert sorted(kinds) == ["plan", "title"]


def test_without_it_everything_works(machine, backend):
    backend.default = "opencode"
    (machine.project / "a.txt").write_text("the word is marker-77\n")
    assert "marker-77" in tell(machine, "Read a.txt and tell me what it says", plugin=False).stdout
    config = json.loads(machine.run("launch", "opencode", "debug", "config", env={"LOCALCODE_PLUGIN": "off"}).stdout)
    assert not any("localcode.js" in str(p) for p in config.get("plugin", []))


def test_the_date_comes_last(machine, backend):
    tell(machine, "Say hello")
    tell(machine, "Say hello", plugin=False)
    with_it, without = [flat(m[0]) for m in mains(backend)]
    assert with_it.splitlines()[-1].startswith("Today's date: ")
    assert not without.splitlines()[-1].startswith("Today's date: ")
    def words(text):
        return sorted(text.split())
    assert words(with_it) == words(without), "nothing is lost"


class Server:
    """One OpenCode process for several prompts, as the terminal program is."""

    def __init__(self, machine, env):
        from support.gateway import free_port
        self.port = free_port()
        self.machine = machine
        self.env = {**machine.env, **env}
        self.log = open(machine.home / "opencode.log", "wb")
        self.process = subprocess.Popen([os.environ["LOCALCODE_BIN"], "launch", "opencode", "serve", "--port", str(self.port)], env=self.env,
                                        cwd=machine.project, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until(self.up, 120, "OpenCode's server should be up")

    def up(self):
        assert self.process.poll() is None, (self.machine.home / "opencode.log").read_text()
        try:
            return self.ask("GET", "/config", timeout=5)   # one that comes while it starts may never be answered
        except OSError:
            return None

    def ask(self, method, path, body=None, timeout=240):
        import urllib.request
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(), headers={"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read()
            return json.loads(text) if text.strip() else {}

    def prompt(self, session, agent, text):
        return self.ask("POST", f"/session/{session}/message",
                        {"agent": agent, "model": {"providerID": "localcode", "modelID": "fake-model"}, "parts": [{"type": "text", "text": text}]})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


def breaks(requests):
    """How many requests do not begin with the whole of the one before (its messages, but for roles of the answer)."""
    count = 0
    for before, after in zip(requests, requests[1:]):
        count += [(m["role"], flat(m)) for m in after[:len(before)]] != [(m["role"], flat(m)) for m in before]
    return count


@pytest.mark.parametrize("plugin", [True, False])
def test_reminders_stay_where_they_were(machine, backend, plugin):
    """Three prompts in plan mode, then one that builds. Without the plugin each breaks the prefix of the one before."""
    env = {} if plugin else {"LOCALCODE_PLUGIN": "off"}
    with Server(machine, env) as server:
        session = server.ask("POST", "/session", {})["id"]
        for agent in ("plan", "plan", "plan", "build", "build"):
            server.prompt(session, agent, f"A step for {agent}")
    requests = mains(backend)
    assert len(requests) == 5
    assert any("<system-reminder>" in flat(m) for m in requests[0]), "plan mode has its reminder"
    if plugin:
        assert breaks(requests) == 0
    else:
        assert breaks(requests) >= 3, "this OpenCode no longer moves its reminders: the plugin need not mend it"


def test_a_subagent_names_its_parent(machine, backend):
    with Server(machine, {}) as server:
        parent = server.ask("POST", "/session", {})["id"]
        child = server.ask("POST", "/session", {"parentID": parent})["id"]
        server.prompt(child, "general", "Look around")
    records = until(lambda: [r for r in machine.json("requests")["requests"] if r["kind"] == "subagent"])
    assert records[0]["session"] == child and records[0]["parent"] == parent
