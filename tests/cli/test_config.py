"""`config check|show|example`, and how file, environment and options are laid over each other."""
import json

import pytest


def test_the_example_is_good(cli):
    text = cli("config", "example").stdout
    path = cli.config(text)
    done = cli("config", "check", path)
    assert done.stdout == f"{path}: good (models: 0, backends: 0)\n" and done.stderr == ""


def test_problems_have_places_and_hints(cli):
    path = cli.config('[server]\nprot = 1\nhost = 2\n\n[[model]]\nname = "a"\n')
    done = cli("config", "check", path, code=1)
    assert done.stderr.splitlines() == [
        f"{path}:2:1: unknown key 'prot' in [server]; did you mean 'port'?",
        f"{path}:3:8: 'host' must be a string, got an integer",
        f"{path}:5:1: model 'a' needs path = \"FILE.gguf\" or hf = \"org/repo:quant\"",
    ]
    report = json.loads(cli("config", "check", path, "--json", code=1).stdout)
    assert report["ok"] is False and report["file"] == str(path)
    assert report["problems"][0] == {"line": 2, "column": 1,
                                     "message": "unknown key 'prot' in [server]; did you mean 'port'?"}
    serve = cli("serve", "--config", path, code=2)
    assert "did you mean 'port'?" in serve.stderr and "'host' must be a string" in serve.stderr


def test_check_looks_at_what_the_file_names(cli):
    path = cli.config('[[model]]\nname = "a"\npath = "missing.gguf"\n[[backend]]\nname = "b"\nurl = "http://h"\n'
                      'key = "env:NOT_SET_HERE"\n')
    done = cli("config", "check", path, code=1)
    assert f"model 'a': there is no file {cli.home}/missing.gguf" in done.stderr
    assert "backend 'b': the environment variable NOT_SET_HERE is not set" in done.stderr


def test_a_named_file_must_exist_the_usual_one_need_not(cli):
    assert "nothere.toml" in cli("config", "check", "nothere.toml", code=2).stderr
    assert "there is no config file" in cli("config", "check").stdout
    assert json.loads(cli("config", "check", "--json").stdout)["ok"] is True


def test_precedence(cli):
    path = cli.config('[server]\nport = 1000\nhost = "127.0.0.2"\n[log]\nlevel = "warn"\n')
    env = {"LOCALCODE_CONFIG": str(path)}

    def server(*args, **more):
        return json.loads(cli("config", "show", "--json", *args, env={**env, **more}).stdout)

    assert server()["server"]["port"] == 1000
    assert server(LOCALCODE_PORT="2000")["server"]["port"] == 2000
    assert server("--port", "3000", LOCALCODE_PORT="2000")["server"]["port"] == 3000
    assert server(LOCALCODE_HOST="127.0.0.3")["server"]["host"] == "127.0.0.3"
    assert server(LOCALCODE_LOG_LEVEL="debug")["log"]["level"] == "debug"
    assert server("--log-level", "error", LOCALCODE_LOG_LEVEL="debug")["log"]["level"] == "error"
    done = cli("config", "show", env={**env, "LOCALCODE_PORT": "many"}, code=2)
    assert "LOCALCODE_PORT must be from 0 to 65535" in done.stderr


def test_models_and_backends_of_the_command_line(cli):
    (cli.home / "sub").mkdir()
    text = cli("config", "show", "--json", "--model", "My-Model.Q4.gguf", "--upstream", "http://127.0.0.1:9",
               "--upstream-key", "env:K", "--context", "4096", env={"ZAI_API_KEY": "s3cret", "K": "s3cret"},
               cwd=cli.home / "sub").stdout
    shown = json.loads(text)
    assert "s3cret" not in text
    model, = shown["model"]
    assert model["name"] == "my-model.q4" and model["context"] == 4096
    assert model["path"] == str(cli.home / "sub" / "My-Model.Q4.gguf")
    upstream, zai = shown["backend"]
    assert upstream["url"] == "http://127.0.0.1:9/v1" and upstream["key"] == "(set)"
    assert zai["url"] == "https://api.z.ai/api/coding/paas/v4" and zai["models"] == ["glm-4.7"]


def test_file_names_are_relative_to_the_config_file(cli):
    folder = cli.home / "etc"
    folder.mkdir()
    path = cli.config('[[model]]\nname = "a"\npath = "m.gguf"\n[[model]]\nname = "b"\npath = "~/m.gguf"\n', "etc/c.toml")
    shown = json.loads(cli("config", "show", "--json", "--config", path, cwd="/").stdout)
    assert [m["path"] for m in shown["model"]] == [str(folder / "m.gguf"), str(cli.home / "m.gguf")]


def test_shown_toml_is_good_toml(cli):
    shown = cli("config", "show", "--model", "m.gguf").stdout
    (cli.home / "m.gguf").touch()
    path = cli.config(shown, "again.toml")
    assert "good (models: 1, backends: 0)" in cli("config", "check", path).stdout


def test_secrets_others_can_read_are_pointed_out(cli):
    text = '[[backend]]\nname = "b"\nurl = "http://h"\nkey = "s3cret"\n'
    open_file = cli.config(text, "open.toml", 0o644)
    done = cli("config", "show", "--config", open_file)
    assert f"others can read the keys in {open_file}" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert cli("config", "show", "--config", cli.config(text, "own.toml", 0o600)).stderr == ""


def test_nothing_to_serve_names_the_four_ways(cli):
    done = cli("serve", code=2)
    for way in ("--model FILE.gguf", "--hf ORG/REPO:QUANT", "--upstream URL", "ZAI_API_KEY"):
        assert way in done.stderr


@pytest.mark.parametrize("args, said", [
    (["--host", "0.0.0.0", "--upstream", "http://h"], "needs an API key"),
    (["--upstream", "ftp://h"], "url must begin with http:// or https://"),
    (["--upstream-key", "env:K"], "need --upstream"),
    (["--upstream", "http://h", "--upstream-key", "sk-plain"], "--upstream-key takes env:NAME or file:PATH"),
    (["--upstream", "http://h", "--upstream-key", "env:NOT_SET_HERE"], "NOT_SET_HERE is not set"),
    (["--context", "1000"], "there is none"),
    (["--hf", "no-slash"], "hf must look like"),
    (["--model", "a.gguf", "--model", "b/a.gguf"], "already taken"),
], ids=lambda v: v[0] if isinstance(v, list) else "")
def test_serve_refuses_wrong_options(cli, args, said):
    done = cli("serve", *args, code=2)
    assert said in done.stderr and "sk-plain" not in done.stderr
