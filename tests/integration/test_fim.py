"""Completing code between two texts. SmolLM2 was not trained for it: three of its spare tokens stand in for the FIM tokens
(--override-kv), which shows that the requests work, and nothing about what a real FIM model answers."""
import time

import pytest

from support.gateway import Gateway, backend_config, program

ENGINES = {"ours": "LOCALCODE_ENGINE", "stock": "LOCALCODE_LLAMA_SERVER"}
STAND_IN = ", ".join(f'"--override-kv", "tokenizer.ggml.fim_{name}_token_id=int:{n}"' for name, n in (("pre", 6), ("suf", 7), ("mid", 8)))
PREFIX, SUFFIX = "def add(a, b):\n    ", "\n\nprint(add(1, 2))\n"
EXTRA = [{"filename": f"file{i}.py", "text": f"def helper_{i}(x):\n    return x + {i}\n" * 4} for i in range(4)]


@pytest.fixture(scope="module", params=sorted(ENGINES))
def local(request, smollm2):
    config = (f'[[model]]\nname = "chat"\npath = "{smollm2}"\nthreads = 1\ncontext = 2048\nslots = 1\n'
              f'[[model]]\nname = "coder"\npath = "{smollm2}"\nthreads = 1\ncontext = 4096\nslots = 2\nroles = ["fim"]\nargs = [{STAND_IN}]\n')
    with Gateway(config, engine=program(ENGINES[request.param])) as g:
        yield g


def infill(g, prefix=PREFIX, suffix=SUFFIX, headers=(), **more):
    body = {"input_prefix": prefix, "input_suffix": suffix, "n_predict": 12, "temperature": 0, "stream": False, **more}
    return g.post("/infill", body, headers)


def test_infill(local):
    answer = infill(local, id_slot=0, input_extra=EXTRA, t_max_predict_ms=60000, cache_prompt=True, n_indent=4,
                    samplers=["top_k", "top_p", "infill"], prompt="return ",
                    response_fields=["content", "timings/prompt_n", "timings/cache_n", "truncated", "tokens_cached"])
    assert answer.status == 200, answer.body
    assert answer.header("x-localcode-route").startswith("coder;engine;role"), "the role chooses where no model is named"
    assert set(answer.json) == {"content", "timings/prompt_n", "timings/cache_n", "truncated", "tokens_cached"}
    assert answer.json["timings/prompt_n"] + answer.json["timings/cache_n"] > 0 and not answer.json["truncated"]
    streamed = infill(local, stream=True)
    assert streamed.status == 200 and streamed.clean
    whole = infill(local)
    assert "".join(e["content"] for e in streamed.events) == whole.json["content"] != ""


def test_a_warm_up_reads_the_context(local):
    """As llama.vim does it: no tokens, no answer, but the engine has read the extra context."""
    extra = [{"filename": "warm.py", "text": f"# {time.time()}\n" + "x = compute(y)\n" * 60}]
    warm = infill(local, "", "", n_predict=0, prompt="", input_extra=extra, samplers=[], cache_prompt=True, t_max_predict_ms=1,
                  response_fields=[""])
    assert warm.status == 200 and warm.json == {}, warm.body
    answer = infill(local, input_extra=extra)
    assert answer.json["timings"]["cache_n"] > 200, answer.json["timings"]


def test_completions_with_a_suffix(local):
    body = {"model": "coder", "prompt": PREFIX, "suffix": SUFFIX, "max_tokens": 12, "temperature": 0}
    same = infill(local, model="coder").json
    whole = local.post("/v1/completions", body)
    assert whole.status == 200, whole.body
    assert whole.json["object"] == "text_completion" and whole.json["model"] == "coder"
    choice = whole.json["choices"][0]
    assert choice["text"] == same["content"] and choice["finish_reason"] in ("stop", "length")
    assert whole.json["usage"]["completion_tokens"] == same["tokens_predicted"]
    assert whole.json["usage"]["prompt_tokens"] == same["tokens_evaluated"]
    streamed = local.post("/v1/completions", {**body, "stream": True, "stream_options": {"include_usage": True}})
    assert streamed.clean and streamed.done and streamed.text == same["content"]
    assert streamed.events[-1]["usage"]["total_tokens"] == whole.json["usage"]["total_tokens"]
    # Without a suffix it is a completion as ever, also at a model without FIM.
    plain = local.post("/v1/completions", {"model": "chat", "prompt": "Once", "suffix": "", "max_tokens": 2})
    assert plain.status == 200, plain.body


def test_mistrals_form(local):
    """What Continue sends to /v1/fim/completions."""
    body = {"prompt": PREFIX, "suffix": SUFFIX, "max_tokens": 12, "temperature": 0, "random_seed": 1, "stop": ["\n\n\n"]}
    same = infill(local, model="coder", stop=["\n\n\n"]).json
    whole = local.post("/v1/fim/completions", body)
    assert whole.status == 200, whole.body
    assert whole.json["object"] == "chat.completion" and whole.header("x-localcode-kind") == "fim"
    assert whole.json["choices"][0]["message"]["content"] == same["content"]
    assert whole.json["usage"]["total_tokens"] == same["tokens_evaluated"] + same["tokens_predicted"]
    streamed = local.post("/v1/fim/completions", {**body, "stream": True})
    assert streamed.clean and streamed.done and streamed.text == same["content"]
    assert any("usage" in e for e in streamed.events) and streamed.events[-1]["choices"][0]["finish_reason"]
    assert all(e["object"] == "chat.completion.chunk" for e in streamed.events if "choices" in e)


@pytest.mark.parametrize("target,body", [
    ("/infill", {"input_prefix": "a", "input_suffix": "b"}), ("/v1/completions", {"prompt": "a", "suffix": "b"}),
    ("/v1/fim/completions", {"prompt": "a", "suffix": "b"})])
def test_a_model_without_fim(local, target, body):
    answer = local.post(target, {"model": "chat", "max_tokens": 4, **body})
    assert answer.status == 400 and answer.error["code"] == "unsupported", answer.body
    assert "FIM tokens" in answer.error["message"] and 'roles = ["fim"]' in answer.error["message"]


def test_bad_input(local):
    for target, body, code in (("/v1/completions", {"prompt": [1, 2], "suffix": "b"}, "bad_request"),
                               ("/v1/completions", {"prompt": "a", "suffix": "b", "echo": True}, "unsupported"),
                               ("/v1/fim/completions", {"suffix": "b"}, "bad_request")):
        answer = local.post(target, {"model": "coder", **body})
        assert answer.status == 400 and answer.error["code"] == code, answer.body


def start(g, prefix, headers, **more):
    """A long completion under way: the connection, once the engine has begun with it."""
    body = {"input_prefix": prefix, "input_suffix": SUFFIX, "n_predict": 3000, "stream": True, "temperature": 1, "ignore_eos": True, **more}
    connection = g.open_stream(body, "/infill", headers=headers)
    answer = connection.read_head()
    assert answer.status == 200
    return connection, answer


def test_typing_on_ends_the_older_request(local):
    headers = [("User-Agent", "editor-one")]
    connection, answer = start(local, PREFIX, headers)
    newer = infill(local, PREFIX + "ret", headers=headers)
    assert newer.status == 200
    for _ in connection.body(answer):
        pass
    connection.close()
    assert not answer.clean and "newer request" in answer.error["message"]
    record = local.wait_request(lambda r: r["kind"] == "fim" and r["cancelled"])
    assert record["error_code"] == "cancelled"


def test_others_go_on(local):
    """Another editor, another text, a warm-up: none of them ends a request."""
    connection, answer = start(local, PREFIX, [("User-Agent", "editor-one")], n_predict=60)
    assert infill(local, PREFIX + "ret", headers=[("User-Agent", "editor-two")]).status == 200
    assert infill(local, "something else", "entirely other", headers=[("User-Agent", "editor-one")]).status == 200
    assert infill(local, "", "", n_predict=0, headers=[("User-Agent", "editor-one")]).status == 200
    for _ in connection.body(answer):
        pass
    connection.close()
    assert answer.clean, answer.body[-500:]


def test_a_session_is_one_editor(local):
    headers = [("x-session-id", "vim-1")]
    connection, answer = start(local, "one place", headers)
    assert infill(local, "quite another place", "x", headers=headers).status == 200
    for _ in connection.body(answer):
        pass
    connection.close()
    assert not answer.clean


def test_extra_context_keeps_its_order(local):
    headers = [("x-session-id", f"order-{time.time()}")]
    chunks = [{"filename": f"{time.time()}-{i}.py", "text": f"value_{i} = {i}\n" * 40} for i in range(4)]
    infill(local, headers=headers, input_extra=chunks)
    moved = [chunks[2], chunks[0], {"filename": "new.py", "text": "new = 1\n"}, chunks[3], chunks[1]]
    again = infill(local, headers=headers, input_extra=moved)
    assert again.json["timings"]["cache_n"] > 600, again.json["timings"]


def test_backends_get_it_as_it_is(backend, make_gateway):
    g = make_gateway(backend_config(backend))
    body = {"model": "fake-model", "prompt": "a", "suffix": "b", "stream": True}
    for target, there in (("/v1/completions", "/v1/completions"), ("/v1/fim/completions", "/v1/fim/completions")):
        g.post(target, body)
        assert backend.requests[-1].target == there and backend.requests[-1].json == body
