"""The HTTP side of the scripted backend: asyncio and the standard library only, HTTP/1.1 by hand so that every byte of a
request is recorded and every fault can be played.

Which script answers is decided by, in this order: the body's member "fake", a path prefix /script/NAME, a model named
script:NAME, the backend's default. The backend runs in a thread of its own; tests look at `requests`.
"""
import asyncio
import contextlib
import json
import ssl
import threading
import time
import zlib
from dataclasses import dataclass, field

from . import scripts


class ClientGone(Exception):
    """The peer closed its side."""


@dataclass
class Recorded:
    """One request as it came: `head` and `body` are the bytes on the wire (the body without chunked framing)."""
    head: bytes
    method: str
    target: str
    headers: list
    body: bytes
    connection: int          # which connection of the backend, counted from 1
    n_on_connection: int     # which request of that connection, counted from 1
    script: str = ""
    began: float = field(default_factory=time.monotonic)
    client_gone: float = 0.0  # monotonic time at which the peer was seen to leave before the answer was whole
    answered: float = 0.0     # monotonic time at which the answer was whole

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    @property
    def json(self):
        return json.loads(self.body)


class Connection:
    """What a script talks to."""

    def __init__(self, backend, reader, writer, number):
        self.backend, self.reader, self.writer, self.number = backend, reader, writer, number
        self.buffer = b""
        self.gone = asyncio.Event()
        self.keep_alive = True
        self.chunked = False

    async def read_until(self, mark):
        while mark not in self.buffer:
            more = await self.reader.read(65536)
            if not more:
                raise ClientGone
            self.buffer += more
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    async def read_exactly(self, size):
        while len(self.buffer) < size:
            more = await self.reader.read(65536)
            if not more:
                raise ClientGone
            self.buffer += more
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    async def read_request(self, n):
        head = await self.read_until(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        request = Recorded(head, method, target, headers, b"", self.number, n)
        if (request.header("expect") or "").lower() == "100-continue":
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in (request.header("transfer-encoding") or "").lower():
            while size := int((await self.read_until(b"\r\n")).split(b";")[0], 16):
                request.body += await self.read_exactly(size)
                await self.read_until(b"\r\n")
            await self.read_until(b"\r\n")
        else:
            request.body = await self.read_exactly(int(request.header("content-length") or 0))
        if (request.header("content-encoding") or "") == "gzip":
            request.body = zlib.decompress(request.body, 31)
        return request

    async def watch(self):
        """Notices the peer leaving while a script runs; bytes that come early belong to the next request."""
        with contextlib.suppress(OSError):
            while more := await self.reader.read(65536):
                self.buffer += more
        self.gone.set()

    # What scripts use ------------------------------------------------------------------------------------------------

    async def send(self, data):
        if self.gone.is_set():
            raise ClientGone
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status=200, content_type="application/json", length=None, extra=()):
        """Without a length: chunked."""
        reason = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 413: "Payload Too Large",
                  429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}.get(status, "Status")
        lines = [f"HTTP/1.1 {status} {reason}", f"Content-Type: {content_type}"]
        self.chunked = length is None
        lines.append("Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {length}")
        lines += [f"{k}: {v}" for k, v in extra]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def body(self, data):
        await self.send(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    async def end(self):
        if self.chunked:
            await self.send(b"0\r\n\r\n")

    async def json(self, value, status=200, extra=()):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        await self.head(status, length=len(data), extra=extra)
        await self.body(data)

    async def sse(self, extra=()):
        await self.head(200, "text/event-stream", extra=extra)

    async def event(self, value, end=b"\n\n"):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        await self.body(b"data: " + data + end)

    async def sleep(self, seconds):
        """Sleeps, but not past the peer's leaving."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.gone.wait(), seconds)
        if self.gone.is_set():
            raise ClientGone

    async def released(self):
        """Waits until the test calls `release()`."""
        while not self.backend.gate.is_set():
            await self.sleep(0.02)

    def cut(self):
        """Closes at once; what was not sent is lost."""
        self.keep_alive = False
        self.writer.transport.abort()


class FakeBackend:
    def __init__(self, default="normal", certificate=None, key=None, host="127.0.0.1", port=0):
        self.default = default
        self.requests = []
        self.errors = []           # of scripts: a fault of the tests
        self.gate = threading.Event()
        self.connections = 0
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate, key)
        self._host, self._port = host, port
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._tasks = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self):
        return f"{'https' if self._tls else 'http'}://{'localhost' if self._tls else self._host}:{self.port}"

    def script_url(self, name):
        """A base URL at which every request is answered by that script."""
        return f"{self.url}/script/{name}/v1"

    def __enter__(self):
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the fake backend did not start")
        return self

    def __exit__(self, *_):
        self.gate.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def release(self):
        self.gate.set()

    def wait_for(self, what, timeout=180, message="the backend did not see what was expected"):
        """Polls until `what(self)` is true; its value is returned."""
        deadline = time.monotonic() + timeout
        while not (value := what(self)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{message}; requests: {[(r.target, r.script) for r in self.requests]}")
            time.sleep(0.01)
        return value

    def clear(self):
        self.requests.clear()
        self.gate.clear()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, self._host, self._port, ssl=self._tls, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        connection = Connection(self, reader, writer, self.connections)
        n = 0
        try:
            while connection.keep_alive:
                n += 1
                request = await connection.read_request(n)
                await self._answer(connection, request)
        except (ClientGone, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        except Exception as error:  # noqa: BLE001  a test must see it
            self.errors.append(repr(error))
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(Exception):
                writer.close()

    async def _answer(self, connection, request):
        name, script = scripts.choose(request, self.default)
        request.script = name
        self.requests.append(request)
        watcher = asyncio.ensure_future(connection.watch())
        try:
            await script(connection, request)
            request.answered = time.monotonic()
        except (ClientGone, ConnectionError):
            request.client_gone = time.monotonic()
            raise ClientGone from None
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await watcher
        if connection.gone.is_set():
            raise ClientGone
