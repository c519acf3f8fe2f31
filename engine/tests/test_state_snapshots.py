"""States of models whose memory cannot be cut at any token: sliding window (Gemma 3), recurrent layers beside attention."""
import pytest

import tiny_hybrid
from engine_process import text
from test_state import CACHES, ask, assert_alike, damage, on_store, tokenize  # noqa: F401 (on_store is a fixture)

# llama.cpp's own checkpoint before the end of a prompt.
BEFORE_END = 4


WRITERS = {"swa": tiny_hybrid.write_window, "hybrid": tiny_hybrid.write, "recurrent": tiny_hybrid.write_recurrent}
SECTIONS = {"swa": "kv,kv_swa", "hybrid": "kv,recurrent", "recurrent": "recurrent"}
SHARED = ("--kv-unified", "-fa", "off")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {kind: str(write(tmp_path_factory.mktemp("model") / f"{kind}.gguf")) for kind, write in WRITERS.items()}


@pytest.fixture(params=["swa", "hybrid"])
def kind(request):
    return request.param


@pytest.fixture
def model(kind, models):
    return models[kind.split(",")[0]]


@pytest.fixture
def start_kind(on_store, model, kind):  # noqa: F811
    """An engine of this kind; with ", shared" on a unified cache without flash attention."""
    return lambda: on_store(model, "-t", 1, *(SHARED if "," in kind else CACHES["split"]))


@pytest.fixture
def saved(start_kind, store):
    """(engine, prompt, manifest's name, the event of the save): a checkpoint 40 tokens before the end was asked for"""
    engine = start_kind()
    prompt = tokenize(engine, text(100, 3))[:600]
    ask(engine, prompt, **store.member(checkpoints=[300, len(prompt) - 40]))
    return engine, prompt, *store.save(engine)


ALL_KINDS = pytest.mark.parametrize("kind", ["swa", "swa, shared", "hybrid", "hybrid, shared", "recurrent"], indirect=True)


@ALL_KINDS
def test_the_snapshots_are_where_they_are_needed(saved, kind):
    engine, prompt, _, done = saved
    state = engine.get("/localcode/engine")[1]["state"]
    name = kind.split(",")[0]
    assert (state["kind"], state["cuttable"]) == (name, False)
    assert state["identity"]["sections"] == SECTIONS[name] + (",v_trans" if kind == "swa, shared" else "")
    assert done["complete"] and done["has_chunks"] == (name != "recurrent") and done["n_tokens"] == len(prompt) + 5
    assert [s["n_tokens"] for s in done["snapshots"]] == [300, len(prompt) - 40, len(prompt) - BEFORE_END, len(prompt) + 5]


def from_saved_memory(engine, prompt, n, kind):
    """The answer of slot 0 when exactly n tokens of what it held at the save are used."""
    if kind.startswith("swa"):
        ask(engine, prompt[:n] + [prompt[n] + 1], 0, n=1)
    said, reused, _ = ask(engine, prompt, 0)
    assert reused == n
    return said


@ALL_KINDS
def test_a_restored_state_says_what_memory_says(saved, start_kind, store, kind):
    first, prompt, name, done = saved
    longer = done["tokens"] + tokenize(first, " and then nothing else happened")
    other_end = prompt[:-20] + tokenize(first, " and then nothing else happened")
    # llama.cpp computes the last token of its own window's checkpoint again; that of a restored one where V is transposed.
    again = 1 if kind.startswith("swa") else 0
    again_restored = 1 if kind == "swa, shared" else 0
    # The longest first, so that what the next ones reuse is what was saved.
    wanted = {"longer": (longer, len(done["tokens"]) - again), "same": (prompt, len(prompt) - BEFORE_END - again),
              "other end": (other_end, len(prompt) - 40 - again)}
    memory = {key: from_saved_memory(first, asked, n, kind) for key, (asked, n) in wanted.items()}
    first.stop()
    for key, (asked, n) in wanted.items():
        second = start_kind()
        said, reused, note = ask(second, asked, 0, **store.member(name))
        assert (note["from"], note["had"], note["used"], note["state"]) == ("state", 0, n + again, name), key
        assert reused == n + again - again_restored, key
        assert note["reason"] in ("no_snapshot", "other_tokens"), key
        if kind in ("hybrid", "recurrent"):
            assert said == memory[key], key
        else:  # cells lie in other places
            assert_alike(said, memory[key], 0.005)
        if key == "same":  # what is saved now has the older snapshots too, though they were not read
            again_saved, event = store.save(second)
            assert event["complete"] and {300, len(prompt) - 40} <= {s["n_tokens"] for s in event["snapshots"]}
            assert not {s["name"] for s in event["snapshots"] if s["n_tokens"] <= len(prompt) - 40} & {f["name"] for f in event["files"]}
            said, reused, note = ask(second, other_end, 0, **store.member(again_saved))
            assert (note["from"], reused) == ("state", len(prompt) - 40 - again_restored)
            assert_alike(said, memory["other end"], 0.005)
        second.stop()


def test_gemma_really_reuses(on_store, store, gemma):  # noqa: F811
    first = on_store(gemma)
    prompt = tokenize(first, text(560, 3))[:560]
    other_end = prompt[:-20] + tokenize(first, " and then nothing else happened")
    cold, _, _ = ask(first, prompt, **store.member(checkpoints=[len(prompt) - 40]))
    name, _ = store.save(first)
    first.stop()
    second = on_store(gemma)
    said, reused, note = ask(second, prompt, 0, **store.member(name))
    assert (note["from"], note["used"], reused) == ("state", len(prompt) - BEFORE_END, len(prompt) - BEFORE_END)
    # Its weights have four bits: already two splits of one prompt differ by up to 0.3.
    assert_alike(said, cold, 0.35)
    _, reused, note = ask(second, other_end, 1, **store.member(name))
    assert (note["from"], note["used"], reused) == ("state", len(prompt) - 40, len(prompt) - 40)


def test_no_states_where_they_would_be_wrong(start, store, models, plain):
    args = ("-t", 1, "-c", 512, *store.args)
    engine = start(models["swa"], *args, "--swa-full", env=store.env)
    about = engine.get("/localcode/engine")[1]
    assert "state" not in about and "--swa-full" in about["state_why"]
    engine = start(plain, *args, env=store.env)
    assert engine.get("/localcode/engine")[1]["state"]["kind"] == "full"
    engine.post("/lora-adapters", [])
    about = engine.get("/localcode/engine")[1]
    assert "state" not in about and "LoRA" in about["state_why"]
    assert store.save_events(engine)[0]["code"] == "unsupported"


def test_a_damaged_snapshot_costs_no_more_than_itself(saved, store):
    engine, prompt, name, done = saved
    best = next(s for s in done["snapshots"] if s["n_tokens"] == len(prompt) - BEFORE_END)
    below = next(s for s in done["snapshots"] if s["n_tokens"] == len(prompt) - 40)
    path = store.path("snapshot", best["name"])
    wanted, _, note = ask(engine, prompt, 1, **store.member(name, limit=below["n_tokens"]))
    assert note["used"] == below["n_tokens"]
    cold, _, _ = ask(engine, prompt, 1, cache_prompt=False)
    whole = path.read_bytes()
    for spoil, bad in ((lambda: damage(path, len(whole) - 1000), 1), (lambda: damage(path, 5000, to="end"), 1),
                       (lambda: damage(path, 200), 1), (lambda: path.unlink(), 0)):
        ask(engine, tokenize(engine, "Something else."), 0, n=1)
        spoil()
        said, reused, note = ask(engine, prompt, 0, **store.member(name))
        assert (note["from"], note["used"]) == ("state", below["n_tokens"]), note
        assert [b["kind"] for b in note.get("bad", [])] == ["snapshot"] * bad
        assert_alike(said, wanted, 0.005)
        path.write_bytes(whole)
    damage(store.path("chunk", done["files"][0]["name"]), 6000)
    ask(engine, tokenize(engine, "Something else."), 0, n=1)
    said, reused, note = ask(engine, prompt, 0, **store.member(name))
    assert (note["from"], note["used"], reused, note["reason"]) == ("none", 0, 0, "damaged")
    assert said == cold


def test_a_state_of_another_shape_is_refused(saved, store, on_store, plain, models, model):  # noqa: F811
    """The identity says what a state is of; when it lies, the engine still stands."""
    engine, prompt, name, done = saved
    engine.stop()
    for other in {plain, *models.values()} - {model}:
        second = on_store(other)
        asked = [t % 300 + 3 for t in prompt[:330]]
        done["tokens"] = asked
        lies = store.manifest({**done, "n_tokens": len(asked)}, identity="22" * 32)
        said, reused, note = ask(second, asked, 0, n=1, **store.member(lies, name, chunks=True))
        assert said and (note["used"], reused) == (0, 0)
        second.stop()
