"""`launch` with the other real coding agents, from an empty HOME, against the scripted backend. LOCALCODE_CLIENTS names
the folder of their programs (tools/setup/clients.sh agents)."""
import os
import pathlib

import pytest

from support.gateway import backend_config, program, until
from support.machine import Machine

pytestmark = pytest.mark.full


@pytest.fixture
def machine(backend):
    with Machine(backend_config(backend, extra="context = 32768")) as m:
        m.env["PATH"] = program("LOCALCODE_CLIENTS") + ":" + m.env["PATH"]
        yield m


# Client, script of the backend, its arguments, what it prints, paths that it asks, files of its own that launch may not touch.
CLIENTS = [
    ("claude", "normal", ["-p", "Say hello"], "Hello from the scripted backend.", "/v1/messages", [".claude/settings.json"]),
    ("qwen", "opencode", ["-y", "-p", "Read a.txt"], "The file says", "/v1/chat/completions", [".qwen/settings.json", ".qwen/.env"]),
    ("cn", "opencode", ["--auto", "-p", "Read a.txt"], "The file says", "/v1/chat/completions", [".continue/config.yaml"]),
    ("aider", "normal", ["--yes-always", "--no-pretty", "--message", "Say hello"], "Hello from the scripted backend.",
     "/v1/chat/completions", [".aider.conf.yml"]),
]


@pytest.mark.parametrize("client, script, args, said, path, own", CLIENTS, ids=[c[0] for c in CLIENTS])
def test_a_prompt(machine, backend, client, script, args, said, path, own):
    backend.default = script
    (machine.project / "a.txt").write_text("the word is marker-5\n")
    mine = {}
    for name in own:
        text = "# mine\n" if not name.endswith(".json") else '{"theme": "mine"}'
        if client == "cn":
            text = "name: mine\nversion: 0.0.1\nschema: v1\nmodels: []\n"
        if client == "aider":
            text = "auto-commits: false\n"
        mine[name] = text
        machine.write(name, text)
    done = machine.run("launch", client, *args, timeout=300)
    assert said in done.stdout, done.stdout + done.stderr
    assert {r.target.split("?")[0] for r in backend.requests} == {path}
    assert {r.json["model"] for r in backend.requests} == {"fake-model"}
    for name, text in mine.items():
        if name != ".qwen/settings.json":   # it adds a version number to its own file by itself
            assert (machine.home / name).read_text() == text, f"{name} was changed"
    names = {"claude": "claude", "qwen": "qwen", "cn": "continue", "aider": "aider"}
    records = until(lambda: machine.json("requests")["requests"])
    assert {r["client"] for r in records} == {names[client]}


def test_codex_takes_its_settings(machine, backend):
    """The scripted backend has no Responses: that it asks there, with the right model and no complaint, is what counts."""
    own = machine.write(".codex/config.toml", 'model = "mine"\n')
    done = machine.run("launch", "codex", "exec", "--skip-git-repo-check", "-s", "read-only", "Say hello", code=None, timeout=300)
    assert "provider: localcode" in done.stderr and "unrecognized configuration" not in done.stderr, done.stderr
    assert {r.target for r in backend.requests} == {"/v1/responses"}
    assert {r.json["model"] for r in backend.requests} == {"fake-model"}
    assert own.read_text() == 'model = "mine"\n'


def test_every_program_is_there():
    there = {p.name for p in pathlib.Path(program("LOCALCODE_CLIENTS")).iterdir() if os.access(p, os.X_OK)}
    assert {"claude", "codex", "qwen", "cn", "aider"} <= there
