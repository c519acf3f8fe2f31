"""`cmake --install` into a folder of the user's own; needs the build folder that LOCALCODE_BIN is in."""
import pathlib
import subprocess

from support.gateway import program


def test_install_without_root(tmp_path, cli):
    build = pathlib.Path(program("LOCALCODE_BIN")).resolve().parent.parent
    assert (build / "cmake_install.cmake").exists(), f"{build} is no build folder"
    prefix = tmp_path / "with a space" / "100%"
    done = subprocess.run(["cmake", "--install", build, "--prefix", prefix], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
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
    if (build / "engine" / "localcode-engine").exists():
        assert "libexec/localcode/localcode-engine" in made
