"""`launch` and `init` with the real OpenCode, from an empty HOME."""
import json
import os
import stat
import subprocess

import pytest

from support.gateway import alive, backend_config, until
from support.machine import Machine


@pytest.fixture
def machine(backend):
    with Machine(backend_config(backend, extra="context = 32768")) as m:
        m.add_program("LOCALCODE_OPENCODE")
        yield m


def prompt(machine, backend):
    backend.default = "opencode"
    (machine.project / "a.txt").write_text("the word is marker-1a2b\n")
    return ["run", "Read a.txt and tell me what it says"]


def test_launch_starts_a_gateway_and_leaves_it(machine, backend):
    done = machine.run("launch", "opencode", *prompt(machine, backend))
    assert "marker-1a2b" in done.stdout, done.stderr
    assert "starting a gateway on port" in done.stderr
    assert machine.running()
    records = until(lambda: len(r := machine.json("requests")["requests"]) == 3 and r, message="three records")
    assert {r["client"] for r in records} == {"opencode"}
    assert not list(machine.home.glob("**/opencode.json*")), "the user's own configuration is not touched"
    log = next(machine.state.glob("serve-*.log"))
    assert stat.S_IMODE(log.stat().st_mode) == 0o600

    pid = machine.json("status")["pid"]
    again = machine.run("launch", "--port", machine.port, "opencode", "--", *prompt(machine, backend))
    assert "marker-1a2b" in again.stdout and "starting a gateway" not in again.stderr
    assert machine.json("status")["pid"] == pid, "the running one was used"


def test_launch_stops_after(machine, backend):
    done = machine.run("launch", "opencode", "--stop-after", *prompt(machine, backend))
    assert "marker-1a2b" in done.stdout, done.stderr
    assert not machine.running()


def test_stop_after_leaves_what_ran_before(machine, backend):
    machine.run("launch", "opencode", "--version")
    machine.run("launch", "opencode", "--stop-after", "--version")
    assert machine.running()


def test_opencode_knows_models_and_limits(machine, backend):
    """What it made of the configuration, in its own words."""
    config = json.loads(machine.run("launch", "opencode", "debug", "config").stdout)
    assert config["model"] == "localcode/fake-model" and config["small_model"] == "localcode/fake-model"
    provider = config["provider"]["localcode"]
    assert provider["options"] == {"baseURL": f"{machine.url}/v1", "apiKey": "***", "headerTimeout": False, "chunkTimeout": False}
    assert provider["models"]["fake-small"]["limit"] == {"context": 32768, "output": 2048}
    listed = machine.run("launch", "opencode", "models").stdout
    assert "localcode/fake-model" in listed and "localcode/fake-small" in listed


def test_a_gateway_that_cannot_start_says_why(machine):
    machine.write(".config/localcode/config.toml", "[server]\nprot = 1\n")
    done = machine.run("launch", "opencode", "--version", code=2)
    assert "config.toml:2:1" in done.stderr and "'port'" in done.stderr
    machine.write(".config/localcode/config.toml", "")
    done = machine.run("launch", "opencode", "--version", code=1)
    assert "could not be started" in done.stderr and "nothing to serve" in done.stderr
    assert not machine.running()


def test_a_model_given_to_launch(machine, smollm2):
    machine.write(".config/localcode/config.toml", "")
    config = json.loads(machine.run("launch", "--model", smollm2, "opencode", "debug", "config").stdout)
    limit = config["provider"]["localcode"]["models"]["smollm2-135m-instruct.q4_1"]["limit"]
    assert limit == {"context": 16384, "output": 2048}
    done = machine.run("launch", "--model", smollm2, "opencode", "--version")
    assert "is running on port" in done.stderr, "that its models are used is said"


def test_wrong_words(machine):
    assert "did you mean 'opencode'?" in machine.run("launch", "opncode", code=2).stderr
    done = machine.run("launch", "aider", code=1, env={"PATH": "/nonexistent"})
    assert "no program 'aider' in PATH" in done.stderr and "pipx install aider-chat" in done.stderr
    assert not machine.running(), "no gateway is started for a client that is not there"
    machine.run("launch", "opencode", "--version")
    machine.run("stop")


def test_another_program_on_the_port(machine, backend):
    done = machine.run("launch", "opencode", "--port", backend.port, "--version", code=1)
    assert "another program answers" in done.stderr


def test_keys(machine, backend):
    machine.write(".config/localcode/config.toml", '[[auth.keys]]\nname = "a"\nkey = "env:TEST_KEY"\n' + backend_config(backend))
    machine.env["TEST_KEY"] = "k-of-a"
    done = machine.run("launch", "opencode", *prompt(machine, backend))
    assert "marker-1a2b" in done.stdout, done.stderr
    del machine.env["TEST_KEY"]
    done = machine.run("launch", "opencode", "--version", code=1)
    assert "refused the key" in done.stderr and "LOCALCODE_API_KEY" in done.stderr
    machine.run("launch", "opencode", "--version", env={"LOCALCODE_API_KEY": "k-of-a"})
    machine.env["TEST_KEY"] = "k-of-a"


def test_what_the_environment_says_stays(machine):
    mine = json.dumps({"theme": "mine", "model": "x/y"})
    config = json.loads(machine.run("launch", "opencode", "debug", "config", env={"OPENCODE_CONFIG_CONTENT": mine}).stdout)
    assert config["model"] == "localcode/fake-model"
    done = machine.run("launch", "opencode", "--version", env={"OPENCODE_CONFIG_CONTENT": "{"}, code=2)
    assert "OPENCODE_CONFIG_CONTENT: line 1" in done.stderr


# init ------------------------------------------------------------------------------------------------------------------

FULL_OF_COMMENTS = """\
// Everything about OpenCode.
{
    /* looks */
    "theme": "tokyonight", // dark
    "model": "anthropic/claude-sonnet-4", // for work
    "provider": {
        // the cloud
        "anthropic": { "options": { "timeout": 600000 } },
    },
    "mcp": {
        // "off": {},
    },
    // the end
}
"""


def start(machine):
    machine.run("launch", "opencode", "--version")


def opencode_config(machine):
    done = subprocess.run(["opencode", "debug", "config"], env=machine.env, cwd=machine.project, capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_init_needs_a_gateway(machine):
    done = machine.run("init", "opencode", code=1)
    assert "no gateway answers" in done.stderr and "localcode serve" in done.stderr


def test_init_from_nothing_then_opencode_alone(machine, backend):
    start(machine)
    done = machine.run("init", "opencode", "--dry-run")
    assert done.stdout.startswith("--- /dev/null\n+++ ") and '+  "model": "localcode/fake-model"' in done.stdout
    path = machine.home / ".config" / "opencode" / "opencode.json"
    assert not path.exists()
    assert machine.run("init", "opencode").stdout == f"wrote {path}\n"
    assert "has everything already" in machine.run("init", "opencode").stdout
    words = prompt(machine, backend)
    done = subprocess.run(["opencode", *words], env=machine.env, cwd=machine.project, capture_output=True, text=True,
                          timeout=300, stdin=subprocess.DEVNULL)
    assert "marker-1a2b" in done.stdout, done.stderr


def test_init_merges_into_a_file_full_of_comments(machine):
    start(machine)
    path = machine.write("dotfiles/opencode.jsonc", FULL_OF_COMMENTS, mode=0o640)
    link = machine.home / ".config" / "opencode" / "opencode.jsonc"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(path)
    dry = machine.run("init", "opencode", "--dry-run").stdout
    assert path.read_text() == FULL_OF_COMMENTS
    removed = [line for line in dry.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert removed == [], dry
    done = machine.run("init", "opencode")
    assert "its model is still anthropic/claude-sonnet-4" in done.stdout
    text = path.read_text()
    kept = iter(text.splitlines())
    for line in FULL_OF_COMMENTS.splitlines():
        assert any(line == other for other in kept), f"{line!r} is gone or out of place:\n{text}"
    assert link.is_symlink() and stat.S_IMODE(path.stat().st_mode) == 0o640
    config = opencode_config(machine)
    assert config["provider"]["anthropic"]["options"]["timeout"] == 600000
    assert config["model"] == "anthropic/claude-sonnet-4" and config["small_model"] == "localcode/fake-model"
    assert config["provider"]["localcode"]["models"]["fake-model"]["limit"] == {"context": 32768, "output": 2048}
    assert machine.json("init", "opencode")["changed"] is False


def test_init_in_a_project_that_has_a_file(machine):
    start(machine)
    path = machine.project / "opencode.json"
    path.write_text('{"theme":"mine"}')
    assert machine.run("init", "opencode").stdout == f"changed {path}\n"
    assert json.loads(path.read_text())["theme"] == "mine"
    assert opencode_config(machine)["model"] == "localcode/fake-model"


@pytest.mark.parametrize("text, said", [('{"a": 1 "b": 2}', "line 1, column 9"), ("[]", "is no object"),
                                        ('{"provider": []}', "'provider' is no object")])
def test_init_leaves_a_broken_file_alone(machine, text, said):
    start(machine)
    path = machine.project / "opencode.json"
    path.write_text(text)
    done = machine.run("init", "opencode", code=1)
    assert said in done.stderr and str(path) in done.stderr
    assert path.read_text() == text


def test_init_writes_no_key(machine, backend):
    machine.write(".config/localcode/config.toml", '[[auth.keys]]\nname = "a"\nkey = "k-of-a"\n' + backend_config(backend))
    start(machine)
    done = machine.run("init", "opencode")
    text = (machine.home / ".config" / "opencode" / "opencode.json").read_text()
    assert "k-of-a" not in text and "{env:LOCALCODE_API_KEY}" in text
    assert "LOCALCODE_API_KEY" in done.stdout


def test_init_claude(machine):
    start(machine)
    path = machine.write(".claude/settings.json", '{\n  // mine\n  "theme": "dark",\n  "env": { "API_TIMEOUT_MS": "5", "MINE": "1" }\n}\n')
    before = path.read_text()
    dry = machine.run("init", "claude", "--dry-run").stdout
    assert path.read_text() == before and f'+    "ANTHROPIC_BASE_URL": "{machine.url}"' in dry.replace(",", ""), dry
    assert machine.run("init", "claude").stdout == f"changed {path}\n"
    text = path.read_text()
    assert "// mine" in text and '"theme": "dark"' in text
    env = json.loads(text.replace("// mine", ""))["env"]
    assert env["ANTHROPIC_BASE_URL"] == machine.url and env["ANTHROPIC_MODEL"] == "fake-model"
    assert env["API_TIMEOUT_MS"] == "5" and env["MINE"] == "1" and env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "32768"
    assert machine.json("init", "claude")["changed"] is False


def test_init_tells_the_others(machine):
    start(machine)
    text = machine.run("init", "qwen").stdout
    assert f"export OPENAI_BASE_URL={machine.url}/v1\n" in text
    text = machine.run("init", "codex").stdout
    assert "alias codex='codex -c " in text
    assert "did you mean 'codex'?" in machine.run("init", "codx", code=2).stderr


def test_the_gateway_outlives_its_launcher(machine):
    machine.run("launch", "opencode", "--version")
    pid = machine.json("status")["pid"]
    assert alive(pid) and os.getsid(pid) != os.getsid(0)
