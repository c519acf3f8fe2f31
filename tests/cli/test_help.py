"""Help, hints, completions, manual page: what a person meets first."""
import re
import resource
import subprocess

import pytest

from support.gateway import program

COMMANDS = ["serve", "launch", "init", "status", "models", "stop", "logs", "requests", "explain", "config", "version", "completions", "doctor", "ps", "load", "unload", "top", "recommend"]
INNER = [["config", "check"], ["config", "show"], ["config", "example"]]


def options_of(text):
    """The long options that a help text lists."""
    return set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.M))


def test_help_lists_every_command_with_examples(cli):
    text = cli("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.M), command
    assert "Examples:" in text and "localcode serve --model" in text
    assert "man-page" not in text, "made for packaging only"
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("command", [[c] for c in COMMANDS] + INNER, ids=" ".join)
def test_help_of_a_command(cli, command):
    done = cli(*command, "--help")
    assert f"Usage: localcode {' '.join(command)}" in done.stdout
    assert done.stderr == ""
    assert "--help" in options_of(done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_help_costs_next_to_nothing(cli):
    """Time on the processor, which a busy machine does not change much; the best of ten."""
    def cost():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        cli("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert min(cost() for _ in range(10)) < 0.02


def test_no_command_is_wrong_usage_and_shows_the_help(cli):
    done = cli(code=2)
    assert "Usage: localcode COMMAND" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("args, said", [
    (["stattus"], "localcode: unknown command 'stattus'; did you mean 'status'?"),
    (["--verison"], "localcode: unknown option '--verison'; did you mean '--version'?"),
    (["serve", "--prot", "1"], "localcode serve: unknown option '--prot'; did you mean '--port'?"),
    (["serve", "--modle=a"], "localcode serve: unknown option '--modle'; did you mean '--model'?"),
    (["config", "shwo"], "localcode config: unknown command 'shwo'; did you mean 'show'?"),
    (["requests", "a", "b"], "localcode requests: unexpected argument 'b'; see `localcode requests --help`"),
    (["quite-something-else"], "localcode: unknown command 'quite-something-else'; see `localcode --help`"),
    (["serve", "--port", "70000"], "--port"),
    (["serve", "--port", "http"], "--port"),
    (["serve", "--log-level", "loud"], "error"),
    (["completions", "tcsh"], "bash"),
    (["launch", "opncode"], "localcode launch: there is no client 'opncode'; did you mean 'opencode'?"),
    (["launch", "--prot", "1", "opencode"], "localcode launch: unknown option '--prot'; did you mean '--port'?"),
    (["launch"], "CLIENT is required"),
    (["init", "cluade"], "did you mean 'claude'?"),
    (["requests", "--limit", "0"], "--limit"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_wrong_usage(cli, args, said):
    done = cli(*args, code=2)
    assert said in done.stderr and done.stdout == ""


def test_version(cli):
    text = cli("version").stdout
    assert re.fullmatch(r"localcode \d+\.\d+\.\d+\n", text)
    assert cli("--version").stdout == text
    assert cli("version", "--json").stdout == f'{{"name":"localcode","version":"{text.split()[1]}"}}\n'


def complete(cli, script, line):
    """What bash would offer for this line."""
    words = line.split(" ")
    program_text = (f"source {script}\nCOMP_WORDS=({' '.join(repr(w) for w in words)})\nCOMP_CWORD={len(words) - 1}\n"
                    "_localcode\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
    done = subprocess.run(["bash", "-c", program_text], capture_output=True, text=True, env=cli.env, cwd=cli.home, timeout=30)
    assert done.returncode == 0 and not done.stderr.replace("compopt: not currently executing completion function", "").strip(
        "bash: line 0123456789\n"), done.stderr
    return set(done.stdout.split())


def test_bash_completion(cli):
    script = cli.home / "localcode.bash"
    script.write_text(cli("completions", "bash").stdout)
    assert set(COMMANDS) <= complete(cli, script, "localcode ")
    assert complete(cli, script, "localcode st") == {"status", "stop"}
    assert {"check", "show", "example"} <= complete(cli, script, "localcode config ")
    assert "--slots" in complete(cli, script, "localcode config show --sl")
    assert complete(cli, script, "localcode serve --log-level ") == {"error", "warn", "info", "debug"}
    assert {"opencode", "claude", "aider"} <= complete(cli, script, "localcode launch ")
    assert complete(cli, script, "localcode completions ") >= {"bash", "zsh", "fish"}
    assert "--follow" not in complete(cli, script, "localcode serve --")
    (cli.home / "model.gguf").touch()
    assert complete(cli, script, "localcode serve --model mod") == {"model.gguf"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_completions_name_everything(cli, shell):
    text = cli("completions", shell).stdout
    for command in COMMANDS:
        assert command in text
        for option in options_of(cli(command, "--help").stdout):
            assert (option if shell == "zsh" else f"-l {option[2:]}") in text, (command, option)


def test_manual_page_has_every_command_and_option(cli):
    page = cli("man-page").stdout
    plain = page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "").replace("\\fI", "")
    for command in [[c] for c in COMMANDS if c != "config"] + INNER:
        title = f".SS localcode {' '.join(command)}"
        assert title in plain, title
        section = plain.split(title, 1)[1].split("\n.S", 1)[0]
        for option in options_of(cli(*command, "--help").stdout) - {"--help"}:
            assert option in section, (command, option)
    macros = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert macros <= {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".I", ".BR", ".RI", ".IR", ".EX", ".EE"}, macros


def test_output_that_cannot_be_written_is_a_failure(cli):
    with open("/dev/full", "w") as full:
        done = subprocess.run([program("LOCALCODE_BIN"), "config", "example"], stdout=full, stderr=subprocess.PIPE,
                              env=cli.env, timeout=30)
    assert done.returncode == 1
