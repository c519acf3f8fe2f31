"""Images on their way to an engine. SmolLM2 with a tiny random projector stands in for a model with eyes: what it says means
nothing, but it depends on the picture, and must be the same as a stock llama-server's answer to the same file."""
import base64
import http.server
import json
import pathlib
import struct
import subprocess
import sys
import threading
import zlib

import pytest

from support import http as raw_http
from support.gateway import Gateway, free_port, program, until

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools" / "models"))
import tiny_vision  # noqa: E402

ENGINES = {"ours": "LOCALCODE_ENGINE", "stock": "LOCALCODE_LLAMA_SERVER"}
# 20 x 10 pixels of (64, 128, 255), losslessly.
WEBP = base64.b64decode("UklGRh4AAABXRUJQVlA4TBEAAAAvE0ACAAdQwAL1v/+BiOh/AAA=")


def png(rgb, width=20, height=10, data=None):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    raw = data if data is not None else (b"\0" + bytes(rgb) * width) * height
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def url_of(image, mime="image/png"):
    return f"data:{mime};base64," + base64.b64encode(image).decode()


def chat(url, **more):
    part = {"type": "image_url", "image_url": {"url": url}}
    return {"model": "eyes", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}],
            "max_tokens": 6, "temperature": 0, **more}


@pytest.fixture(scope="module")
def projector(tmp_path_factory):
    return tiny_vision.write(tmp_path_factory.mktemp("vision") / "mmproj-tiny.gguf")


@pytest.fixture(scope="module", params=sorted(ENGINES))
def local(request, smollm2, projector):
    config = (f'[[model]]\nname = "eyes"\npath = "{smollm2}"\nmmproj = "{projector}"\nthreads = 1\ncontext = 2048\nslots = 1\n'
              f'[[model]]\nname = "blind"\npath = "{smollm2}"\nmmproj = "none"\nthreads = 1\ncontext = 2048\nslots = 1\n')
    with Gateway(config, engine=program(ENGINES[request.param])) as g:
        yield g


@pytest.fixture
def trap():
    """A web server that must not be asked. Its list of requests."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(png((1, 2, 3)))

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/picture.png", asked
    server.shutdown()
    server.server_close()


def test_the_same_as_a_stock_server(local, smollm2, projector):
    port = free_port()
    server = subprocess.Popen([program("LOCALCODE_LLAMA_SERVER"), "-m", smollm2, "--mmproj", str(projector), "--port", str(port), "-t", "1",
                               "-c", "2048", "-np", "1", "-b", "512", "-ub", "512", "-fa", "on", "--no-webui"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = ("127.0.0.1", port)

        def up():
            try:
                return raw_http.fetch(address, "GET", "/health").status == 200
            except OSError:
                return False
        until(up, message="the stock server should come up")
        seen = []
        for rgb in ((255, 0, 0), (0, 255, 0), (64, 128, 255)):
            body = chat(url_of(png(rgb)), logprobs=True, top_logprobs=5)
            there, here = raw_http.fetch(address, "POST", "/v1/chat/completions", json.dumps(body).encode()).json, \
                local.post("/v1/chat/completions", body)
            assert here.status == 200, here.body
            for a, b in zip(there["choices"][0]["logprobs"]["content"], here.json["choices"][0]["logprobs"]["content"], strict=True):
                assert a["token"] == b["token"] and abs(a["logprob"] - b["logprob"]) < 1e-3
            seen.append(here.json["choices"][0]["logprobs"]["content"][0]["logprob"])
        assert len(set(seen)) == 3, "the answer depends on the picture"
    finally:
        server.terminate()
        server.wait(60)


def test_in_every_dialect(local):
    image = png((64, 128, 255))
    as_chat = local.post("/v1/chat/completions", chat(url_of(image)))
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(image).decode()}
    messages = local.post("/v1/messages", {"model": "eyes", "max_tokens": 6, "temperature": 0, "messages": [
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}]}]})
    responses = local.post("/v1/responses", {"model": "eyes", "max_output_tokens": 6, "temperature": 0, "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": url_of(image)}]}]})
    assert as_chat.status == messages.status == responses.status == 200, (as_chat.body, messages.body, responses.body)
    assert messages.json["content"][0]["text"] == as_chat.text
    assert "vision" in local.get("/v1/models/eyes").json["localcode"]["capabilities"]


def test_webp_is_turned_into_png(local):
    """The engine itself would start another program for it. Lossless, so the answer is the same."""
    same = local.post("/v1/chat/completions", chat(url_of(png((64, 128, 255)))))
    webp = local.post("/v1/chat/completions", chat(url_of(WEBP, "image/webp")))
    assert webp.status == 200, webp.body
    assert webp.text == same.text and webp.json["usage"]["prompt_tokens"] == same.json["usage"]["prompt_tokens"]
    source = {"type": "base64", "media_type": "image/webp", "data": base64.b64encode(WEBP).decode()}
    messages = local.post("/v1/messages", {"model": "eyes", "max_tokens": 6, "temperature": 0, "messages": [
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}]}]})
    assert messages.status == 200 and messages.json["content"][0]["text"] == same.text


REQUESTS = {
    "/v1/chat/completions": chat,
    "/v1/messages": lambda url: {"model": "eyes", "max_tokens": 4, "messages": [
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": url}}]}]},
    "/v1/messages/count_tokens": lambda url: {"model": "eyes", "messages": [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": [
            {"type": "image", "source": {"type": "url", "url": url}}]}]}]},
    "/v1/responses": lambda url: {"model": "eyes", "max_output_tokens": 4, "input": [
        {"role": "user", "content": [{"type": "input_image", "image_url": url}]}]},
    "/apply-template": chat,
    "/v1/chat/completions/input_tokens": chat,
    "/upstream/eyes/v1/chat/completions": chat,
}


@pytest.mark.parametrize("target", REQUESTS)
def test_no_address_is_fetched(local, trap, target):
    url, asked = trap
    for given in (url, url.replace("http://", "HTTP://"), "file:///etc/hostname", "/etc/hostname", url.replace("http", "https")):
        answer = local.post(target, REQUESTS[target](given))
        assert answer.status == 400, (given, answer.status, answer.body[:300])
    # The same with escapes in names and values, which a JSON parser undoes.
    hidden = json.dumps(REQUESTS[target](url)).replace("image_url", "im\\u0061ge_url").replace('"image"', '"im\\u0061ge"').replace("http:/", "http:\\/")
    assert local.post(target, hidden).status == 400
    assert asked == [], "something was fetched"


@pytest.mark.parametrize("image,says", [
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "PNG, JPEG, GIF or WebP"), (b"#EXTM3U\n/etc/passwd", "PNG, JPEG, GIF or WebP"),
    (png((0, 0, 0), data=b"\0" * 30_000_000), "holds more than its size"), (png((0, 0, 0), 60000, 60000, b"\0" * 100), "pixels"),
    (WEBP[:30], "WebP"), (b"\xff\xd8\xff\xe0", "damaged")])
def test_bad_images_are_refused(local, image, says):
    answer = local.post("/v1/chat/completions", chat(url_of(image)))
    assert answer.status == 400 and says in answer.error["message"], answer.body[:500]
    assert "messages[0].content[1].image_url.url" in answer.error["message"]


def test_a_model_without_eyes(local):
    answer = local.post("/v1/chat/completions", {**chat(url_of(png((1, 2, 3)))), "model": "blind"})
    assert answer.status == 400 and answer.error["code"] == "unsupported" and "mmproj" in answer.error["message"], answer.body


def test_raw_prompts(local):
    good = {"model": "eyes", "n_predict": 2, "prompt": {"prompt_string": "a <__media__>", "multimodal_data": ["bm90IGFuIGltYWdl"]}}
    answer = local.post("/completion", good)
    assert answer.status == 400 and "multimodal_data[0]" in answer.error["message"], answer.body
