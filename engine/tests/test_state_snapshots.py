"""States of models whose memory cannot be cut at any token: sliding window (Gemma 3), recurrent layers beside attention."""
import pytest

import tiny_hybrid
from engine_process import text
from test_state import ask, assert_alike, damage, on_store, tokenize  # noqa: F401 (on_store is a fixture)

# llama.cpp's own checkpoint before the end of a prompt.
BEFORE_END = 4


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory):
    return tiny_hybrid.write(tmp_path_factory.mktemp("model") / "tiny_hybrid.gguf")


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    return tiny_hybrid.write_window(tmp_path_factory.mktemp("model") / "tiny_window.gguf")


@pytest.fixture(params=["swa", "hybrid"])
def kind(request):
    return request.param


@pytest.fixture
def model(kind, window, hybrid):
    return {"swa": window, "hybrid": hybrid}[kind]


@pytest.fixture
def saved(on_store, store, model):  # noqa: F811
    """(engine, prompt, manifest's name, the event of the save): a checkpoint 40 tokens before the end was asked for"""
    engine = on_store(model)
    prompt = tokenize(engine, text(100, 3))[:600]
    ask(engine, prompt, **store.member(checkpoints=[300, len(prompt) - 40]))
    return engine, prompt, *store.save(engine)


def test_the_snapshots_are_where_they_are_needed(saved, kind):
    engine, prompt, _, done = saved
    state = engine.get("/localcode/engine")[1]["state"]
    assert (state["kind"], state["cuttable"]) == (kind, False)
    assert state["identity"]["sections"] == {"swa": "kv,kv_swa", "hybrid": "kv,recurrent"}[kind]
    assert done["complete"] and done["has_chunks"] and done["n_tokens"] == len(prompt) + 5
    assert [s["n_tokens"] for s in done["snapshots"]] == [300, len(prompt) - 40, len(prompt) - BEFORE_END, len(prompt) + 5]


def from_saved_memory(engine, prompt, n, kind):
    """The answer of slot 0 when exactly n tokens of what it held at the save are used."""
    if kind == "swa":
        ask(engine, prompt[:n] + [prompt[n] + 1], 0, n=1)
    said, reused, _ = ask(engine, prompt, 0)
    assert reused == n
    return said


def test_a_restored_state_says_what_memory_says(saved, on_store, store, model, kind):  # noqa: F811
    first, prompt, name, done = saved
    longer = done["tokens"] + tokenize(first, " and then nothing else happened")
    other_end = prompt[:-20] + tokenize(first, " and then nothing else happened")
    # llama.cpp computes the last token of a window's checkpoint again.
    again = 1 if kind == "swa" else 0
    # The longest first, so that what the next ones reuse is what was saved.
    wanted = {"longer": (longer, len(done["tokens"]) - again), "same": (prompt, len(prompt) - BEFORE_END - again),
              "other end": (other_end, len(prompt) - 40 - again)}
    memory = {key: from_saved_memory(first, asked, n, kind) for key, (asked, n) in wanted.items()}
    first.stop()
    for key, (asked, n) in wanted.items():
        second = on_store(model)
        said, reused, note = ask(second, asked, 0, **store.member(name))
        assert (note["from"], note["had"], note["used"], reused, note["state"]) == ("state", 0, n + again, n, name), key
        assert note["reason"] in ("no_snapshot", "other_tokens"), key
        if kind == "hybrid":
            assert said == memory[key], key
        else:  # the cells of the window lie in other places
            assert_alike(said, memory[key], 0.001)
        if key == "same":  # what was restored can be gone back to, without the store
            said, reused, note = ask(second, other_end, 0, **store.member())
            assert (note["from"], reused) == ("memory", len(prompt) - 40 - again)
            assert_alike(said, memory["other end"], 0.001)
            assert store.save(second)[1]["complete"]
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
    assert (note["from"], note["used"], reused) == ("state", len(prompt) - BEFORE_END, len(prompt) - BEFORE_END - 1)
    # Its weights have four bits: already two splits of one prompt differ by up to 0.3.
    assert_alike(said, cold, 0.35)
    _, reused, note = ask(second, other_end, 1, **store.member(name))
    assert (note["from"], note["used"], reused) == ("state", len(prompt) - 40, len(prompt) - 41)


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
        assert_alike(said, wanted, 0.001)
        path.write_bytes(whole)
    damage(store.path("chunk", done["files"][0]["name"]), 6000)
    ask(engine, tokenize(engine, "Something else."), 0, n=1)
    said, reused, note = ask(engine, prompt, 0, **store.member(name))
    assert (note["from"], note["used"], reused, note["reason"]) == ("none", 0, 0, "damaged")
    assert said == cold


def test_a_state_of_another_shape_is_refused(saved, store, on_store, smollm2, window, hybrid, model):  # noqa: F811
    """The identity says what a state is of; when it lies, the engine still stands."""
    engine, prompt, name, done = saved
    engine.stop()
    for other in {smollm2, str(window), str(hybrid)} - {str(model)}:
        second = on_store(other)
        asked = [t % 300 + 3 for t in prompt[:330]]
        done["tokens"] = asked
        lies = store.manifest({**done, "n_tokens": len(asked)}, identity="22" * 32)
        said, reused, note = ask(second, asked, 0, n=1, **store.member(lies, name, chunks=True))
        assert said and (note["used"], reused) == (0, 0)
        second.stop()
