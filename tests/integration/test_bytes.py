"""Nothing that LocalCode does not understand may change: not a byte of an unknown field, in either direction."""
import gzip
import json
import random
import string
import zlib

from support.gateway import backend_config
from fake_backend import scripts

# Numbers beyond double and int64, duplicate keys, escapes, odd spacing, order, half a surrogate pair.
ODD = (b'{ "zeta":1.0, "alpha" : 12345678901234567890123, "model":"fake-model","dup":1,"dup":{"dup":[1,2 ,3]},\n'
       b'\t"exp":1E+400,"neg":-0.0,"text":"\\u00e9\\/\\ud83d\\ude00 \\u2028 \xc3\xa9","messages":[ {"content":"hi", "role":"user",'
       b'"x_note":null} ],"temperature":0.10,"response_format":{"type":"json_schema","json_schema":{"b":1,"a":2}} }')


def test_a_request_passes_unchanged(gateway, backend):
    assert gateway.post("/v1/chat/completions", ODD).status == 200
    assert backend.requests[-1].body == ODD


def test_a_streamed_request_passes_unchanged(gateway, backend):
    body = ODD[:-1] + b', "stream" : true, "stream_options":{"include_usage":true}}'
    assert gateway.post("/v1/chat/completions", body).done
    assert backend.requests[-1].body == body


def test_only_the_extension_object_is_cut_out(gateway, backend):
    body = ODD[:-1] + b',"localcode":{"session":"s"}, "tail":1}'
    assert gateway.post("/v1/chat/completions", body).status == 200
    sent = backend.requests[-1].body
    assert sent.startswith(ODD[:-1].rstrip()) and sent.endswith(b'"tail":1}') and b"localcode" not in sent
    json.loads(sent)


def test_a_missing_model_is_added_and_nothing_else(gateway, backend):
    body = ODD.replace(b'"model":"fake-model",', b"")
    assert gateway.post("/v1/chat/completions", body).status == 200
    sent = backend.requests[-1].body
    assert json.loads(sent)["model"] == "glm-4.7"
    for piece in (b'"alpha" : 12345678901234567890123', b'"dup":1,"dup":{"dup":[1,2 ,3]}', b'"exp":1E+400', b'"temperature":0.10'):
        assert piece in sent


def test_an_answer_passes_unchanged(gateway):
    answer = gateway.chat(fake="exact")
    assert answer.body == scripts.EXACT_BODY


def test_frames_pass_unchanged(gateway):
    answer = gateway.chat(fake="exact", stream=True)
    assert answer.frames == [*scripts.EXACT_FRAMES, b"[DONE]"]


def test_random_documents_pass_unchanged(gateway, backend):
    chance = random.Random(4242)

    def value(depth):
        kind = chance.randrange(7 if depth else 5)
        if kind == 0:
            return str(chance.choice([0, -1, 1e300, 0.1, 10**30, -10**19])).encode()
        if kind == 1:
            return json.dumps("".join(chance.choices(string.printable + "éß漢😀", k=chance.randrange(12)))).encode()
        if kind == 2:
            return chance.choice([b"true", b"false", b"null"])
        if kind < 5:
            return b'"' + "".join(chance.choices("aé漢", k=3)).encode() + b'"'
        space = chance.choice([b"", b" ", b"\n  "])
        items = [value(depth - 1) for _ in range(chance.randrange(4))]
        if kind == 5:
            return b"[" + space + (b"," + space).join(items) + b"]"
        return b"{" + (b"," + space).join(b'"k%d"%b: %b' % (chance.randrange(3), space, i) for i in items) + b"}"
    for _ in range(100):
        members = [b'"messages":[{"role":"user","content":"x"}]', b'"model":"fake-model"']
        members += [b'"u%d":%b' % (i, value(4)) for i in range(chance.randrange(6))]
        chance.shuffle(members)
        body = b"{" + b",".join(members) + b"}"
        answer = gateway.post("/v1/chat/completions", body)
        assert answer.status == 200, (body, answer.body)
        assert backend.requests[-1].body == body


def test_compressed_requests_are_unpacked(gateway, backend):
    for coding, data in (("gzip", gzip.compress(ODD)), ("deflate", zlib.compress(ODD))):
        answer = gateway.post("/v1/chat/completions", data, [("Content-Encoding", coding)])
        assert answer.status == 200, coding
        assert backend.requests[-1].body == ODD
        assert backend.requests[-1].header("content-encoding") is None
    assert gateway.post("/v1/chat/completions", ODD, [("Content-Encoding", "br")]).status == 415
    assert gateway.post("/v1/chat/completions", b"not gzip", [("Content-Encoding", "gzip")]).status == 400


def test_a_decompression_bomb_is_stopped(make_gateway, backend):
    gateway = make_gateway("[server.limits]\nmax_body_bytes = 1000000\n" + backend_config(backend))
    bomb = gzip.compress(b" " * 200_000_000)
    assert gateway.post("/v1/chat/completions", bomb, [("Content-Encoding", "gzip")]).status == 413


def test_chunked_requests(gateway, backend):
    pieces = [ODD[:10], ODD[10:11], ODD[11:]]
    body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    assert gateway.post("/v1/chat/completions", body, [("Transfer-Encoding", "chunked")]).status == 200
    assert backend.requests[-1].body == ODD


def test_what_goes_upstream_is_not_compressed_and_carries_no_key_of_ours(make_gateway, backend):
    gateway = make_gateway('[[auth.keys]]\nname = "a"\nkey = "the-gateways-own-key"\n' + backend_config(
        backend, extra='key = "the-backends-key"\nheaders = { "X-Extra" = "yes" }'))
    answer = gateway.chat(headers=[("Authorization", "Bearer the-gateways-own-key"), ("Accept-Encoding", "gzip, br"),
                                   ("Cookie", "a=b"), ("X-Conversation-Id", "c"), ("X-Session-Id", "kept")])
    assert answer.status == 200
    seen = backend.requests[-1]
    assert seen.header("accept-encoding") in (None, "identity")
    assert seen.header("authorization") == "Bearer the-backends-key"
    assert b"the-gateways-own-key" not in seen.head
    assert seen.header("cookie") is None and seen.header("x-conversation-id") is None
    assert seen.header("x-extra") == "yes"
    assert seen.header("host") == f"127.0.0.1:{backend.port}"
