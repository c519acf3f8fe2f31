"""What the scripted backend answers: one coroutine a situation, `SCRIPTS` by name. Names may carry an argument after a
colon ("slow:3", "overflow:vllm")."""
import asyncio
import email.utils
import json
import re
import socket
import struct
import time

SCRIPTS = {}
TEXT = ["Hello", " from", " the", " scripted", " backend", "."]
USAGE = {"prompt_tokens": 21, "completion_tokens": 6, "total_tokens": 27, "prompt_tokens_details": {"cached_tokens": 5}}


def script(function):
    SCRIPTS[function.__name__] = function
    return function


def choose(request, default):
    """The script for a request, as (name, coroutine function); its argument is bound already."""
    name = default
    path = request.target
    try:
        body = json.loads(request.body) if request.body else {}
    except ValueError:
        body = {}
    if match := re.match(r"/script/([^/]+)(/.*)", request.target):
        name, path = match.groups()
    elif isinstance(body, dict):
        if isinstance(body.get("model"), str) and body["model"].startswith("script:"):
            name = body["model"][len("script:"):]
    if isinstance(body, dict) and isinstance(body.get("fake"), str):
        name = body["fake"]
    path = path.split("?")[0]
    if path.endswith("/models") and request.method == "GET":
        return name, models
    base, _, argument = name.partition(":")
    if base not in SCRIPTS:
        raise KeyError(f"no script named {name}")
    run = SCRIPTS[base]
    if base == "normal" and path.endswith("/messages"):
        run = messages
    return name, (lambda c, r: run(c, r, argument)) if argument else run


# --- shapes ------------------------------------------------------------------------------------------------------------

def body_of(request):
    try:
        return json.loads(request.body)
    except ValueError:
        return {}


def chunk(request, delta, finish=None, **more):
    return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1700000000,
            "model": body_of(request).get("model", "fake"),
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def usage_chunk(request, usage=None):
    return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1700000000,
            "model": body_of(request).get("model", "fake"), "choices": [], "usage": usage or USAGE}


def completion(request, message, finish="stop", usage=None):
    return {"id": "chatcmpl-fake", "object": "chat.completion", "created": 1700000000,
            "model": body_of(request).get("model", "fake"),
            "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
            "usage": usage or USAGE}


def tool_call_pieces(name, arguments, call_id="call_fake_1", index=0, size=7):
    """A call as it is streamed: id and name first, then the arguments in pieces."""
    yield {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}]}
    for at in range(0, len(arguments), size):
        yield {"tool_calls": [{"index": index, "function": {"arguments": arguments[at:at + size]}}]}


async def text_answer(c, request, texts, end=b"\n\n", done=True, pause=0.0):
    """A plain answer in the form that was asked for."""
    if not body_of(request).get("stream"):
        await c.json(completion(request, {"content": "".join(texts)}))
        return
    await c.sse()
    await c.event(chunk(request, {"role": "assistant", "content": ""}), end)
    for text in texts:
        if pause:
            await c.sleep(pause)
        await c.event(chunk(request, {"content": text}), end)
    await c.event(chunk(request, {}, "stop"), end)
    await c.event(usage_chunk(request), end)
    if done:
        await c.event(b"[DONE]", end)
    await c.end()


async def call_answer(c, request, name, arguments, text=""):
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    if not body_of(request).get("stream"):
        call = {"id": "call_fake_1", "type": "function", "function": {"name": name, "arguments": arguments}}
        await c.json(completion(request, {"content": text or None, "tool_calls": [call]}, "tool_calls"))
        return
    await c.sse()
    await c.event(chunk(request, {"role": "assistant", "content": text or None}))
    for piece in tool_call_pieces(name, arguments):
        await c.event(chunk(request, piece))
    await c.event(chunk(request, {}, "tool_calls"))
    await c.event(usage_chunk(request))
    await c.event(b"[DONE]")
    await c.end()


def error(message, kind="invalid_request_error", code=None):
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


# --- plain answers -----------------------------------------------------------------------------------------------------

async def models(c, request):
    await c.json({"object": "list", "data": [{"id": m, "object": "model", "created": 1700000000, "owned_by": "fake"}
                                             for m in ("fake-model", "fake-small")]})


@script
async def normal(c, request):
    await text_answer(c, request, TEXT)


@script
async def slow(c, request, seconds="2"):
    """Nothing at all for a while, then a normal answer."""
    await c.sleep(float(seconds))
    await (messages if request.target.endswith("/messages") else normal)(c, request)


@script
async def fail_late(c, request, seconds="2.5"):
    """Nothing for longer than the gateway holds its head, then an end without a byte."""
    await c.sleep(float(seconds))
    c.cut()


@script
async def refuse_late(c, request, wording="llama"):
    """Nothing for longer than the gateway holds its head, then a refusal: an overflow, or a status (three digits)."""
    await c.sleep(2.5)
    await (status if wording.isdigit() else overflow)(c, request, wording)


@script
async def drip(c, request, seconds="0.05"):
    """A long answer, word by word."""
    await text_answer(c, request, [f"word{i} " for i in range(400)], pause=float(seconds))


@script
async def gated(c, request):
    """The head and one token, then nothing until the test releases it."""
    await c.sse()
    await c.event(chunk(request, {"role": "assistant", "content": "first"}))
    await c.released()
    await c.event(chunk(request, {"content": " second"}))
    await c.event(chunk(request, {}, "stop"))
    await c.event(b"[DONE]")
    await c.end()


@script
async def gated_head(c, request):
    """Not even a head until the test releases it."""
    await c.released()
    await normal(c, request)


@script
async def messages(c, request):
    """Anthropic's Messages."""
    text = "Hello from the scripted backend."
    usage = {"input_tokens": 21, "output_tokens": 6, "cache_read_input_tokens": 5}
    model = body_of(request).get("model", "fake")
    if not body_of(request).get("stream"):
        await c.json({"id": "msg_fake", "type": "message", "role": "assistant", "model": model,
                      "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
                      "usage": usage})
        return
    await c.sse()
    events = [
        {"type": "message_start", "message": {"id": "msg_fake", "type": "message", "role": "assistant", "model": model,
                                              "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    for event in events:
        await c.body(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    await c.end()


@script
async def unopened(c, request):
    """A stream of Messages or Responses without its first events, as llama.cpp sends it when the first token has no text."""
    if request.target.endswith("/responses"):
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
        opener = [{"type": "response.created", "response": {"id": "resp_fake"}}] if body_of(request).get("again") else []
        text = "\U0001f600"
        part = {"type": "output_text", "text": text, "annotations": []}
        done = {**item, "status": "completed", "content": [part]}
        events = [*opener, {"type": "response.output_item.added", "item": item}, *opener,
                  {"type": "response.content_part.added", "item_id": "msg_1", "part": {"type": "output_text", "text": ""}},
                  {"type": "response.output_text.delta", "item_id": "msg_1", "delta": text},
                  {"type": "response.output_item.done", "item": done},
                  {"type": "response.completed", "response": {"id": "resp_fake", "object": "response", "status": "completed",
                                                              "output": [done], "usage": {"input_tokens": 3, "output_tokens": 2}}}]
    else:
        events = [{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                  {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "\U0001f600"}},
                  {"type": "content_block_stop", "index": 0},
                  {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
                  {"type": "message_stop"}]
    await c.sse()
    for event in events:
        await c.body(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    await c.end()


# Frames that a re-serialising gateway would change: spacing, duplicate keys, big and odd numbers, escapes, order.
EXACT_FRAMES = [
    b'{"id":"x",  "z_unknown": {"b":1,"a":2,"b":3}, "choices":[{"index":0,"delta":{"role":"assistant","content":"a\\u00e9\xc3\xa9\\/"}}]}',
    b'{"created":12345678901234567890123,"f":1.0,"g":1e400,"h":-0.0,"i":1E+2,"choices":[{"delta":{"content":"b"},"index":0}]}',
    b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"x_price":0.10}}',
]
EXACT_BODY = (b'{ "id":"x","object":"chat.completion", "n":12345678901234567890123,"n":1.0, "choices":[{"index":0,"message":'
              b'{"role":"assistant","content":"a\\u00e9\\/","x_note":null},"finish_reason":"stop"}],"usage":'
              b'{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"x":1e400},"zz":[1,2 , 3] }')


@script
async def exact(c, request):
    """Bytes that must arrive unchanged."""
    if not body_of(request).get("stream"):
        await c.json(EXACT_BODY, extra=[("X-Upstream-Note", "kept")])
        return
    await c.sse()
    for frame in EXACT_FRAMES:
        await c.event(frame)
    await c.event(b"[DONE]")
    await c.end()


@script
async def needs_key(c, request, key="secret-of-the-tests"):
    if request.header("authorization") != f"Bearer {key}":
        await c.json(error("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"), 401)
        return
    await normal(c, request)


# --- tools and GLM -----------------------------------------------------------------------------------------------------

@script
async def tool(c, request):
    """Calls the first tool that the request defines, with {"path": "a.txt"}; after a tool result, answers with it."""
    body = body_of(request)
    last = (body.get("messages") or [{}])[-1]
    if last.get("role") == "tool":
        await text_answer(c, request, ["The tool said: ", str(last.get("content"))])
    elif body.get("tools"):
        await call_answer(c, request, body["tools"][0]["function"]["name"], {"path": "a.txt"})
    else:
        await normal(c, request)


@script
async def opencode(c, request):
    """A whole tool loop for the real OpenCode: reads a.txt, then answers with what stood in it."""
    body = body_of(request)
    history = body.get("messages", [])
    results = [m for m in history if m.get("role") == "tool"]
    if not body.get("tools"):
        await text_answer(c, request, ["Reading", " a", " file"])
    elif results:
        text = results[-1]["content"]
        text = text if isinstance(text, str) else "".join(p.get("text", "") for p in text)
        found = re.search(r"marker-[0-9a-f]+", text)
        await text_answer(c, request, ["The file says: ", found.group(0) if found else "nothing I know"])
    else:
        where = re.search(r"Working directory: (\S+)", json.dumps(history)) or re.search(r"directory: ([^\s\\]+)", json.dumps(history))
        path = (where.group(1).split("\\n")[0] if where else ".") + "/a.txt"
        await call_answer(c, request, "read", {"filePath": path}, text="I will read it.")


@script
async def opencode_overflow(c, request, when="before"):
    """The main request overflows once; a compaction request (no tools, its own system prompt) is answered; then all is well.
    when: before (400) or mid (the error comes in the stream)."""
    body = body_of(request)
    backend = c.backend
    if not hasattr(backend, "overflowed"):
        backend.overflowed = 0
    if body.get("tools") and backend.overflowed == 0:
        backend.overflowed += 1
        if when == "before":
            await overflow(c, request, "llama")
        else:
            await c.sse()
            await c.event(chunk(request, {"role": "assistant", "content": ""}))
            await c.event({"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}})
            await c.end()
        return
    await text_answer(c, request, ["A short", " answer", " after", " compaction."])


@script
async def opencode_cut_once(c, request):
    """The first main request's stream is cut; the next one is whole."""
    backend = c.backend
    if body_of(request).get("tools") and not getattr(backend, "cut_once", False):
        backend.cut_once = True
        await cut_stream(c, request)
        return
    await text_answer(c, request, ["The whole", " answer."])


@script
async def glm(c, request):
    """GLM-4.7's coding API: reasoning first, then text or a streamed tool call; usage with cached tokens in the last chunk."""
    body = body_of(request)
    usage = {"prompt_tokens": 1043, "completion_tokens": 37, "total_tokens": 1080, "prompt_tokens_details": {"cached_tokens": 768}}
    thinking = body.get("thinking", {}).get("type") != "disabled"
    calls = bool(body.get("tools"))
    if not body.get("stream"):
        message = {"content": "Bonjour."}
        if thinking:
            message["reasoning_content"] = "The user greets me."
        if calls:
            name = body["tools"][0]["function"]["name"]
            message["tool_calls"] = [{"id": "call_-8231", "index": 0, "type": "function",
                                      "function": {"name": name, "arguments": '{"path":"a.txt"}'}}]
        answer = completion(request, message, "tool_calls" if calls else "stop", usage)
        answer["request_id"] = "20251122fake"
        await c.json(answer)
        return
    await c.sse()
    base = {"id": "20251122fake", "created": 1700000000, "object": "chat.completion.chunk", "model": body.get("model", "glm-4.7")}

    async def send(delta, **more):
        choice = {"index": 0, "delta": {"role": "assistant", **delta}}
        if finish := more.pop("finish", None):
            choice["finish_reason"] = finish
        await c.event({**base, "choices": [choice], **more})
    if thinking:
        for text in ("The user ", "greets me."):
            await send({"reasoning_content": text})
    if calls:
        name = body["tools"][0]["function"]["name"]
        for piece in tool_call_pieces(name, '{"path":"a.txt"}', "call_-8231", size=5):
            await send(piece)
        await send({"content": ""}, finish="tool_calls", usage=usage)
    else:
        for text in ("Bon", "jour."):
            await send({"content": text})
        await send({"content": ""}, finish="stop", usage=usage)
    await c.event(b"[DONE]")
    await c.end()


# --- refusals ----------------------------------------------------------------------------------------------------------

@script
async def rate_limited(c, request, seconds="7"):
    await c.json(error("Rate limit reached for requests", "rate_limit_error", "rate_limit_exceeded"), 429, [("Retry-After", seconds)])


@script
async def busy(c, request, form="date"):
    """Too many requests, and when to come again in the less usual forms."""
    forms = {"date": [("Retry-After", email.utils.formatdate(time.time() + 90, usegmt=True))],
             "ms": [("retry-after-ms", "1500")], "both": [("Retry-After", "4"), ("Retry-After-Ms", "3500")],
             "none": [], "nonsense": [("Retry-After", "soon"), ("retry-after-ms", "1 2")]}
    await c.json(error("Too many requests", "rate_limit_error", "rate_limit_exceeded"), 429, forms[form])


@script
async def fields(c, request):
    """An answer with fields of many kinds; nothing but its size for HEAD."""
    await c.json(b"0123456789", extra=[
        ("ETag", '"abc"'), ("X-Ratelimit-Remaining", "7"), ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Set-Cookie", "a=b"), ("Server", "fake/1"), ("Access-Control-Allow-Origin", "*"), ("X-Localcode-Kind", "faked"),
        ("Keep-Alive", "timeout=5")])


@script
async def cut_length(c, request):
    """A length that is not kept."""
    await c.head(200, length=1000)
    await c.body(b"only this")
    c.cut()


@script
async def status(c, request, code="500"):
    kinds = {"500": "server_error", "503": "overloaded_error", "401": "authentication_error", "418": "teapot_error"}
    extra = [("Retry-After", "3")] if code == "503" else []
    await c.json(error(f"The server answers {code}", kinds.get(code, "server_error")), int(code), extra)


OVERFLOWS = {
    "llama": (400, {"error": {"code": 400, "message": "request (20000 tokens) exceeds the available context size (16384 tokens), try increasing it",
                              "type": "exceed_context_size_error", "n_prompt_tokens": 20000, "n_ctx": 16384}}),
    "llama_decode": (500, {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}),
    "openai": (400, error("This model's maximum context length is 16384 tokens. However, your messages resulted in 20000 tokens. "
                          "Please reduce the length of the messages.", code="context_length_exceeded")),
    "vllm": (400, {"object": "error", "message": "This model's maximum context length is 16384 tokens. However, you requested "
                   "20000 tokens in the messages, Please reduce the length of the messages.", "type": "BadRequestError",
                   "param": None, "code": 400}),
    "anthropic": (400, {"type": "error", "error": {"type": "invalid_request_error",
                                                   "message": "prompt is too long: 20000 tokens > 16384 maximum"}}),
    "too_large": (413, error("Request Entity Too Large", "request_too_large")),
}


@script
async def overflow(c, request, wording="llama"):
    code, body = OVERFLOWS[wording]
    await c.json(body, code)


# --- odd, but legal ----------------------------------------------------------------------------------------------------

@script
async def crlf(c, request):
    await text_answer(c, request, TEXT, end=b"\r\n\r\n")


@script
async def comments(c, request):
    await c.sse()
    await c.body(b": first\n\n:\n\n")
    for text in TEXT:
        await c.body(b": keep-alive\n\n")
        await c.event(chunk(request, {"content": text}))
    await c.event(chunk(request, {}, "stop"))
    await c.event(b"[DONE]")
    await c.end()


@script
async def bytewise(c, request):
    """Every byte in a chunk of its own."""
    await c.sse()
    for value in [chunk(request, {"content": t}) for t in TEXT] + [chunk(request, {}, "stop"), b"[DONE]"]:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        for at, byte in enumerate(b"data: " + data + b"\n\n"):
            await c.body(bytes([byte]))
            if at % 16 == 0:
                await asyncio.sleep(0)
    await c.end()


@script
async def huge(c, request, size="2000000"):
    """One frame of many bytes."""
    await text_answer(c, request, ["x" * int(size)])


@script
async def flood(c, request, size="20000000"):
    """Very many frames as fast as they are taken."""
    await c.sse()
    frame = json.dumps(chunk(request, {"content": "y" * 4000})).encode()
    for _ in range(int(size) // len(frame)):
        await c.event(frame)
    await c.event(chunk(request, {}, "stop"))
    await c.event(b"[DONE]")
    await c.end()


@script
async def no_done(c, request):
    await text_answer(c, request, TEXT, done=False)


@script
async def non_sse(c, request):
    """A plain JSON answer, though a stream was asked for."""
    await c.json(completion(request, {"content": "".join(TEXT)}))


@script
async def until_close(c, request):
    """Neither length nor chunked: the answer ends where the connection does."""
    body = json.dumps(completion(request, {"content": "".join(TEXT)})).encode()
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body)
    c.keep_alive = False


@script
async def stale(c, request):
    """A good answer to each connection's first request; the second one finds the connection closed before any byte."""
    if request.n_on_connection > 1:
        c.cut()
        return
    await normal(c, request)


@script
async def close_idle(c, request):
    """Answers as if the connection stayed open, then closes it at once."""
    await normal(c, request)
    c.keep_alive = False


# --- faults ------------------------------------------------------------------------------------------------------------

@script
async def silent(c, request):
    """Takes the request and says nothing until the client leaves."""
    await c.sleep(3600)


@script
async def silent_after(c, request):
    """One token, then nothing."""
    await c.sse()
    await c.event(chunk(request, {"role": "assistant", "content": "one"}))
    await c.sleep(3600)


@script
async def refuse(c, request):
    """Closes without a byte."""
    c.cut()


@script
async def cut_head(c, request):
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/ev")
    await asyncio.sleep(0.05)
    c.cut()


@script
async def cut_body(c, request):
    """A JSON answer that is shorter than its length says."""
    await c.head(200, length=5000)
    await c.body(b'{"id":"chatcmpl-fake","choices":[')
    await asyncio.sleep(0.05)
    c.cut()


@script
async def cut_stream(c, request, how="close"):
    """Three tokens, then the connection ends: close (FIN without the last chunk), reset (RST), inside (within a frame)."""
    await c.sse()
    for text in TEXT[:3]:
        await c.event(chunk(request, {"content": text}))
    if how == "inside":
        await c.body(b'data: {"choices":[{"index":0,"delta":{"content":"ha')
    await asyncio.sleep(0.1)
    if how == "reset":
        sock = c.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.cut()
        return
    c.keep_alive = False


@script
async def done_and_open(c, request):
    """A whole answer with [DONE], but the body never ends."""
    await c.sse()
    await c.event(chunk(request, {"content": "whole"}))
    await c.event(chunk(request, {}, finish="stop"))
    await c.body(b"data: [DONE]\n\n")
    await c.sleep(3600)


@script
async def done_and_cut(c, request):
    """A whole answer with [DONE], then the connection ends without the last chunk."""
    await c.sse()
    await c.event(chunk(request, {"content": "whole"}))
    await c.event(chunk(request, {}, finish="stop"))
    await c.body(b"data: [DONE]\n\n")
    await asyncio.sleep(0.05)
    c.cut()


@script
async def error_first(c, request, kind="rate"):
    """200 and an event stream, whose first event is an error: rate, overflow."""
    await c.sse()
    if kind == "rate":
        await c.body(b'data: {"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}\n\n')
    else:
        await c.body(b'data: {"error":{"message":"This model\'s maximum context length is 4096 tokens","code":400}}\n\n')
    await c.end()


@script
async def redirect(c, request):
    """To somewhere else."""
    c.keep_alive = False
    await c.send(b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.invalid/v1\r\nContent-Length: 0\r\n\r\n")


@script
async def half_closed(c, request):
    """Some tokens, then FIN, while it goes on reading."""
    await c.sse()
    await c.event(chunk(request, {"content": "half"}))
    c.writer.write_eof()
    await c.sleep(3600)


@script
async def garbled(c, request, how="frame"):
    """Nonsense: frame (SSE that is no JSON), http (no HTTP at all), chunk (a chunk size that is none)."""
    if how == "http":
        await c.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        c.keep_alive = False
        return
    await c.sse()
    await c.event(chunk(request, {"content": "good"}))
    if how == "chunk":
        await c.send(b"zz\r\nnonsense\r\n")
        c.keep_alive = False
        return
    await c.body(b"data: {not json at all\n\ndata: \xff\xfe\n\nwhat: is this\n\n")
    await c.event(chunk(request, {"content": " again"}))
    await c.event(chunk(request, {}, "stop"))
    await c.event(b"[DONE]")
    await c.end()


@script
async def error_mid(c, request, kind="plain"):
    """Tokens, then an error in the stream: plain, overflow (llama.cpp's wording)."""
    await c.sse()
    await c.event(chunk(request, {"role": "assistant", "content": "some text"}))
    await c.sleep(1.3)
    if kind == "overflow":
        await c.event({"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}})
    else:
        await c.event({"error": {"code": 500, "message": "the backend broke", "type": "server_error"}})
    await c.event(b"[DONE]")
    await c.end()


@script
async def say(c, request):
    """What the body says: "say" (texts, one a chunk), "call" ([name, arguments]), "finish". Asked for one tool by name, it calls
    that one with "again" (arguments), or, where the body has none, answers a 400."""
    body = body_of(request)
    finish = body.get("finish", "tool_calls" if "call" in body else "stop")
    if isinstance(body.get("tool_choice"), dict):
        if "again" not in body:
            await c.json(error("named tools are not supported"), status=400)
        else:
            await call_answer(c, request, body["tool_choice"]["function"]["name"], body["again"])
    elif not body.get("stream"):
        message = {"content": "".join(body.get("say", [])) or None}
        if "call" in body:
            name, arguments = body["call"]
            message["tool_calls"] = [{"id": "call_fake_1", "type": "function", "function": {"name": name, "arguments": arguments}}]
        await c.json(completion(request, message, finish))
    else:
        await c.sse()
        for text in body.get("say", []):
            await c.event(chunk(request, {"content": text}))
        if "call" in body:
            for piece in tool_call_pieces(*body["call"]):
                await c.event(chunk(request, piece))
        await c.event(chunk(request, {}, finish))
        await c.event(usage_chunk(request))
        await c.event(b"[DONE]")
        await c.end()
