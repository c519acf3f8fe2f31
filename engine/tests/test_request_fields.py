"""Fields the engine understands beyond llama-server's, and the stock server from the same patched tree, which must not."""
import pytest

from engine_process import Background, read_events, text

ARGS = ("-t", 1, "-c", 8192, "-np", 2, "--no-kv-unified", "--cache-ram", 0, "-fa", "on", "-b", 512)
REPEATS = "The river is long and the stone is old." * 12  # the model goes on with it, so n-grams draft well
CHAT = {"messages": [{"role": "user", "content": "Name three rivers."}], "max_tokens": 12, "temperature": 0}


def test_generated_tokens_are_reported(start, smollm2):
    engine = start(smollm2, *ARGS)
    plain = engine.ok("/v1/chat/completions", {**CHAT, "return_tokens": True})["choices"][0]
    assert len(plain["tokens"]) == 12
    assert engine.ok("/detokenize", {"tokens": plain["tokens"]})["content"].strip() == plain["message"]["content"].strip()

    events = list(engine.events("/v1/chat/completions", {**CHAT, "return_tokens": True, "stream_options": {"include_usage": True}}))
    with_tokens = [c for e in events for c in e["choices"] if "tokens" in c]
    assert [c["tokens"] for c in with_tokens] == [plain["tokens"]], "once, in the choice that ends it"
    assert with_tokens[0]["finish_reason"] == "length"

    completion = engine.ok("/v1/completions", {"prompt": "One, two,", "max_tokens": 5, "temperature": 0, "return_tokens": True})
    assert len(completion["choices"][0]["tokens"]) == 5

    several = engine.ok("/v1/chat/completions", {**CHAT, "return_tokens": True, "n": 2})
    assert [len(c["tokens"]) for c in several["choices"]] == [12, 12]

    assert "tokens" not in engine.ok("/v1/chat/completions", CHAT)["choices"][0]


def test_drafts_per_request(start, smollm2):
    engine = start(smollm2, *ARGS, "--spec-type", "ngram-simple", "--spec-ngram-simple-size-n", 4,
                   "--spec-ngram-simple-size-m", 8)
    body = {"prompt": REPEATS, "n_predict": 48, "temperature": 0, "ignore_eos": True, "cache_prompt": False}

    def drafted(**fields):
        answer = engine.ok("/completion", {**body, **fields})
        assert answer["tokens_predicted"] == 48
        return answer["timings"].get("draft_n", 0), answer["content"]

    as_loaded, content = drafted()
    assert as_loaded > 0, "no drafts at all: the test shows nothing"
    assert drafted(**{"speculative.n_max": 0}) == (0, content)
    assert drafted(**{"speculative.type": "none"}) == (0, content)
    assert drafted(**{"speculative.type": ["ngram-mod"]})[0] == 0, "a kind that is not loaded drafts nothing"
    assert drafted(**{"speculative.type": "ngram-simple"})[0] > 0
    limited, _ = drafted(**{"speculative.n_max": 1})
    assert 0 < limited < as_loaded


@pytest.mark.parametrize("fields", [{"speculative.n_max": -1}, {"speculative.n_max": "4"}, {"speculative.type": 3},
                                    {"speculative.type": "telepathy"}, {"batch_key": -1}, {"batch_key": "x"}])
def test_bad_fields_are_refused(start, smollm2, fields):
    engine = start(smollm2, *ARGS)
    status, answer = engine.post("/completion", {"prompt": "x", "n_predict": 1, **fields})
    assert status == 400 and answer["error"]["message"], answer


def test_only_equal_keys_share_a_batch(start, smollm2):
    engine = start(smollm2, *ARGS)

    def decodes(keys):
        """Decodes it takes two requests at once to generate 60 tokens each."""
        before = engine.stats()["decodes"]
        both = [Background(engine.ok, "/completion", {"prompt": f"Number {slot}:", "n_predict": 60, "ignore_eos": True,
                                                      "id_slot": slot, "cache_prompt": False, "batch_key": key})
                for slot, key in enumerate(keys)]
        for one in both:
            assert one.result()["tokens_predicted"] == 60
        return engine.stats()["decodes"] - before

    shared, apart = decodes([7, 7]), decodes([7, 8])
    print(f"\ndecodes with equal keys {shared}, with different keys {apart}")
    assert apart >= 120
    assert shared < 110


def test_prefill_steps_get_short_while_others_generate(start, smollm2):
    engine = start(smollm2, *ARGS)
    engine.ok("/completion", {"prompt": text(700, 1), "id_slot": 1, "n_predict": 1})
    assert engine.stats()["prefill_step"] == 512
    generating = engine.open("/completion", {"prompt": "x", "id_slot": 0, "n_predict": 3000, "ignore_eos": True, "stream": True})
    next(read_events(generating.getresponse()))
    engine.ok("/completion", {"prompt": text(600, 2), "id_slot": 1, "n_predict": 1, "cache_prompt": False})
    step = engine.stats()["prefill_step"]
    assert engine.slots()[0]["is_processing"]
    generating.close()
    assert 32 <= step < 512, step


def test_the_stock_server_is_as_upstream(start, smollm2, llama_server_binary):
    server = start(smollm2, *ARGS, "--spec-type", "ngram-simple", "--spec-ngram-simple-size-n", 4,
                   "--spec-ngram-simple-size-m", 8, binary=llama_server_binary)
    assert server.get("/localcode/engine")[0] == 404
    chat = server.ok("/v1/chat/completions", {**CHAT, "return_tokens": True})
    assert "tokens" not in chat["choices"][0]
    answer = server.ok("/completion", {"prompt": REPEATS, "n_predict": 48, "temperature": 0, "ignore_eos": True,
                                       "speculative.n_max": 0, "batch_key": "x"})
    assert answer["timings"]["draft_n"] > 0, "fields of the engine must mean nothing to the stock server"


def test_the_engine_answers_as_the_stock_server(start, smollm2, llama_server_binary):
    answers = []
    for binary in (None, llama_server_binary):
        server = start(smollm2, *ARGS, binary=binary)
        answers.append([server.ok("/v1/chat/completions", {**CHAT, "max_tokens": 40})["choices"],
                        server.ok("/completion", {"prompt": text(600, 3), "n_predict": 40, "temperature": 0})["content"]])
    assert answers[0] == answers[1]
