"""`recommend`: this machine, and machines that it is told of."""
import json



def plan(cli, *words):
    return json.loads(cli("recommend", "--json", "--bandwidth", "40", "--disk", "500", *words).stdout)


def test_this_machine(cli):
    answer = json.loads(cli("recommend", "--json").stdout)
    assert answer["machine"]["cores"] >= 1 and answer["machine"]["memory"] > 0
    assert 1e9 < answer["machine"]["bandwidth"] < 1e13, "measured"
    assert answer["models"][0]["role"] == "coder" and answer["models"][0]["context"] >= 16384
    text = cli("recommend").stdout
    assert answer["models"][0]["hf"] in text and "GB/s from memory" in text


def test_more_machine_more_model(cli):
    sizes = [plan(cli, "--memory", m, "--gpu-memory", g, "--cores", 16)["models"][0]["bytes"]
             for m, g in (("4", "0"), ("32", "8"), ("64", "24"), ("128", "80"))]
    assert sizes == sorted(sizes) and len(set(sizes)) == len(sizes)
    roles = [m["role"] for m in plan(cli, "--memory", "64", "--gpu-memory", "24")["models"]]
    assert roles == ["coder", "small", "embedding", "rerank"]


def test_nothing_fits(cli):
    done = cli("recommend", "--memory", "0.5", "--gpu-memory", "0", "--bandwidth", "10", code=1)
    assert "no model of the table fits" in done.stderr and "--upstream" in done.stderr


def test_what_it_writes_is_a_config(cli):
    path = cli.home / ".config" / "localcode" / "config.toml"
    done = cli("recommend", "--write", "--memory", "16", "--gpu-memory", "0", "--cores", "8", "--bandwidth", "40", "--disk", "500")
    assert f"wrote {path}" in done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    cli("config", "check")
    shown = cli("config", "show").stdout
    assert "Qwen2.5-Coder" in shown and '"small"' in shown
    before = path.read_text()
    done = cli("recommend", "--write", "--memory", "64", "--bandwidth", "40", "--disk", "500", code=1)
    assert "is there already" in done.stderr and "[[model]]" in done.stderr
    assert path.read_text() == before


def test_wrong_words(cli):
    assert "--memory" in cli("recommend", "--memory", "much", code=2).stderr
