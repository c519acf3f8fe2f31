"""Embeddings and reranking: all-MiniLM-L6-v2 (real), and a tiny reranker with random weights (a stand-in: its scores mean
nothing), through the engine and through a stock llama-server."""
import base64
import pathlib
import struct
import sys

import numpy as np
import openai
import pytest

from support.gateway import Gateway, backend_config, program
from support.minilm import MiniLM

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools" / "models"))
import tiny_rerank  # noqa: E402

ENGINES = {"ours": "LOCALCODE_ENGINE", "stock": "LOCALCODE_LLAMA_SERVER"}
TEXTS = ["How do I open a file in Python?", "Reading files: use open() in a with statement.", "The weather in Oslo is rainy today.",
         "unaffable naïve café, x_y = f(a+b);", "word " * 300]


@pytest.fixture(scope="module", params=sorted(ENGINES))
def local(request, minilm, smollm2, tmp_path_factory):
    """MiniLM without a role: its file says what it is for. The reranker's file does, too; it has the role all the same."""
    rerank = tiny_rerank.write(tmp_path_factory.mktemp("rerank") / "tiny-rerank.gguf")
    config = (f'[[model]]\nname = "chat"\npath = "{smollm2}"\nthreads = 1\ncontext = 2048\nslots = 1\n'
              f'[[model]]\nname = "mini"\npath = "{minilm}"\nthreads = 1\nroles = ["embed"]\n'
              f'[[model]]\nname = "rank"\npath = "{rerank}"\nthreads = 1\nroles = ["rerank"]\n'
              f'[[model]]\nname = "plain-mini"\npath = "{minilm}"\nthreads = 1\n')
    with Gateway(config, engine=program(ENGINES[request.param])) as g:
        yield g


def vectors(answer):
    assert answer.status == 200, answer.body[:500]
    assert [e["index"] for e in answer.json["data"]] == list(range(len(answer.json["data"])))
    return [np.array(e["embedding"]) for e in answer.json["data"]]


def test_the_same_as_a_computation_by_hand(local, minilm):
    by_hand = MiniLM(pathlib.Path(minilm).parent)
    tokens = [by_hand.tokens(t) for t in TEXTS]
    for text, ids in zip(TEXTS, tokens):
        asked = local.post("/tokenize", {"model": "mini", "content": text, "add_special": True}).json["tokens"]
        assert asked == ids, text[:40]
    answer = local.post("/v1/embeddings", {"model": "mini", "input": TEXTS})
    for text, ids, vector in zip(TEXTS, tokens, vectors(answer)):
        assert len(vector) == 384
        assert 1 - float(vector @ by_hand.embed(ids)) < 1e-3, text[:40]
    assert answer.json["usage"] == {"prompt_tokens": sum(map(len, tokens)), "total_tokens": sum(map(len, tokens))}
    near, far = vectors(answer)[0] @ vectors(answer)[1], vectors(answer)[0] @ vectors(answer)[2]
    assert near > far + 0.2


def test_forms_of_input_and_of_the_answer(local):
    one = vectors(local.post("/v1/embeddings", {"model": "mini", "input": TEXTS[0]}))[0]
    ids = local.post("/tokenize", {"model": "mini", "content": TEXTS[0], "add_special": True}).json["tokens"]
    lists = vectors(local.post("/v1/embeddings", {"model": "mini", "input": [ids, ids]}))
    assert len(lists) == 2 and all(np.allclose(v, one, atol=1e-5) for v in lists)
    assert np.allclose(vectors(local.post("/v1/embeddings", {"model": "mini", "input": ids}))[0], one, atol=1e-5)
    packed = local.post("/v1/embeddings", {"model": "mini", "input": TEXTS[0], "encoding_format": "base64"}).json
    values = struct.unpack("<384f", base64.b64decode(packed["data"][0]["embedding"]))
    assert np.allclose(values, one, atol=1e-6)
    short = vectors(local.post("/v1/embeddings", {"model": "mini", "input": TEXTS[0], "dimensions": 64}))[0]
    assert len(short) == 64 and np.allclose(short, one[:64] / np.linalg.norm(one[:64]), atol=1e-5)


def test_many_texts_keep_their_order_and_usage_is_summed(local):
    texts = [f"number {i}" + " and more" * (i % 7) for i in range(100)]
    answer = local.post("/v1/embeddings", {"input": texts})  # without a model: the role chooses
    assert answer.header("x-localcode-route").startswith("mini;engine;role")
    many = vectors(answer)
    assert answer.json["model"] == "mini" and answer.json["usage"]["prompt_tokens"] == sum(4 + 2 * (i % 7) for i in range(100))
    for i in (0, 31, 32, 63, 64, 99):
        alone = vectors(local.post("/v1/embeddings", {"model": "mini", "input": texts[i]}))[0]
        assert np.allclose(many[i], alone, atol=2e-3), i


def test_with_the_openai_sdk(local):
    client = openai.OpenAI(base_url=local.url + "/v1", api_key="none")
    answer = client.embeddings.create(model="mini", input=TEXTS[:2])  # asks for base64
    assert len(answer.data) == 2 and len(answer.data[0].embedding) == 384 and answer.usage.total_tokens > 10


def test_a_model_whose_file_says_so_needs_no_role(local):
    assert len(vectors(local.post("/v1/embeddings", {"model": "plain-mini", "input": "x"}))[0]) == 384
    said = local.get("/v1/models/plain-mini").json["localcode"]["capabilities"]
    assert said == ["embedding"] and local.get("/v1/models/rank").json["localcode"]["capabilities"] == ["rerank"]


@pytest.mark.parametrize("target,body,says", [
    ("/v1/embeddings", {"model": "chat", "input": "x"}, 'roles = ["embed"]'),
    ("/v1/rerank", {"model": "chat", "query": "x", "documents": ["y"]}, 'roles = ["rerank"]'),
    ("/v1/rerank", {"model": "mini", "query": "x", "documents": ["y"]}, 'roles = ["rerank"]'),
    ("/v1/chat/completions", {"model": "mini", "messages": [{"role": "user", "content": "Hi"}]}, "makes embeddings only")])
def test_a_model_for_something_else(local, target, body, says):
    answer = local.post(target, body)
    assert answer.status == 400 and answer.error["code"] == "unsupported" and says in answer.error["message"], answer.body


@pytest.mark.parametrize("more,says", [
    ({"input": ["fine", "word " * 600, "fine"]}, "input[1] has 602 tokens"), ({"input": ["x"] * 40 + ["word " * 600]}, "input[40]"),
    ({"input": [[1, 2], list(range(1000, 1600))]}, "input[1] has 600 tokens")])
def test_a_text_over_the_context_is_named(local, more, says):
    answer = local.post("/v1/embeddings", {"model": "mini", **more})
    assert answer.status == 400 and answer.error["code"] == "context_length_exceeded", answer.body
    assert says in answer.error["message"] and "512" in answer.error["message"], answer.error
    assert local.post("/v1/embeddings", {"model": "mini", "input": "still there"}).status == 200


@pytest.mark.parametrize("body,says", [
    ({}, "'input' is missing"), ({"input": []}, "'input' is empty"), ({"input": ["a", 1]}, "token numbers"),
    ({"input": ["a", {}]}, "input[1]"), ({"input": 5}, "'input' must be"), ({"input": [[1, -2]]}, "input[0]"),
    ({"input": "x", "dimensions": 0}, "dimensions"), ({"input": "x", "dimensions": 1000}, "384"),
    ({"input": "x", "encoding_format": "hex"}, "encoding_format"), ({"input": [[99999999]]}, "")])
def test_bad_input_is_refused(local, body, says):
    answer = local.post("/v1/embeddings", {"model": "mini", **body})
    assert answer.status == 400 and says in answer.error["message"], answer.body
    assert local.post("/v1/embeddings", {"model": "mini", "input": "still there"}).status == 200


DOCUMENTS = [f"document {i} {'abc' * (i % 5)}" for i in range(50)]


def test_rerank(local):
    answer = local.post("/v1/rerank", {"model": "rank", "query": "what", "documents": DOCUMENTS})
    assert answer.status == 200, answer.body
    results = answer.json["results"]
    scores = [r["relevance_score"] for r in results]
    assert sorted(r["index"] for r in results) == list(range(50)) and scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 40 and answer.json["usage"]["total_tokens"] > 500
    by_index = {r["index"]: r["relevance_score"] for r in results}
    for i in (0, 31, 32, 49):  # alone as in the batch
        alone = local.post("/v1/rerank", {"model": "rank", "query": "what", "documents": [DOCUMENTS[i]]}).json["results"]
        assert alone[0]["index"] == 0 and abs(alone[0]["relevance_score"] - by_index[i]) < 1e-3


@pytest.mark.parametrize("target", ["/rerank", "/v2/rerank", "/v1/reranking"])
def test_rerank_by_other_names_and_shapes(local, target):
    plain = local.post("/v1/rerank", {"query": "what", "documents": DOCUMENTS[:6], "top_n": 3})
    assert plain.header("x-localcode-route").startswith("rank;engine;role") and plain.json["model"] == "rank"
    objects = [{"text": d, "title": "x"} if i % 2 else d for i, d in enumerate(DOCUMENTS[:6])]
    shaped = local.post(target, {"model": "rank", "query": {"text": "what"}, "documents": objects, "top_n": 3, "return_documents": True})
    assert shaped.status == 200, shaped.body
    assert [r["index"] for r in shaped.json["results"]] == [r["index"] for r in plain.json["results"]] and len(shaped.json["results"]) == 3
    assert all(r["document"]["text"] == DOCUMENTS[r["index"]] for r in shaped.json["results"])
    assert all("document" not in r for r in plain.json["results"])


@pytest.mark.parametrize("body,says", [
    ({"documents": ["a"]}, "'query' is missing"), ({"query": "a"}, "'documents' is missing"), ({"query": "a", "documents": []}, "empty"),
    ({"query": "a", "documents": ["b", {"image": "c"}]}, "documents[1]"), ({"query": 1, "documents": ["b"]}, "'query' must be"),
    ({"query": "a", "documents": ["b"], "top_n": 0}, "top_n"),
    ({"query": "a", "documents": ["b", "b" * 500]}, "documents[1] has")])
def test_bad_rerank_is_refused(local, body, says):
    answer = local.post("/v1/rerank", {"model": "rank", **body})
    assert answer.status == 400 and says in answer.error["message"], answer.body


def test_backends_get_it_as_it_is(backend, make_gateway):
    g = make_gateway(backend_config(backend))
    for target, body in (("/v1/embeddings", {"model": "fake-model", "input": ["a", "b"], "dimensions": 3}),
                         ("/v2/rerank", {"model": "fake-model", "query": "q", "documents": [{"text": "a"}]})):
        g.post(target, body)
        sent = backend.requests[-1]
        assert sent.json == body, "a backend's request is not changed"
