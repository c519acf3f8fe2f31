"""A small HTTP/1.1 client that hides nothing: raw bytes, arrival times, and whether an answer ended as it should."""
import json
import socket
import ssl
import time
from dataclasses import dataclass, field


@dataclass
class Answer:
    status: int
    headers: list
    body: bytes = b""
    clean: bool = False              # length reached or last chunk seen (with neither: the connection was closed)
    chunked: bool = False
    head_at: float = 0.0             # seconds since the request was sent
    pieces: list = field(default_factory=list)   # (seconds, bytes) as they came, framing removed
    interim: list = field(default_factory=list)  # statuses of 1xx answers

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def frames(self):
        """The data of the events, in order, as bytes."""
        return [e[5:].lstrip(b" ") for e in self.body.replace(b"\r\n", b"\n").split(b"\n") if e.startswith(b"data:")]

    @property
    def events(self):
        return [json.loads(f) for f in self.frames if f != b"[DONE]"]

    @property
    def comments(self):
        return [line for line in self.body.split(b"\n") if line.startswith(b":")]

    @property
    def done(self):
        return self.frames[-1:] == [b"[DONE]"]

    @property
    def text(self):
        """Text of a chat answer, streamed or not."""
        if (self.header("content-type") or "").startswith("text/event-stream"):
            return "".join(c.get("delta", {}).get("content") or c.get("text") or ""
                           for e in self.events for c in e.get("choices", []))
        return self.json["choices"][0]["message"]["content"]

    @property
    def error(self):
        """The error object, wherever the answer's form puts it."""
        if (self.header("content-type") or "").startswith("text/event-stream"):
            return next((e["error"] for e in self.events if e.get("error")), None)
        return self.json.get("error")


class Connection:
    def __init__(self, address, timeout=300, tls=None, server_name="localhost"):
        """address: (host, port) or the path of a Unix socket."""
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, timeout=timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name)
        self.buffer = b""
        self.sent_at = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sent_at = time.monotonic()
        self.sock.sendall(data)

    def more(self):
        """False at the end. A reset counts as one."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            return False
        self.buffer += data
        return bool(data)

    def line(self, mark=b"\r\n"):
        while mark not in self.buffer:
            if not self.more():
                return None
        line, self.buffer = self.buffer.split(mark, 1)
        return line

    def read_head(self):
        interim = []
        while True:
            head = self.line(b"\r\n\r\n")
            if head is None:
                raise ConnectionError(f"closed before an answer; got {self.buffer[:200]!r}")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            if status < 200:
                interim.append(status)
                continue
            headers = [tuple(p.strip() for p in line.split(":", 1)) for line in lines[1:]]
            answer = Answer(status, headers, interim=interim, head_at=time.monotonic() - self.sent_at)
            answer.chunked = "chunked" in (answer.header("transfer-encoding") or "")
            return answer

    def body(self, answer, has_body=True):
        """Yields (seconds, bytes) as they come, and says in answer.clean whether the end was a proper one."""
        def note(data):
            answer.body += data
            answer.pieces.append((time.monotonic() - self.sent_at, data))
            return answer.pieces[-1]
        length = answer.header("content-length")
        if not has_body or answer.status in (204, 304):
            answer.clean = True
        elif answer.chunked:
            while True:
                size = self.line()
                if size is None:
                    return
                size = int(size.split(b";")[0], 16)
                if size == 0:
                    answer.clean = self.line() is not None
                    return
                while len(self.buffer) < size + 2:
                    if not self.more():
                        return
                data, self.buffer = self.buffer[:size], self.buffer[size + 2:]
                yield note(data)
        elif length is not None:
            left = int(length)
            while left:
                if not self.buffer and not self.more():
                    return
                data, self.buffer = self.buffer[:left], self.buffer[left:]
                left -= len(data)
                yield note(data)
            answer.clean = True
        else:
            while self.buffer or self.more():
                data, self.buffer = self.buffer, b""
                yield note(data)
            answer.clean = True

    def answer(self, has_body=True):
        answer = self.read_head()
        for _ in self.body(answer, has_body):
            pass
        return answer


def request_bytes(method, target, body=None, headers=(), host="127.0.0.1"):
    given = {k.lower() for k, _ in headers}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {host}")
    lines += [f"{k}: {v}" for k, v in headers]
    if body is not None:
        if "content-type" not in given:
            lines.append("Content-Type: application/json")
        if not given & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def to_bytes(body):
    if body is None or isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def fetch(address, method, target, body=None, headers=(), timeout=300, **more):
    with Connection(address, timeout, **more) as connection:
        connection.send(request_bytes(method, target, to_bytes(body), headers))
        return connection.answer(has_body=method != "HEAD")
