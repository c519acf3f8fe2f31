"""`cmake --install` into a folder of the user's own; needs the build folder that LOCALCODE_BIN is in."""
import os
import pathlib
import subprocess

import pytest

from support.gateway import Gateway, program


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    build = pathlib.Path(program("LOCALCODE_BIN")).resolve().parent.parent
    assert (build / "cmake_install.cmake").exists(), f"{build} is no build folder"
    folder = tmp_path_factory.mktemp("install") / "with a space" / "100%"
    done = subprocess.run(["cmake", "--install", build, "--prefix", folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def test_what_is_installed(prefix, cli):
    made = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file()}
    assert {"bin/localcode", "share/localcode/plugin/localcode.js", "share/man/man1/localcode.1", "share/systemd/user/localcode.service",
            "share/bash-completion/completions/localcode", "share/zsh/site-functions/_localcode",
            "share/fish/vendor_completions.d/localcode.fish"} <= made
    for name in ("share/man/man1/localcode.1", "share/bash-completion/completions/localcode"):
        assert len((prefix / name).read_text()) > 1000, name
    unit = (prefix / "share/systemd/user/localcode.service").read_text()
    assert f'ExecStart="{str(prefix).replace("%", "%%")}/bin/localcode" serve' in unit
    assert "@" not in unit
    installed = subprocess.run([prefix / "bin/localcode", "version"], capture_output=True, text=True, env=cli.env, timeout=30)
    assert installed.returncode == 0 and installed.stdout.startswith("localcode ")
    assert "libexec/localcode/localcode-engine" in made
    assert any(name.startswith("share/localcode/templates/") for name in made)


def test_the_installed_program_finds_its_engine_and_templates(prefix, smollm2):
    g = Gateway(f'[[model]]\nname = "m"\npath = "{smollm2}"\ncontext = 1024\nthreads = 1\nchat_template = "Qwen-Qwen2.5-7B-Instruct"\n',
                start=False)
    g.env.pop("LOCALCODE_TEMPLATES", None)
    g.command = lambda *args: [str(prefix / "bin" / "localcode"), *args]
    with g:
        g.start()
        answer = g.chat("Hi", max_tokens=2)
        assert answer.status == 200, answer.body
        engine, = g.engines()
        assert os.path.realpath(f"/proc/{engine}/exe") == os.path.realpath(prefix / "libexec" / "localcode" / "localcode-engine")
        words = pathlib.Path(f"/proc/{engine}/cmdline").read_text().split("\0")
        template = words[words.index("--chat-template-file") + 1]
        assert os.path.realpath(template).startswith(os.path.realpath(prefix / "share") + "/"), template
