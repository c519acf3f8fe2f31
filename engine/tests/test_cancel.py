"""A client that leaves frees its slot at once, also in prefill, and nobody else pays for it."""
import statistics
import time

import pytest

from engine_process import Background, read_events, text

# Two runs split their batches differently and keep their tokens in other cells, which alone moves log-probabilities: a
# stock llama-server, asked for the same prompt in two slots of a unified cache, differs by 0.17 with SmolLM2 and by 0.29
# with Gemma here. What is wrong in the cache shows as several nats.
TOLERANCE = {"smollm2": 0.35, "gemma": 0.5}
# The same split in the same cells: seen to be equal to the last bit.
SAME_CELLS_TOLERANCE = 0.02

# One thread: on a machine shared with other work, threads that wait for each other at every barrier crawl.
COMMON = ("-t", 1, "-c", 16384, "-np", 2, "--cache-ram", 0, "--no-cache-idle-slots", "-fa", "on", "--temp", 0)
CACHES = {"split": ("--no-kv-unified",), "unified": ("--kv-unified",)}


def leave_in_prefill(engine, slot, prompt, after, tokens=0):
    """Starts a prefill on the slot, leaves it `after` seconds after it did `tokens`; returns the seconds until the slot
    was free."""
    connection = engine.open("/completion", {"prompt": prompt, "id_slot": slot, "n_predict": 4, "stream": True})
    engine.wait_slot(slot, busy=True)
    while tokens and engine.slots()[slot]["n_prompt_tokens_processed"] < tokens:
        time.sleep(0.005)
    time.sleep(after)
    assert engine.slots()[slot]["is_processing"], "the prefill ended too soon to be cancelled"
    begin = time.monotonic()
    connection.close()
    engine.wait_slot(slot, busy=False)
    return time.monotonic() - begin


def next_token(engine, tokens, slot, **fields):
    """Top log-probabilities of the token after `tokens`, as {id: logprob}."""
    answer = engine.ok("/completion", {"prompt": tokens, "id_slot": slot, "n_predict": 1, "n_probs": 8, "temperature": 0,
                                       **fields})
    return {t["id"]: t["logprob"] for t in answer["completion_probabilities"][0]["top_logprobs"]}, answer


def assert_alike(got, cold, tolerance):
    """The best tokens are the same within what another split of the batches explains."""
    best = max(cold.values())
    for token, logprob in cold.items():
        if logprob > best - 0.7:
            assert token in got and abs(got[token] - logprob) < tolerance, (token, got, cold)


def generate_beside_cancels(engine, body, cancels):
    """Generates on slot 0 and meanwhile leaves a prefill on slot 1 for each (at token, prompt, after seconds) of `cancels`.
    Returns the generated tokens, where the slot was when they were left, and the number of aborted batches."""
    before = engine.stats()["decodes_aborted"]
    running = Background(engine.ok, "/completion", {**body, "return_tokens": True})
    engine.wait_slot(0, busy=True)

    def generated():
        slot = engine.slots()[0]
        return slot["next_token"][0]["n_decoded"] if slot["is_processing"] else body["n_predict"]

    left_at = []
    for at, prompt, after in cancels:
        while generated() < at:
            time.sleep(0.005)
        leave_in_prefill(engine, 1, prompt, after)
        left_at.append(generated())
    return running.result()["tokens"], left_at, engine.stats()["decodes_aborted"] - before


def tokenize(engine, content):
    return engine.ok("/tokenize", {"content": content, "add_special": True})["tokens"]


@pytest.fixture
def model(request, smollm2, gemma):
    return {"smollm2": smollm2, "gemma": gemma}[request.param]


@pytest.fixture
def tolerance(request):
    return TOLERANCE[request.node.callspec.params["model"]]


def test_prefill_is_left_within_a_fraction_of_a_batch(start, smollm2):
    # One batch of 2,048 tokens takes seconds; without the abort the slot stays busy to its end.
    engine = start(smollm2, *COMMON, *CACHES["split"], "-b", 2048, "-ub", 2048)
    took = [leave_in_prefill(engine, 0, text(6000, seed), after=0.3) for seed in range(3)]
    print(f"\nbatch of 2,048: slot free after {[round(t * 1000) for t in took]} ms")
    assert engine.stats()["decodes_aborted"] >= 3
    assert max(took) < 2


def test_time_until_the_slot_is_free(start, smollm2):
    engine = start(smollm2, *COMMON, *CACHES["split"], "-t", 2, "-b", 512)
    took = sorted(leave_in_prefill(engine, seed % 2, text(6000, seed), after=0.2 + 0.04 * seed) for seed in range(20))
    p95 = took[18]
    print(f"\ncancel in prefill, batch of 512: median {statistics.median(took) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, "
          f"max {took[-1] * 1000:.0f} ms, aborted {engine.stats()['decodes_aborted']} of 20")
    assert p95 < 2


def test_decode_is_left(start, smollm2):
    engine = start(smollm2, *COMMON, *CACHES["split"], "-b", 512)
    for _ in range(5):
        connection = engine.open("/completion", {"prompt": "Count: one, two,", "id_slot": 0, "n_predict": 3000,
                                                 "ignore_eos": True, "stream": True})
        events = read_events(connection.getresponse())
        for _ in range(5):
            next(events)
        begin = time.monotonic()
        events.close()
        connection.close()
        engine.wait_slot(0, busy=False)
        took = time.monotonic() - begin
        assert took < 2
    print(f"\ncancel in decode: {took * 1000:.0f} ms")


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("model", ["smollm2", "gemma"], indirect=True)
def test_what_was_prefilled_stays(start, model, cache, tmp_path):
    engine = start(model, *COMMON, *CACHES[cache], "-b", 256, "-ub", 64, "--slot-save-path", tmp_path)
    tokens = tokenize(engine, text(1100, 1))
    cold, _ = next_token(engine, tokens, 0)
    engine.ok("/slots/0?action=erase", {})
    leave_in_prefill(engine, 0, tokens, after=0.05, tokens=768)
    assert engine.stats()["decodes_aborted"] == 1
    got, answer = next_token(engine, tokens, 0)
    print(f"\nreused after the cancel: {answer['timings']['cache_n']} of {len(tokens)}")
    assert_alike(got, cold, SAME_CELLS_TOLERANCE)
    assert answer["timings"]["cache_n"] >= 768


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("model", ["smollm2", "gemma"], indirect=True)
def test_a_slot_that_generates_goes_on(start, model, tolerance, cache):
    engine = start(model, *COMMON, *CACHES[cache], "-b", 512)
    body = {"prompt": tokenize(engine, text(300, 5) + " The story begins: once upon a time"), "id_slot": 0,
            "n_predict": 120, "ignore_eos": True, "temperature": 0}
    alone, _, _ = generate_beside_cancels(engine, body, [])
    generated, cancels_at, aborted = generate_beside_cancels(engine, {**body, "cache_prompt": False}, [
        (10 + 30 * i, text(2500, 11 + i), 0.15) for i in range(3)])

    assert aborted >= 1, "no batch was aborted: the test shows nothing"
    assert len(generated) == len(alone) == body["n_predict"], "the other slot did not run to its end"
    same = next((i for i, (a, b) in enumerate(zip(alone, generated)) if a != b), len(alone))
    print(f"\n{aborted} aborts, left at {cancels_at}; same tokens as alone: {same} of {len(alone)}")
    # Each token must be (nearly) the best one after what precedes it, computed cold.
    for at in sorted({*cancels_at, *(c + 1 for c in cancels_at), *(c + 2 for c in cancels_at), 60, 119}):
        if at >= len(generated):
            continue
        cold, _ = next_token(engine, body["prompt"] + generated[:at], 1, cache_prompt=False)
        assert generated[at] in cold, (at, generated[at], cold)
        assert cold[generated[at]] > max(cold.values()) - tolerance, (at, generated[at], cold)


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("model", ["smollm2", "gemma"], indirect=True)
def test_a_slot_that_prefills_goes_on(start, model, tolerance, cache):
    # Batches of 1,024 in physical ones of 128: both slots have tokens in a batch, some of it complete when it is aborted.
    engine = start(model, *COMMON, *CACHES[cache], "-b", 1024, "-ub", 128)
    for attempt in range(5):   # where the cancel falls between two batches, nothing is aborted
        leaving = tokenize(engine, text(400, 21 + 2 * attempt))
        staying = tokenize(engine, text(800, 22 + 2 * attempt))
        connection = engine.open("/completion", {"prompt": leaving, "id_slot": 0, "n_predict": 4, "stream": True})
        running = Background(next_token, engine, staying, 1)
        engine.wait_slot(1, busy=True)
        time.sleep(0.4)
        busy = engine.slots()[0]["is_processing"]
        connection.close()
        engine.wait_slot(0, busy=False)
        busy = busy and engine.slots()[1]["is_processing"]
        got, answer = running.result()
        if busy and engine.stats()["decodes_aborted"] >= 1:
            break
    else:
        pytest.fail("no batch that held both prompts was aborted: the test shows nothing")
    assert answer["timings"]["prompt_n"] + answer["timings"]["cache_n"] == len(staying)
    cold, _ = next_token(engine, staying, 0, cache_prompt=False)
    assert_alike(got, cold, tolerance)


def test_many_cancels_and_survivors(start, smollm2):
    """Slots cancelled in every phase while others finish: no error, no stuck slot."""
    engine = start(smollm2, "-t", 1, "-c", 16384, "-np", 4, "--no-kv-unified", "--cache-ram", 0, "-fa", "on", "-b", 512, "-ub", 128)

    def survivor(slot, seed):
        answer = engine.ok("/completion", {"prompt": text(300, seed), "id_slot": slot, "n_predict": 40, "ignore_eos": True})
        return answer["tokens_predicted"]

    survivors = [Background(survivor, slot, slot) for slot in (0, 1)]
    for seed in range(12):
        connection = engine.open("/completion", {"prompt": text(60 * (seed + 1), 100 + seed), "id_slot": 2 + seed % 2,
                                                 "n_predict": 50, "stream": True})
        time.sleep(0.03 * (1 + seed % 5))
        connection.close()
    assert [s.result() for s in survivors] == [40, 40]
    for slot in range(4):
        engine.wait_slot(slot, busy=False)
    assert engine.process.poll() is None
