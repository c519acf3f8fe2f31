"""A Hugging Face hub on loopback, standard library only: lists repositories, serves their files with ranges and ETags, and
plays faults. Tests look at `requests`.

A fault is a function (exchange) -> True when it has dealt with the request; it is tried for requests whose path holds `where`,
`times` times.
"""
import hashlib
import http.server
import json
import ssl
import threading
import urllib.parse
from dataclasses import dataclass, field

TOKEN = "hf_secretsecretsecret"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@dataclass
class Seen:
    path: str
    headers: dict      # names in lower case
    status: int = 0
    sent: int = 0      # bytes of the body


@dataclass
class Fault:
    where: str
    play: object
    times: int
    used: int = 0


@dataclass
class File:
    data: bytes
    sha256: str = ""   # as listed; empty: the real one
    size: int = -1     # as listed; -1: the real one
    lfs: bool = True
    etag: str = ""     # empty: made of the content


@dataclass
class Repo:
    files: dict = field(default_factory=dict)


class Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        hub = self.server.hub
        self.seen = Seen(self.path, {k.lower(): v for k, v in self.headers.items()})
        with hub.lock:
            hub.requests.append(self.seen)
            fault = next((f for f in hub.faults if f.where in self.path and f.used < f.times), None)
            if fault:
                fault.used += 1
        try:
            if fault and fault.play(self):
                return
            hub.serve(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status, body=b"", headers=(), length=None):
        """length: another Content-Length than the body has; then the connection is closed behind the body."""
        self.seen.status = status
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.write(body)
        if length is not None:
            self.close_connection = True

    def write(self, data):
        self.wfile.write(data)
        self.wfile.flush()
        self.seen.sent += len(data)


class Hub:
    def __init__(self, certificate=None, key=None):
        self.repos, self.faults, self.requests = {}, [], []
        self.lock = threading.Lock()
        self.cdn = None        # another Hub: files are fetched from there
        self.gated = set()     # repositories that want the token
        self.page = 0          # entries of a page of the list; 0: all in one
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
        self.server.daemon_threads = True
        self.server.hub = self
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.port = self.server.server_address[1]
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # What there is ----------------------------------------------------------------------------------------------------

    def add(self, repo, path, data, **more):
        self.repos.setdefault(repo, Repo()).files[path] = File(data, **more)
        return data

    def fault(self, where, play, times=1):
        self.faults.append(Fault(where, play, times))

    def seen(self, where):
        with self.lock:
            return [r for r in self.requests if where in r.path]

    # Answers ----------------------------------------------------------------------------------------------------------

    def serve(self, x):
        url = urllib.parse.urlsplit(x.path)
        parts = urllib.parse.unquote(url.path).strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[4:5] == ["tree"]:
            return self.serve_list(x, "/".join(parts[2:4]), urllib.parse.parse_qs(url.query))
        if parts[2:3] == ["resolve"]:
            return self.serve_file(x, "/".join(parts[:2]), "/".join(parts[4:]))
        if parts[:1] == ["blob"]:
            return self.serve_blob(x, parts[1])
        return x.answer(404)

    def allowed(self, x, repo):
        if repo in self.gated and x.seen.headers.get("authorization") != f"Bearer {TOKEN}":
            x.answer(401, b'{"error":"gated"}', [("X-Error-Code", "GatedRepo"), ("X-Error-Message", f"Access to {repo} is restricted.")])
            return False
        if repo not in self.repos:
            x.answer(401, b'{"error":"x"}', [("X-Error-Code", "RepoNotFound"), ("X-Error-Message", "Repository not found")])
            return False
        return True

    def serve_list(self, x, repo, query):
        if not self.allowed(x, repo):
            return
        entries = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "folder"}]
        for path, file in self.repos[repo].files.items():
            size = len(file.data) if file.size < 0 else file.size
            entry = {"type": "file", "oid": "1" * 40, "size": size, "path": path}
            if file.lfs:
                entry["lfs"] = {"oid": file.sha256 or sha256(file.data), "size": size, "pointerSize": 134}
            entries.append(entry)
        headers = [("Content-Type", "application/json")]
        if self.page:
            start = int(query.get("cursor", ["0"])[0])
            if start + self.page < len(entries):
                headers.append(("Link", f'<{self.url}/api/models/{repo}/tree/main?recursive=true&cursor={start + self.page}>; rel="next"'))
            entries = entries[start:start + self.page]
        x.answer(200, json.dumps(entries).encode(), headers)

    def serve_file(self, x, repo, path):
        if not self.allowed(x, repo):
            return
        file = self.repos[repo].files.get(path)
        if file is None:
            return x.answer(404, b"", [("X-Error-Code", "EntryNotFound")])
        if self.cdn:
            name = sha256(file.data)
            self.cdn.blobs = {**getattr(self.cdn, "blobs", {}), name: file}
            return x.answer(302, b"moved", [("Location", f"{self.cdn.url}/blob/{name}?Expires=1&Signature=signed~secret")])
        self.send_ranged(x, file)

    def serve_blob(self, x, name):
        self.send_ranged(x, self.blobs[name])

    def send_ranged(self, x, file, cut=None):
        """cut: the connection is closed after so many bytes of the body."""
        etag = file.etag or f'"{sha256(file.data)[:16]}"'
        headers = [("ETag", etag), ("Accept-Ranges", "bytes")]
        wanted, condition = x.seen.headers.get("range"), x.seen.headers.get("if-range")
        data, status = file.data, 200
        if wanted and condition in (None, etag):
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= len(data):
                return x.answer(416, b"", [("Content-Range", f"bytes */{len(data)}")])
            headers.append(("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}"))
            data, status = data[first:], 206
        if cut is None:
            return x.answer(status, data, headers)
        x.answer(status, data[:cut], headers, length=len(data))


# Faults ---------------------------------------------------------------------------------------------------------------

def cut_after(count):
    """The file, ranges respected, but the connection ends after `count` bytes."""
    def play(x):
        parts = urllib.parse.unquote(urllib.parse.urlsplit(x.path).path).strip("/").split("/")
        hub = x.server.hub
        file = hub.blobs[parts[1]] if parts[0] == "blob" else hub.repos["/".join(parts[:2])].files["/".join(parts[4:])]
        hub.send_ranged(x, file, cut=count)
        return True
    return play


def status(code, headers=(), body=b""):
    def play(x):
        x.answer(code, body, headers)
        return True
    return play


def drop(x):
    """No answer at all."""
    x.close_connection = True
    return True


def hang_after(count, released):
    """`count` bytes of the file, then nothing until `released` (an Event) is set; then the connection ends."""
    def play(x):
        parts = x.path.split("?")[0].strip("/").split("/")
        file = x.server.hub.repos["/".join(parts[:2])].files["/".join(parts[4:])]
        x.send_response(200)
        x.send_header("Content-Length", str(len(file.data)))
        x.send_header("ETag", '"hang"')
        x.end_headers()
        x.write(file.data[:count])
        released.wait(60)
        x.close_connection = True
        return True
    return play
