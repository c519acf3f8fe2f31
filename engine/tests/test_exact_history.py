"""Token-exact history: a follow-up is put together from the tokens that the model generated, not from a new tokenisation."""
import json

import pytest

import tiny_hybrid
from engine_process import text
from state_store import IDENTITY, NAMESPACE, TOKEN
from test_state import ask, on_store, tokenize  # noqa: F401 (on_store is a fixture)

KINDS = ["plain", "swa", "hybrid", "recurrent", "smollm2", "gemma"]
END = {"smollm2": "<|im_end|>", "gemma": "<end_of_turn>"}
WRITERS = {"swa": tiny_hybrid.write_window, "hybrid": tiny_hybrid.write, "recurrent": tiny_hybrid.write_recurrent}
NEXT = "\nuser: And then?\nassistant:"
GENERATED = '{"name" :  "read", "path":"src/main.c" }'
RENDERED = '{"name": "read", "path": "src/main.c"}'


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def engine(on_store, kind, request, tmp_path):  # noqa: F811
    """An engine of this kind; engine() starts another one on the same model and store."""
    model = WRITERS[kind](tmp_path / f"{kind}.gguf") if kind in WRITERS else request.getfixturevalue(kind)
    return lambda: on_store(model, "-t", 1, "--no-kv-unified", "-fa", "on")


class Conversation:
    """A prompt, an answer in tokens that no tokeniser would choose, and the prompt of the next turn as text."""

    def __init__(self, engine, kind, answer, rendered=None):
        self.end = END.get(kind, "</s>")
        begin = text(540 if kind == "gemma" else 120, 5) + self.end  # longer than the window
        begin += "\nassistant:"
        self.prompt = engine.ok("/tokenize", {"content": begin, "add_special": True, "parse_special": True})["tokens"]
        # Letter by letter; a space as the byte that it also can be.
        space = 35 if kind not in END else None
        self.answer = [t for c in answer for t in ([space] if c == " " and space else tokenize(engine, c))]
        self.known = self.prompt + self.answer
        self.next = begin + (rendered or answer) + self.end + NEXT
        self.turns = [[len(self.prompt), len(self.known)]]

    def tail(self, engine):
        return engine.ok("/tokenize", {"content": self.end + NEXT, "parse_special": True, "add_special": False})["tokens"]


def history(slot=(), generation=0, states=()):
    return {"history": {"generation": generation, "slot": list(slot), "states": list(states)}}


def test_other_tokens_of_the_same_text_are_kept(engine, kind, store):
    first = engine()
    talk = Conversation(first, kind, " hidden meadows remember")
    assert talk.answer != tokenize(first, " hidden meadows remember")
    exact = talk.known + talk.tail(first)

    # In memory.
    ask(first, talk.known, n=1, **store.member(**history()))
    name, done = store.save(first)
    assert done["tokens"] == talk.known
    said, reused, note = ask(first, talk.next, **store.member(**history()))
    assert (note["prompt"], reused, note["from"]) == (len(exact), len(talk.known), "memory")
    assert note["history"]["turns"] == 0 and note["history"]["tokens"] >= len(talk.answer) - 2
    # As rendered it is another prompt.
    _, reused, note = ask(first, talk.next, 1, **store.member(name))
    assert reused < len(talk.known) and "history" not in note
    first.stop()

    # From the store, in another process: the same tokens, so the same answer.
    second = engine()
    restored, reused, note = ask(second, talk.next, **store.member(name, **history()))
    assert (note["prompt"], note["used"], reused) == (len(exact), len(talk.known), len(talk.known))
    assert note["from"] == "state" and note["history"]["tokens"] >= len(talk.answer) - 2
    asked, _, _ = ask(second, exact, 1, **store.member(name))
    assert [t for t, _ in restored] == [t for t, _ in asked]
    if kind not in ("swa", "gemma"):  # another split into batches than in memory
        assert [t for t, _ in restored] == [t for t, _ in said]


def test_an_answer_that_means_the_same_is_kept(engine, kind, store):
    first = engine()
    talk = Conversation(first, kind, GENERATED, RENDERED)
    exact = talk.known + talk.tail(first)

    _, _, note = ask(first, talk.known, n=1, **store.member(**history()))
    generation = note["generation"]
    name, done = store.save(first)
    assert done["generation"] == generation
    # Nobody says that it means the same; or says it of something that was in the slot before.
    for slot, turns in ((0, history(talk.turns, generation + 7)), (1, history(states=[[]]))):
        _, reused, note = ask(first, talk.next, slot, n=1, **store.member(*([name] if slot else []), **turns))
        assert note["prompt"] != len(exact) and reused < len(talk.known), slot
    # Edited: another path.
    edited = talk.next.replace("main.c", "other.c")
    _, _, note = ask(first, edited, 1, n=1, **store.member(name, **history(states=[talk.turns])))
    kept = engine_text(first, note["prompt"], 1)
    assert "other.c" in kept and "main.c" not in kept
    # Memory that is as the gateway thinks it is.
    _, _, note = ask(first, talk.known, 1, n=1, **store.member(**history()))
    _, reused, note = ask(first, talk.next, 1, **store.member(**history(talk.turns, note["generation"])))
    assert (note["prompt"], reused, note["history"]["turns"], note["history"]["slot"]) == (len(exact), len(talk.known), 1, len(talk.known))
    first.stop()

    second = engine()
    _, reused, note = ask(second, talk.next, **store.member(name, **history(states=[talk.turns])))
    assert (note["prompt"], reused, note["history"]["turns"]) == (len(exact), len(talk.known), 1)
    assert (note["history"]["slot"], note["history"]["state"]) == (0, len(talk.known))
    assert GENERATED in engine_text(second, note["prompt"], 0)


def engine_text(engine, n_prompt, slot):
    """What the slot's prompt says."""
    tokens = saved_tokens(engine, slot)[:n_prompt]
    return engine.ok("/detokenize", {"tokens": tokens})["content"]


def saved_tokens(engine, slot):
    saved_tokens.count += 1
    status, raw = engine.request("POST", "/localcode/save", {
        "token": TOKEN, "slot": slot, "namespace": NAMESPACE, "identity": IDENTITY, "staging": f"tmp/look-{saved_tokens.count}"})
    assert status == 200, raw
    return json.loads(raw.splitlines()[-1])["tokens"]


saved_tokens.count = 0


@pytest.mark.parametrize("kind", ["plain"], indirect=True)
def test_another_tenants_tokens_are_never_taken(engine, store):
    first = engine()
    talk = Conversation(first, "plain", " hidden meadows remember")
    ask(first, talk.known, n=1, **store.member(**history()))
    name, _ = store.save(first)
    other = store.member(name, **history(states=[talk.turns]))
    other["localcode_state"]["namespace"] = "33" * 32
    for slot in (0, 1):
        _, reused, note = ask(first, talk.next, slot, n=1, **other)
        assert reused == 0 and note["history"]["tokens"] == 0 and note["prompt"] == len(tokenize_prompt(first, talk.next))


def tokenize_prompt(engine, content):
    return engine.ok("/tokenize", {"content": content, "add_special": True, "parse_special": True})["tokens"]


@pytest.mark.parametrize("kind", ["plain"], indirect=True)
@pytest.mark.parametrize("bad", [7, {"slot": 3}, {"slot": [[1]]}, {"slot": [[3, 1]]}, {"slot": [[1, 5], [3, 9]]}, {"generation": "x"},
                                 {"states": [[[1, 2]]]}, {"slot": [[1, 2]] * 5000}])
def test_nonsense_is_refused(engine, store, bad):
    status, answer = engine().post("/completion", {"prompt": "x", "n_predict": 1, **store.member(history=bad)})
    assert status == 400 and "history" in answer["error"]["message"], answer
