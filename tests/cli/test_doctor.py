"""`doctor` on set-ups that are broken in one way each: the line names the fault, the command mends it."""
import json
import os
import socket
import struct

import pytest

from support.gateway import backend_config, free_port, program


@pytest.fixture
def machine(cli):
    """A set-up with one local model that works, on a port of its own."""
    cli.env["LOCALCODE_PORT"] = str(free_port())
    cli.env["LOCALCODE_ENGINE"] = program("LOCALCODE_ENGINE")
    return cli


def gguf(path, tensor_bytes=0, size=None):
    """A GGUF file with one tensor of that many bytes, which may be a hole."""
    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head += text("llama.context_length") + struct.pack("<II", 4, 4096)
    head += text("token_embd.weight") + struct.pack("<I", 1) + struct.pack("<Q", tensor_bytes // 4) + struct.pack("<IQ", 0, 0)
    head += b"\0" * (-len(head) % 32)
    path.write_bytes(head)
    os.truncate(path, size if size is not None else len(head) + tensor_bytes)
    return path


def checks(machine, code, *args, **more):
    """All findings; that `doctor` ended with this status is checked."""
    answer = json.loads(machine("doctor", "--json", *args, code=code, **more).stdout)
    assert answer["ok"] == (code == 0)
    return answer["checks"]


def the_fault(machine, check, *args, **more):
    broken = [c for c in checks(machine, 1, *args, **more) if c["level"] == "broken"]
    assert [c["check"] for c in broken] == [check], broken
    assert broken[0]["command"], "something mends it"
    return broken[0]


def with_model(machine, path):
    machine.config_file = machine.home / ".config" / "localcode"
    machine.config_file.mkdir(parents=True)
    (machine.config_file / "config.toml").write_text(f'[[model]]\nname = "coder"\npath = "{path}"\n')


def test_a_set_up_that_works(machine, smollm2):
    with_model(machine, smollm2)
    found = checks(machine, 0)
    assert {"config", "engine", "cpu", "gpu", "model", "port", "state", "downloads", "sockets", "clock", "opencode"} <= {c["check"] for c in found}
    assert not [c for c in found if c["level"] == "broken"]
    text = machine("doctor").stdout
    assert "coder: 98" in text and "localcode-engine" in text and "\x1b" not in text


def test_a_config_with_a_typo(machine, smollm2):
    with_model(machine, smollm2)
    (machine.config_file / "config.toml").write_text('[server]\nprot = 1\n')
    fault = the_fault(machine, "config")
    assert "config.toml:2:1" in fault["text"] and "'port'" in fault["text"]


def test_nothing_to_serve(machine):
    assert the_fault(machine, "config")["command"] == "localcode recommend --write"


def test_no_engine(machine, smollm2, tmp_path):
    with_model(machine, smollm2)
    machine.env["LOCALCODE_ENGINE"] = str(tmp_path / "gone")
    assert "gone" in the_fault(machine, "engine")["text"]


def test_an_engine_for_another_processor(machine, smollm2, tmp_path):
    with_model(machine, smollm2)
    engine = tmp_path / "localcode-engine"
    engine.write_text("#!/bin/sh\nkill -ILL $$\n")
    engine.chmod(0o755)
    machine.env["LOCALCODE_ENGINE"] = str(engine)
    fault = the_fault(machine, "engine")
    assert "another processor" in fault["text"] and fault["command"] == "LOCALCODE_PORTABLE=1 make install"


def test_a_model_that_is_not_there(machine, tmp_path):
    with_model(machine, tmp_path / "gone.gguf")
    assert "does not exist" in the_fault(machine, "model")["text"]


def test_a_model_that_was_cut(machine, tmp_path):
    with_model(machine, gguf(tmp_path / "m.gguf", 4096, size=1000))
    assert "truncated" in the_fault(machine, "model")["text"]


def test_a_model_too_large_for_this_machine(machine, tmp_path):
    with_model(machine, gguf(tmp_path / "m.gguf", 3 << 40))
    fault = the_fault(machine, "memory")
    assert "3298.5 GB" in fault["text"] and fault["command"] == "localcode recommend"


def test_another_program_has_the_port(machine, smollm2, backend):
    with_model(machine, smollm2)
    fault = the_fault(machine, "port", "--port", backend.port)
    assert str(backend.port) in fault["text"] and "localcode serve --port" in fault["command"]


def test_a_state_folder_that_is_a_file(machine, smollm2, tmp_path):
    with_model(machine, smollm2)
    (tmp_path / "file").write_text("")
    fault = the_fault(machine, "state", env={"LOCALCODE_STATE_DIR": str(tmp_path / "file" / "state")})
    assert "is no folder" in fault["text"]


def test_a_key_that_is_not_set(machine, backend):
    machine.config('[[auth.keys]]\nname = "a"\nkey = "env:NO_SUCH_KEY"\n' + backend_config(backend))
    fault = the_fault(machine, "keys", "--config", machine.home / "config.toml")
    assert "NO_SUCH_KEY" in fault["text"] and "'a'" in fault["text"]


def test_a_backend_that_is_down(machine):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    machine.config(f'[[backend]]\nname = "box"\nurl = "http://127.0.0.1:{port}/v1"\n')
    fault = the_fault(machine, "backend", "--config", machine.home / "config.toml")
    assert "box" in fault["text"] and "refused" in fault["text"]


def test_opencode_is_looked_at(machine, make_gateway, backend):
    gateway = make_gateway(backend_config(backend, extra="context = 32768"))
    machine.env |= {"LOCALCODE_PORT": str(gateway.port), "XDG_RUNTIME_DIR": gateway.env["XDG_RUNTIME_DIR"]}
    path = machine.home / "opencode.json"
    args = ["--config", gateway.config_path]

    def finding():
        return next(c for c in checks(machine, 1 if "broken" in path.read_text() else 0, *args) if c["check"] == "opencode")
    machine("init", "opencode", "--file", path, *args)
    assert finding()["level"] == "ok"
    whole = path.read_text()
    for change, said in [(("32768", "8192"), "fake-model: 8192, not 32768"), ((str(gateway.port), "1"), "points to http://127.0.0.1:1/v1"),
                         (('"chunkTimeout": false', '"chunkTimeout": 1000'), "chunkTimeout"), (("{", "broken"), "line 1")]:
        path.write_text(whole.replace(*change))
        assert said in finding()["text"]
    path.write_text(whole.replace("32768", "8192"))
    assert finding()["command"] == "localcode init opencode"
    machine("init", "opencode", *args)
    assert finding()["level"] == "ok", "the command mends it"
