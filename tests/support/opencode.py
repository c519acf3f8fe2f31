"""The real OpenCode with a HOME and a project of its own, offline."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from .gateway import program


def config(url, model, small=None, context=16384, output=1024, **options):
    """What a user puts into opencode.json (README.md, "Point OpenCode at it")."""
    def entry(name):
        return {"name": name, "tool_call": True, "limit": {"context": context, "output": output}}
    return {
        "$schema": "https://opencode.ai/config.json",
        "autoupdate": False,
        "share": "disabled",
        "provider": {"localcode": {
            "npm": "@ai-sdk/openai-compatible", "name": "LocalCode",
            "options": {"baseURL": f"{url}/v1", "apiKey": "none", **options},
            "models": {name: entry(name) for name in {model, small or model}}}},
        "model": f"localcode/{model}",
        "small_model": f"localcode/{small or model}",
    }


class OpenCode:
    def __init__(self, settings):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="oc-"))
        self.project = self.home / "project"
        self.project.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=self.project, check=True)
        (self.project / "opencode.json").write_text(json.dumps(settings))
        keep = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
        self.env = {**keep, "HOME": str(self.home), "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
                    "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1", "NO_COLOR": "1"}
        for name in ("CONFIG", "DATA", "STATE", "CACHE"):
            folder = self.home / name.lower()
            folder.mkdir()
            self.env[f"XDG_{name}_HOME"] = str(folder)

    def run(self, prompt, timeout=600, *args):
        """One prompt. Everything it started is ended, also when it hangs."""
        process = subprocess.Popen([program("LOCALCODE_OPENCODE"), "run", *args, prompt], cwd=self.project, env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"OpenCode did not end within {timeout} s:\n{out}\n{err}\n{self.logs()}") from None
        return subprocess.CompletedProcess(prompt, process.returncode, out, err)

    def logs(self):
        found = sorted(self.home.glob("data/opencode/log/*.log"))
        return found[-1].read_text(errors="replace")[-5000:] if found else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home, ignore_errors=True)
