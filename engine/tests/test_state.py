"""States kept in a store and brought back: what a model says afterwards is what it says from its own memory."""
import json
import os

import pytest

from engine_process import Background, UnixConnection, read_events, text
from state_store import IDENTITY, TOKEN, told, told_in_stream

COMMON = ("-t", 1, "-c", 4096, "-np", 2, "--cache-ram", 0, "-b", 512)
# What decides how rows lie in memory.
CACHES = {"split": ("--no-kv-unified", "-fa", "on"), "unified": ("--kv-unified", "-fa", "on"),
          "quantised": ("--no-kv-unified", "-fa", "on", "-ctk", "q8_0", "-ctv", "q8_0"),
          "without flash attention": ("--no-kv-unified", "-fa", "off")}


def tokenize(engine, content):
    return engine.ok("/tokenize", {"content": content})["tokens"]


def ask(engine, prompt, slot=0, n=6, **member):
    """(generated tokens with the log-probs of the best 8, tokens reused, what the engine told)"""
    answer = engine.ok("/completion", {"prompt": prompt, "id_slot": slot, "n_predict": n, "temperature": 0, "n_probs": 8,
                                       "ignore_eos": True, **member})
    said = [(p["id"], [(t["id"], t["logprob"]) for t in p["top_logprobs"]]) for p in answer["completion_probabilities"]]
    return said, answer["timings"]["cache_n"], told(engine.headers)


def from_memory(engine, prompt, n_known, slot=1):
    """The answer when exactly n_known tokens of the prompt are in memory."""
    ask(engine, tokenize(engine, "Something else."), slot, n=1)
    ask(engine, prompt[:n_known], slot, n=1)
    said, reused, _ = ask(engine, prompt, slot)
    assert reused == min(n_known, len(prompt) - 1)
    return said


def assert_alike(got, want, tolerance=0.15):
    """The next token, when batches or places in memory were others: llama.cpp's sums then differ in their last digits."""
    ours, theirs = dict(got[0][1]), dict(want[0][1])
    shared = ours.keys() & theirs.keys()
    assert len(shared) >= 6 and all(abs(ours[t] - theirs[t]) < tolerance for t in shared), (ours, theirs)


@pytest.fixture
def on_store(start, store):
    """on_store(model, *args) -> an engine that keeps its states in the store"""
    return lambda model, *args: start(model, *COMMON, *(args or CACHES["split"]), *store.args, env=store.env)


@pytest.fixture
def saved(on_store, store, plain):
    """A slot's state in the store: (engine, prompt, manifest's name, the event of the save)"""
    engine = on_store(plain)
    prompt = tokenize(engine, text(60, 1))[:306]
    ask(engine, prompt, **store.member())
    return engine, prompt, *store.save(engine)


@pytest.mark.parametrize("cache", [*CACHES, "split, SmolLM2"])
def test_a_restored_state_says_what_memory_says(on_store, store, plain, smollm2, cache):
    real = cache.endswith("SmolLM2")
    arguments = (smollm2 if real else plain, *CACHES[cache.split(",")[0]])
    first = on_store(*arguments)
    state = first.get("/localcode/engine")[1]["state"]
    assert (state["kind"], state["cuttable"]) == ("full", True)
    assert state["identity"]["k_type"] == ("q8_0" if cache == "quantised" else "f16")
    assert state["identity"]["flash_attention"] == ("false" if "without" in cache else "true")

    prompt = tokenize(first, text(320, 2))[:306 if real else 600]
    whole = len(prompt) // 256 * 256
    ask(first, prompt, **store.member())
    name, done = store.save(first)
    assert done["complete"] and done["n_tokens"] == len(prompt) + 5 and done["tokens"][:len(prompt)] == prompt
    other_end = prompt[:-20] + tokenize(first, " and then nothing else happened")
    wanted = {"all": ask(first, prompt)[0], "chunks": from_memory(first, prompt, whole),
              "other end": from_memory(first, other_end, len(prompt) - 20)}
    first.stop()

    def same(got, want):
        if cache == "unified":  # where a slot's tokens lie depends on what was there before
            assert_alike(got, want)
        else:
            assert got == want

    second = on_store(*arguments)
    said, reused, note = ask(second, prompt, 0, **store.member(name))
    assert (note["from"], note["had"], note["used"], note["state"]) == ("state", 0, len(prompt), name)
    assert "reason" not in note and "bad" not in note
    assert reused == len(prompt) - 1
    assert said == wanted["all"]

    said, reused, note = ask(second, prompt, 1, **store.member(chunks=True))
    assert (note["from"], note["used"], reused, note["reason"]) == ("chunks", whole, whole, "no_state")
    same(said, wanted["chunks"])

    ask(second, tokenize(second, "Something else."), 1)
    said, reused, note = ask(second, other_end, 1, **store.member(name, chunks=True))
    assert (note["from"], note["used"], reused, note["reason"]) == ("state", len(prompt) - 20, len(prompt) - 20, "other_tokens")
    same(said, wanted["other end"])


def test_memory_that_is_as_good_stays(saved, store):
    engine, prompt, name, done = saved
    _, reused, note = ask(engine, prompt, **store.member(name, chunks=True))
    assert (note["from"], note["had"], note["used"], note["bytes"]) == ("memory", len(prompt), len(prompt), 0)
    _, reused, note = ask(engine, prompt, 1, **store.member(name, limit=260))
    assert (note["from"], note["used"], reused) == ("state", 260, 260)
    _, reused, note = ask(engine, prompt, 0, **store.member(name, limit=260))
    assert (note["from"], note["used"], reused) == ("memory", 260, 260), "a limit holds for memory too"
    _, reused, note = ask(engine, prompt, 0, cache_prompt=False, **store.member(name))
    assert (note["from"], note["used"], reused) == ("none", 0, 0)


def test_only_what_is_new_is_written(saved, store):
    engine, prompt, name, done = saved
    assert [f["kind"] for f in done["files"]] == ["chunk"] * 2
    again = store.save(engine)[1]
    assert again["files"] == [] and again["tokens"] == done["tokens"]
    have = [f["name"] for f in done["files"]]
    for path in store.files("chunk"):
        path.unlink()
    assert store.save_events(engine, have=have[:1])[-1]["files"][0]["name"] == have[1]
    cut = store.save_events(engine, cuts=[100, 256, 270], have=have)[-1]
    sizes = [store.check(store.dir / f["path"]).split()[2:] for f in cut["files"]]
    assert sizes == [["0", "100"], ["256", "14"]], "a tail for each cut that is not the end of a whole chunk"


def test_every_dialect_tells(saved, store):
    engine, prompt, name, _ = saved
    message = {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2, "id_slot": 1}
    bodies = {"/v1/chat/completions": message, "/v1/messages": message, "/v1/completions": {"prompt": "Hello.", "max_tokens": 2},
              "/v1/responses": {"input": "Hello.", "max_output_tokens": 2}, "/completion": {"prompt": "Hello.", "n_predict": 2}}
    for path, body in bodies.items():
        connection = engine.open(path, {**body, "stream": True, **store.member(name)})
        raw = connection.getresponse().read()
        connection.close()
        assert told_in_stream(raw)["prompt"] > 0, path
        engine.ok(path, {**body, **store.member(name)})
        assert told(engine.headers)["prompt"] > 0, path
        engine.ok(path, body)
        assert told(engine.headers) is None, path


def test_strangers_are_refused(saved, store):
    engine, prompt, name, _ = saved
    good = store.member(name)["localcode_state"]
    for wrong in ({"token": "x" * 32}, {"token": None}, {"namespace": "11"}, {"identity": "Z" * 64}, {"states": [name] * 9},
                  {"limit": -1}, {"checkpoints": [5, 3]}):
        status, answer = engine.post("/completion", {"prompt": prompt, "n_predict": 1, "localcode_state": {**good, **wrong}})
        assert status == 400, (wrong, answer)
    save = {"token": TOKEN, "slot": 0, "namespace": good["namespace"], "identity": IDENTITY, "staging": "tmp/x"}
    for wrong in ({"token": "x"}, {"staging": "tmp/../x"}, {"staging": "/tmp/x"}, {"slot": -1}, {"cuts": [0]}):
        assert engine.post("/localcode/save", {**save, **wrong})[0] == 400, wrong
    assert store.save_events(engine, slot=7)[0]["code"] == "unsupported"
    assert store.save_events(engine, slot=1)[0]["code"] == "empty"


def test_namespaces_do_not_meet(saved, store):
    engine, prompt, name, done = saved
    other = store.member(name, chunks=True)
    other["localcode_state"]["namespace"] = "33" * 32
    _, reused, note = ask(engine, prompt, 0, n=1, **other)
    assert (note["had"], note["used"], reused) == (0, 0, 0), "neither from memory nor from the store"
    assert store.save_events(engine)[0]["code"] == "unsupported", "the slot is the other's now"
    assert store.save_events(engine, namespace="33" * 32)[-1]["event"] == "done"
    engine.ok("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2, "n": 2, **store.member()})
    for slot in (0, 1):
        assert store.save_events(engine, slot, namespace="33" * 32)[0]["code"] == "unsupported", slot


def damage(path, at, to=None):
    data = bytearray(path.read_bytes())
    if to is None:
        data[at] ^= 1
    else:
        del data[at:]
    path.write_bytes(data)


def test_a_prompt_that_does_not_fit(saved, store):
    engine, prompt, name, _ = saved
    status, answer = engine.post("/completion", {"prompt": (prompt * 8)[:2100], "n_predict": 1, "id_slot": 1, **store.member(name)})
    assert status == 400, answer
    assert told(engine.headers)["reason"] == "too_long" and told(engine.headers)["used"] == 0
    assert ask(engine, prompt, 1, n=1, **store.member(name))[2]["used"] == len(prompt)


def test_damage_costs_time_only(saved, store):
    engine, prompt, name, done = saved
    cold, _, _ = ask(engine, prompt, 1, cache_prompt=False)
    first, last = (store.path("chunk", f["name"]) for f in done["files"])
    manifest = store.path("manifest", name)
    foreign = store.manifest(done, identity="33" * 32)
    tenant = store.manifest(done, namespace="33" * 32)
    # (what is done to the store, which state is named, the reason told, the kinds of files called bad)
    faults = [
        (lambda: damage(first, first.stat().st_size - 100000), name, "damaged", ["chunk"]),
        (lambda: damage(last, 6000), name, "damaged", ["chunk"]),
        (lambda: damage(first, 300), name, "damaged", ["chunk"]),
        (lambda: damage(first, 100000, to="end"), name, "damaged", ["chunk"]),
        (lambda: damage(first, 50, to="end"), name, "damaged", ["chunk"]),
        (lambda: first.unlink(), name, "no_state", []),
        (lambda: last.unlink(), name, "no_state", []),
        (lambda: damage(manifest, 400), name, "damaged", ["manifest"]),
        (lambda: (first.unlink(), first.mkdir()), name, "unreadable", []),
        (lambda: os.replace(last, first), name, "damaged", ["chunk"]),
        (lambda: None, foreign, "wrong_identity", []),
        (lambda: None, tenant, "wrong_identity", []),
        (lambda: None, "44" * 32, "no_state", []),
    ]
    whole = {p: p.read_bytes() for p in (first, last, manifest)}
    for n, (spoil, state, reason, bad) in enumerate(faults):
        ask(engine, tokenize(engine, "Something else."), 0, n=1)
        spoil()
        said, reused, note = ask(engine, prompt, 0, **store.member(state))
        assert (note["from"], note["used"], reused, note["reason"]) == ("none", 0, 0, reason), (n, note)
        assert [b["kind"] for b in note.get("bad", [])] == bad, (n, note)
        assert said == cold, n
        for path, data in whole.items():
            if path.is_dir():
                path.rmdir()
            path.write_bytes(data)
    ask(engine, tokenize(engine, "Something else."), 0, n=1)
    assert ask(engine, prompt, 0, **store.member(name))[2]["used"] == len(prompt), "whole again"


def test_a_slot_in_use_is_not_saved(saved, store):
    engine, prompt, _, _ = saved
    connection = engine.open("/completion", {"prompt": "x", "id_slot": 0, "n_predict": 3000, "ignore_eos": True, "stream": True})
    next(read_events(connection.getresponse()))
    assert store.save_events(engine, status=409)[0]["code"] == "busy"
    slots = engine.get("/localcode/slots")[1]["slots"]
    assert [s["busy"] for s in slots] == [True, False]
    connection.close()
    engine.wait_slot(0, busy=False)
    after = engine.get("/localcode/slots")[1]["slots"]
    assert (after[0]["busy"], after[0]["generation"]) == (False, slots[0]["generation"])
    ask(engine, prompt, 0, n=1)
    assert engine.get("/localcode/slots")[1]["slots"][0]["generation"] == slots[0]["generation"] + 1


def test_a_save_that_is_overtaken_keeps_what_it_has(saved, store):
    engine, prompt, _, done = saved
    for path in store.files("chunk"):
        path.unlink()
    other = engine.open("/completion", {"prompt": "x", "id_slot": 1, "n_predict": 2000, "ignore_eos": True, "stream": True})
    next(read_events(other.getresponse()))
    save = Background(store.save_events, engine, status=None)
    ask(engine, tokenize(engine, "Something else."), 0, n=1)
    events = save.result()
    other.close()
    last = events[-1]
    if last["event"] == "done":
        assert last["n_tokens"] in (0, 256, done["n_tokens"]) and last["tokens"] == done["tokens"][:last["n_tokens"]]
        assert last["complete"] == (last["n_tokens"] == done["n_tokens"])
        store.adopt(last)
    else:
        assert last["code"] == "busy"


def test_an_engine_killed_in_a_save_leaves_the_store_whole(saved, on_store, store, plain):
    engine, prompt, name, done = saved
    for path in store.files("chunk"):
        path.unlink()
    connection = UnixConnection(engine.socket)
    connection.request("POST", "/localcode/save", json.dumps({
        "token": TOKEN, "slot": 0, "namespace": "11" * 32, "identity": IDENTITY, "staging": "tmp/killed"}))
    connection.getresponse().read(1)
    engine.kill()
    connection.close()
    assert store.files("chunk") == [], "nothing has a name in the store before the gateway gives it one"
    second = on_store(plain)
    said, reused, note = ask(second, prompt, **store.member(name, chunks=True))
    assert (note["used"], note["reason"], reused) == (0, "no_state", 0)


def test_a_full_or_missing_folder_is_an_error_of_the_save(saved, store):
    engine, _, _, _ = saved
    for path in store.files("chunk"):
        path.unlink()
    (store.dir / "tmp").rmdir()
    events = store.save_events(engine)
    assert [e["event"] for e in events] == ["copied", "error"] and events[-1]["code"] == "internal"


def test_without_a_store_there_are_no_states(start, store, plain):
    engine = start(plain, *COMMON, *CACHES["split"], env=store.env)
    answer = engine.get("/localcode/engine")[1]
    assert "state" not in answer and answer["state_why"] == "no --kv-dir"
    assert store.save_events(engine)[0]["code"] == "unsupported"
    said, reused, note = ask(engine, tokenize(engine, "Hello."), **store.member("44" * 32))
    assert said and note is None
