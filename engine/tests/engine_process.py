"""An engine process on a Unix socket, and a plain HTTP client for it."""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

WORDS = ("river stone light garden window paper engine cloud silver market table branch number winter forest letter "
         "travel bottle friend morning circle anchor basket candle desert escape fabric gentle harbor island jacket "
         "kitten ladder mirror narrow orange pencil quiet rocket shadow ticket umbrella valley wooden yellow zebra").split()


def text(n_words, seed):
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) for _ in range(n_words))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=300):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    def __init__(self, binary, model, args, folder, env=None):
        # not in `folder`: a socket's path has room for 108 bytes
        self.sockets = tempfile.mkdtemp(prefix="lc")
        self.socket = self.sockets + "/e.sock"
        self.log_path = str(folder / "log")
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen([binary, "-m", str(model), "--host", self.socket, *map(str, args)],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **(env or {})})

    def log_text(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_ready(self, seconds=120):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"exited with {self.process.returncode}:\n{self.log_text()[-2000:]}")
            try:
                if self.get("/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError("not ready:\n" + self.log_text()[-2000:])

    def request(self, method, path, body=None):
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            raw = answer.read()
            self.headers = answer.headers  # of the last answer
            try:
                return answer.status, json.loads(raw)
            except ValueError:
                return answer.status, raw
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body):
        return self.request("POST", path, body)

    def ok(self, path, body):
        status, answer = self.post(path, body)
        assert status == 200, (status, answer)
        return answer

    def open(self, path, body):
        """Sends a request and returns its connection without reading the answer; close() it to leave."""
        connection = UnixConnection(self.socket)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return connection

    def events(self, path, body):
        """The `data:` events of a streamed answer, parsed; ends at [DONE] or the end of the stream."""
        connection = self.open(path, {**body, "stream": True})
        try:
            answer = connection.getresponse()
            assert answer.status == 200, (answer.status, answer.read())
            yield from read_events(answer)
        finally:
            connection.close()

    def slots(self):
        return self.get("/slots")[1]

    def stats(self):
        return self.get("/localcode/stats")[1]

    def wait_slot(self, slot, busy, seconds=120):
        """Polls until the slot is (not) processing; returns the seconds it took."""
        begin = time.monotonic()
        while self.slots()[slot]["is_processing"] != busy:
            assert time.monotonic() - begin < seconds, f"slot {slot} busy={not busy} for {seconds} s"
            time.sleep(0.002)
        return time.monotonic() - begin

    def stop(self, number=signal.SIGTERM, seconds=20):
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.sockets, ignore_errors=True)


def read_events(answer):
    for line in answer:
        if line.startswith(b"data: "):
            if line.strip() == b"data: [DONE]":
                return
            yield json.loads(line[6:])
        elif line.startswith(b"error: "):
            yield {"error": json.loads(line[7:])}


class Background(threading.Thread):
    """Runs a function on a thread; result() gives its value or raises what it raised."""

    def __init__(self, function, *args, **kwargs):
        super().__init__(daemon=True)
        self.work = lambda: function(*args, **kwargs)
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self.work()
        except BaseException as e:  # handed on by result()
            self.error = e

    def result(self, seconds=300):
        self.join(seconds)
        assert not self.is_alive(), "still running"
        if self.error:
            raise self.error
        return self.value
