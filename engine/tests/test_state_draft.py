"""The state of a draft model goes with that of its target: drafts are as good after a restore."""
from engine_process import text
from state_store import told
from test_state import COMMON, CACHES, tokenize


def test_drafts_after_a_restore(start, store, plain):
    args = (*COMMON, *CACHES["split"], "-md", plain, "--spec-type", "draft-simple", *store.args)

    def ask(engine, prompt, slot, **member):
        answer = engine.ok("/completion", {"prompt": prompt, "id_slot": slot, "n_predict": 24, "temperature": 0, "ignore_eos": True,
                                           "return_tokens": True, **member})
        timings = answer["timings"]
        return answer["tokens"], timings["draft_n"], timings["draft_n_accepted"], timings["cache_n"], told(engine.headers)

    first = start(plain, *args, env=store.env)
    prompt = tokenize(first, text(60, 4))[:400]
    _, drafted, accepted, _, _ = ask(first, prompt, 0, **store.member())
    assert drafted > 8 and accepted > drafted / 2, "the draft is the model itself"
    name, done = store.save(first)
    assert [s["n_tokens"] for s in done["snapshots"]] == [len(done["tokens"])]
    assert "dft=" in store.check(store.path("snapshot", done["snapshots"][0]["name"]))
    wanted = ask(first, prompt, 0)[:4]
    first.stop()

    second = start(plain, *args, env=store.env)
    *got, note = ask(second, prompt, 0, **store.member(name))
    assert (note["from"], note["used"]) == ("state", len(prompt))
    assert tuple(got) == wanted
    tokens, drafted, _, reused, note = ask(second, prompt, 1, **store.member(chunks=True))
    assert (note["from"], reused) == ("chunks", 256) and drafted > 0
    assert tokens == wanted[0], "a draft that knows nothing of the beginning changes no answer"
