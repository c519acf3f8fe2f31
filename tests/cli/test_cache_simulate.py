"""`cache simulate`: traces from files, from the request log and made up; what is printed, and what is refused."""
import json
import sqlite3
import xml.etree.ElementTree

NAMES = ["lru", "lru2", "hazard", "adaptive", "bound"]


def trace(path, sessions=40, turns=6):
    """Sessions that take turns, each turn a block longer."""
    lines, block, paths = [], 1, {s: [0] for s in range(sessions)}
    for turn in range(turns):
        for s in range(sessions):
            paths[s] = paths[s] + [block, block + 1]
            block += 2
            lines.append({"timestamp": (turn * sessions + s) * 1000, "input_length": 512 * len(paths[s]), "output_length": 9,
                          "hash_ids": paths[s]})
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def test_json_as_others_rely_on_it(cli):
    answer = json.loads(cli("cache", "simulate", trace(cli.home / "t.jsonl"), "--capacity", "5%,100%", "--json").stdout)
    assert [p["name"] for p in answer["policies"]] == NAMES * 2
    assert answer["unique_blocks"] == 481 and answer["block_tokens"] == 512
    for p in answer["policies"]:
        assert 0 <= p["hit_rate"] <= 1 and p["prefill_tokens_saved"] >= 0 and p["bytes_written"] > 0
    assert {p["capacity_blocks"] for p in answer["policies"]} == {24, 481}
    whole = [p for p in answer["policies"] if p["capacity_blocks"] == 481]
    assert len({p["hit_rate"] for p in whole}) == 1, "with room for all they are alike"
    bound = {p["capacity_blocks"]: p["hit_rate"] for p in answer["policies"] if p["name"] == "bound"}
    assert all(p["hit_rate"] <= bound[p["capacity_blocks"]] for p in answer["policies"])


def test_some_policies_one_capacity_and_a_plot(cli):
    path, svg = trace(cli.home / "t.jsonl"), cli.home / "plot.svg"
    done = cli("cache", "simulate", path, "--capacity", "30", "--policy", "lru,bound", "--svg", svg)
    assert "lru" in done.stdout and "bound" in done.stdout and "hazard" not in done.stdout
    assert xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_made_up_workloads_are_the_same_every_time(cli):
    words = ("cache", "simulate", "chat:3", "--capacity", "3%", "--policy", "lru,adaptive", "--json")
    first = cli(*words).stdout
    assert first == cli(*words).stdout
    lru, adaptive = json.loads(first)["policies"]
    assert adaptive["hit_rate"] > lru["hit_rate"]


def test_request_log(cli):
    """Records as the gateway writes them: a session whose history grows, and one that is another."""
    db = sqlite3.connect(cli.home / "requests.db")
    db.executescript("CREATE TABLE requests(id TEXT PRIMARY KEY NOT NULL, unix_ms INTEGER NOT NULL, model TEXT NOT NULL, session TEXT"
                     " NOT NULL, kind TEXT NOT NULL, status INTEGER NOT NULL, error_code TEXT NOT NULL, record TEXT NOT NULL);"
                     "PRAGMA user_version = 1")
    for i in range(6):
        prefix = " ".join(["a1:4000"] + [f"{s + 1:x}b:1000" for s in range(i + 1)])
        record = {"id": f"r{i}", "unix_ms": i * 1000, "session": "s", "kind": "main", "model_used": "m", "finish_reason": "stop",
                  "usage": {"prompt": (0x4000 + 0x1000 * (i + 1)) // 4, "completion": 5, "total": 0}, "prefix": prefix}
        db.execute("INSERT INTO requests VALUES(?, ?, 'm', 's', 'main', 200, '', ?)", (f"r{i}", i * 1000, json.dumps(record)))
    db.commit()
    db.close()
    answer = json.loads(cli("cache", "simulate", cli.home / "requests.db", "--capacity", "100%", "--policy", "lru", "--json").stdout)
    assert answer["requests"] == 6 and answer["block_tokens"] == 256
    assert answer["unique_blocks"] == 40, "10,240 tokens in the longest history"
    assert answer["blocks"] == sum(20 + 4 * i for i in range(6))
    assert abs(answer["policies"][0]["hit_rate"] - sum(20 + 4 * i for i in range(5)) / answer["blocks"]) < 1e-9


def test_refused(cli):
    path = cli.home / "t.jsonl"
    path.write_text('{"timestamp": 1, "hash_ids": [1]}\nhello\n')
    assert "line 2: no JSON" in cli("cache", "simulate", path, code=2).stderr
    path.write_text("\n")
    assert "has no requests" in cli("cache", "simulate", path, code=2).stderr
    assert "cannot read" in cli("cache", "simulate", cli.home / "nothing", code=1).stderr
    assert "no policy 'fifo'" in cli("cache", "simulate", "agents:1", "--policy", "fifo", code=2).stderr
    for capacity in ("", "x", "0", "-3", "101%", "nan", "1e99"):
        assert "capacity" in cli("cache", "simulate", "agents:1", f"--capacity={capacity}", code=2).stderr
    assert "seed" in cli("cache", "simulate", "agents:x", code=2).stderr
    assert "there is no request log" in cli("cache", "simulate", code=1).stderr
