"""The cache policy in the running gateway: what it says of itself, what it learns, and the limit of writes."""
import json
import re

from support.gateway import program, until

SYSTEM = "You are a coding agent. " + " ".join(f"Rule {i}: module {i * 37 % 101} is never changed by hand." for i in range(40))


def start(make_gateway, model, kv="", **more):
    config = f'[kv]\n{kv}\n[[model]]\nname = "smol"\npath = "{model}"\nslots = 2\nthreads = 1\ncontext = 4096\n'
    return make_gateway(config, engine=program("LOCALCODE_ENGINE"), **more)


def turn(gateway, session, text):
    body = {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}], "max_tokens": 4,
            "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}
    answer = gateway.post("/v1/chat/completions", body, [("x-session-id", session)])
    assert answer.status == 200 and answer.done, answer.body


def stats(gateway):
    return json.loads(gateway.run("cache", "stats", "--json", "--port", str(gateway.port)).stdout)


def metric(gateway, name):
    text = gateway.get("/metrics").body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"localcode_{name}(\{{|\s)", line))


def test_policy_in_force_is_told_and_what_it_learned_is_kept(make_gateway, smollm2):
    gateway = start(make_gateway, smollm2)
    turn(gateway, "a", "Say hello.")
    until(lambda: stats(gateway)["saves"] >= 1, 120, "the state should be saved")
    told = stats(gateway)
    assert told["policy"] == "adaptive" and told["policy_in_force"] == "hazard"
    assert told["written_today"] > 100_000 and told["writes_per_day"] == 200_000_000_000
    assert "adaptive, in force: hazard" in gateway.run("cache", "stats", "--port", str(gateway.port)).stdout
    assert metric(gateway, "kv_policy") == 1 and metric(gateway, "kv_written_bytes_total") > 100_000
    state_dir = gateway.state_dir
    gateway.stop()
    assert (state_dir / "policy.db").stat().st_mode & 0o777 == 0o600
    replayed = json.loads(gateway.run("cache", "simulate", state_dir / "requests.db", "--capacity", "100%", "--json").stdout)
    assert replayed["requests"] == 1 and replayed["unique_blocks"] >= 3


def test_writes_are_limited(make_gateway, smollm2):
    gateway = start(make_gateway, smollm2, 'policy = "lru"\nwrites_per_day = 1')
    turn(gateway, "a", "Say hello.")
    until(lambda: stats(gateway)["saves"] >= 1, 120, "the first is within the limit")
    turn(gateway, "b", "Say goodbye.")
    until(lambda: stats(gateway)["writes_refused"] >= 1, 60, "the second is not")
    gateway.wait_log("writes are held back")
    assert stats(gateway)["policy_in_force"] == "lru"
    turn(gateway, "b", "Say it again.")
