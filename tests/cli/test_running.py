"""Commands that ask a running gateway, or read what it left behind."""
import json
import os
import pty
import select
import subprocess
import time

from support.gateway import backend_config, program, until


def port(gateway):
    return ["--port", str(gateway.port)]


def test_without_a_gateway(cli):
    for command in ("status", "models", "stop"):
        done = cli(command, code=1)
        assert done.stderr == (f"localcode {command}: no gateway is running on port 4242; start one with `localcode serve`, "
                               "or name another port with --port\n")
        assert "`localcode serve --port 4243`" in cli(command, "--port", "4243", code=1).stderr
    assert "no requests in" in cli("requests").stdout
    assert json.loads(cli("requests", "--json").stdout) == {"requests": []}
    assert "no request 'abc'" in cli("requests", "abc", code=1).stderr
    assert "no engine has written a log yet" in cli("logs", code=1).stderr


def test_a_dead_gateways_socket_is_no_gateway(cli, make_gateway, backend):
    gateway = make_gateway(args=["--upstream", backend.url])
    gateway.kill()
    done = gateway.run("status", *port(gateway), check=False)
    assert done.returncode == 1 and "no gateway is running on port" in done.stderr
    gateway.start()


def test_a_broken_config_does_not_keep_status_from_working(gateway):
    (gateway.home / "broken.toml").write_text("[server\n")
    done = gateway.run("status", *port(gateway), "--config", str(gateway.home / "broken.toml"))
    assert "listening" in done.stdout


def test_status(gateway):
    status = json.loads(gateway.run("status", *port(gateway), "--json").stdout)
    assert status["pid"] == gateway.process.pid
    assert status["state_dir"] == str(gateway.state_dir)
    assert status["listen"] == [gateway.url]
    assert [b["name"] for b in status["backends"]] == ["fake"]
    assert isinstance(status["uptime_s"], int) and isinstance(status["requests_total"], int)
    text = gateway.run("status", *port(gateway)).stdout
    for word in (f"pid {gateway.process.pid}", gateway.url, "fake-model", "BACKEND"):
        assert word in text
    assert "\x1b" not in text


def test_the_port_comes_from_the_environment_too(gateway):
    gateway.env["LOCALCODE_PORT"] = str(gateway.port)
    assert gateway.url in gateway.run("status").stdout


def test_models(backend, make_gateway):
    gateway = make_gateway('[server]\nmodel = "fake-model"\n' + backend_config(backend))
    models = json.loads(gateway.run("models", *port(gateway), "--json").stdout)["models"]
    assert [(m["id"], m["kind"], m["backend"]) for m in models] == [("fake-model", "remote", "fake"),
                                                                    ("fake-small", "remote", "fake")]
    assert [m["id"] for m in models if m["default"]] == ["fake-model"]
    text = gateway.run("models", *port(gateway)).stdout
    assert "*  fake-model" in text


def test_requests(gateway):
    def recorded(n):
        until(lambda: len(gateway.requests()) == n, message=f"{n} records")   # in the order in which they end
    assert gateway.chat("first question", model="fake-model").status == 200
    recorded(1)
    assert gateway.chat("second question", model="fake-model", headers=[("x-session-id", "ses_cli")]).status == 200
    recorded(2)
    assert gateway.post("/v1/chat/completions", {"model": "no-such-model", "messages": []}).status >= 400
    recorded(3)

    newest_first = gateway.requests()
    assert [r["status"] < 400 for r in newest_first] == [False, True, True]
    assert gateway.requests(limit=1) == newest_first[:1]
    second = newest_first[1]
    assert second["messages"][-1] == {"role": "user", "preview": "second question"}

    def listed(*args):
        return [r["id"] for r in json.loads(gateway.run("requests", *port(gateway), "--json", *args).stdout)["requests"]]
    assert listed("--session", "ses_cli") == [second["id"]]
    assert listed("--errors") == [newest_first[0]["id"]]
    assert listed("--model", "fake-model") == [second["id"], newest_first[2]["id"]]
    assert listed("--model", "fake") == []

    table = gateway.run("requests", *port(gateway)).stdout.splitlines()
    assert table[0].split()[:3] == ["TIME", "ID", "MODEL"]
    assert [line.split()[2] for line in table[1:]] == [r["id"][-8:] for r in reversed(newest_first)], "the newest last"

    for part in (second["id"], second["id"][-8:]):
        assert json.loads(gateway.run("requests", *port(gateway), part, "--json").stdout) == second
    detail = gateway.run("requests", *port(gateway), second["id"][-8:]).stdout
    assert second["id"] in detail and "second question" in detail
    gateway.stop()
    assert gateway.requests() == newest_first, "without a gateway, too"


def test_escape_sequences_of_prompts_stay_harmless(gateway):
    assert gateway.chat("\x1b[2J\x1b]0;title\x07 \u009b31m text", session_id="a\x1b[1mb").status == 200
    gateway.wait_request()
    for args in (["requests"], ["requests", "--json"], ["requests", gateway.requests()[0]["id"]]):
        out = gateway.run(*args, "--state-dir", str(gateway.state_dir)).stdout
        assert not [c for c in out if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160], repr(out)


def test_stop(gateway):
    pid = gateway.process.pid
    done = gateway.run("stop", *port(gateway))
    assert f"stopped the gateway on port {gateway.port} (pid {pid})" in done.stdout
    assert gateway.process.wait(120) == 0
    assert gateway.run("stop", *port(gateway), check=False).returncode == 1


def in_terminal(gateway, args, env):
    """The output of a command that writes to a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(gateway.command(*args), env={**gateway.env, **env}, stdout=slave, stderr=slave,
                               stdin=subprocess.DEVNULL)
    os.close(slave)
    out = b""
    try:
        while chunk := os.read(master, 65536):
            out += chunk
    except OSError:
        pass  # Linux: EIO when the other end is closed
    os.close(master)
    assert process.wait(120) == 0
    return out


def test_colour_on_terminals_only(gateway):
    args = ["status", *port(gateway)]
    assert b"\x1b[" in in_terminal(gateway, args, {"TERM": "xterm"})
    assert b"\x1b[" not in in_terminal(gateway, args, {"TERM": "xterm", "NO_COLOR": "1"})
    assert b"\x1b[" not in in_terminal(gateway, args, {"TERM": "dumb"})
    assert "\x1b[" not in gateway.run(*args).stdout


def make_logs(folder, **texts):
    engines = folder / "engines"
    engines.mkdir(parents=True)
    for name, text in texts.items():
        (engines / f"{name}.log").write_text(text)
    return ["--state-dir", folder]


def test_logs(cli, tmp_path):
    state = make_logs(tmp_path / "state", coder="".join(f"line {i}\n" for i in range(3000)), small="one\x1b[31m\n")
    assert cli("logs", "coder", "-n", "2", *state).stdout == "line 2998\nline 2999\n"
    assert len(cli("logs", "coder", *state).stdout.splitlines()) == 100
    assert len(cli("logs", "coder", "-n", "100000", *state).stdout.splitlines()) == 3000
    assert cli("logs", "-n", "1", *state).stdout == "coder | line 2999\nsmall | one [31m\n"
    assert json.loads(cli("logs", "small", "--json", *state).stdout) == {"engine": "small", "line": "one [31m"}
    assert "did you mean 'coder'?" in cli("logs", "codr", *state, code=1).stderr


def test_logs_go_on(cli, tmp_path):
    state = make_logs(tmp_path / "state", coder="old\nlast\n")
    log = tmp_path / "state" / "engines" / "coder.log"
    process = subprocess.Popen([program("LOCALCODE_BIN"), "logs", "coder", "-f", "-n", "1", *map(str, state)], env=cli.env,
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    seen = b""

    def wait_for(text):
        nonlocal seen
        deadline = time.monotonic() + 120
        while text not in seen:
            assert time.monotonic() < deadline, (text, seen)
            if select.select([process.stdout], [], [], 0.2)[0]:
                seen += os.read(process.stdout.fileno(), 65536)
    try:
        wait_for(b"last\n")
        with open(log, "a") as f:
            f.write("more\n")
        wait_for(b"more\n")
        log.rename(log.with_suffix(".log.1"))
        log.write_text("after the rotation\n")
        wait_for(b"after the rotation\n")
        assert seen == b"last\nmore\nafter the rotation\n"
    finally:
        process.terminate()
        process.wait(120)
        process.stdout.close()
