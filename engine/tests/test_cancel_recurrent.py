"""An aborted batch on a model whose state cannot be cut back: it is restored from before the batch, never left half-done."""
import time

import pytest

import tiny_hybrid
from engine_process import Background, text
from test_cancel import CACHES, COMMON, assert_alike, generate_beside_cancels, leave_in_prefill, next_token, tokenize

# Random weights make a flat distribution: what is wrong in the state moves the best logits by far more than this.
TOLERANCE = 0.3


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory):
    return tiny_hybrid.write(tmp_path_factory.mktemp("model") / "tiny_hybrid.gguf")


@pytest.mark.parametrize("cache", CACHES)
def test_a_slot_that_generates_goes_on(start, hybrid, cache):
    engine = start(hybrid, *COMMON, *CACHES[cache], "-b", 512)
    body = {"prompt": tokenize(engine, text(60, 5)), "id_slot": 0, "n_predict": 400, "ignore_eos": True, "temperature": 0}
    alone, _, _ = generate_beside_cancels(engine, body, [])
    generated, cancels_at, aborted = generate_beside_cancels(engine, {**body, "cache_prompt": False}, [
        (10 + 60 * i, text(900, i), 0.03) for i in range(4)])
    assert aborted >= 1, "no batch was aborted: the test shows nothing"
    assert len(generated) == len(alone) == body["n_predict"]
    same = next((i for i, (a, b) in enumerate(zip(alone, generated)) if a != b), len(alone))
    print(f"\n{aborted} aborts, left at {cancels_at}; same tokens as alone: {same} of {len(alone)}")
    for at in sorted({c + d for c in cancels_at for d in range(5)}):
        if at < len(generated):
            cold, _ = next_token(engine, body["prompt"] + generated[:at], 1, cache_prompt=False)
            assert cold.get(generated[at], -99) > max(cold.values()) - TOLERANCE, (at, generated[at], cold)


@pytest.mark.parametrize("cache", CACHES)
def test_a_slot_that_prefills_goes_on(start, hybrid, cache):
    engine = start(hybrid, *COMMON, *CACHES[cache], "-b", 2048, "-ub", 128)
    leaving = tokenize(engine, text(150, 21))
    staying = tokenize(engine, text(500, 22))
    connection = engine.open("/completion", {"prompt": leaving, "id_slot": 0, "n_predict": 4, "stream": True})
    running = Background(next_token, engine, staying, 1)
    engine.wait_slot(1, busy=True)
    time.sleep(0.1)
    assert engine.slots()[0]["is_processing"]
    connection.close()
    engine.wait_slot(0, busy=False)
    assert engine.slots()[1]["is_processing"], "the other slot was done already: the test shows nothing"
    got, _ = running.result()
    assert engine.stats()["decodes_aborted"] >= 1
    cold, _ = next_token(engine, staying, 0, cache_prompt=False)
    assert_alike(got, cold, TOLERANCE)


@pytest.mark.parametrize("cache", CACHES)
def test_what_was_prefilled_stays(start, hybrid, cache):
    engine = start(hybrid, *COMMON, *CACHES[cache], "-b", 512, "-ub", 128)
    tokens = tokenize(engine, text(900, 1))
    leave_in_prefill(engine, 0, tokens, after=0.05, tokens=1024)
    got, answer = next_token(engine, tokens, 0)
    cold, _ = next_token(engine, tokens, 1, cache_prompt=False)
    print(f"\nreused after the cancel: {answer['timings']['cache_n']} of {len(tokens)}")
    assert_alike(got, cold, TOLERANCE)
    assert engine.stats()["decodes_aborted"] == 1
