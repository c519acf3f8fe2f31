"""Sends 1,000 seeded malformed requests to net_demo; it must stay alive and then answer good ones.

Usage: http_malformed.py PATH/TO/net_demo [SEED]
"""
import random
import re
import socket
import subprocess
import sys

GOOD = (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n"
        b'{"model":"glm-4"}')
CHUNKED = (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"5\r\nhello\r\n6; x=y\r\n world\r\n0\r\nTrailer: a\r\n\r\n")
GZIP = (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n"
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00")


def flip(r, data):
    out = bytearray(data)
    for _ in range(r.randint(1, 6)):
        out[r.randrange(len(out))] = r.randrange(256)
    return bytes(out)


def cut(r, data):
    return data[:r.randrange(1, len(data))]


def repeat_line(r, data):
    lines = data.split(b"\r\n")
    at = r.randrange(len(lines))
    return b"\r\n".join(lines[:at] + [lines[at]] * r.randint(2, 400) + lines[at:])


def drop_piece(r, data):
    a = r.randrange(len(data))
    return data[:a] + data[min(len(data), a + r.randint(1, 12)):]


def insert_noise(r, data):
    a = r.randrange(len(data))
    noise = r.choice([b"\r", b"\n", b"\0", b" ", b"\t", b":", b"\r\n", b"\r\n ", b"A" * r.randint(1, 100_000),
                      bytes(r.randrange(256) for _ in range(r.randint(1, 64)))])
    return data[:a] + noise + data[a:]


def bad_length(r, data):
    value = r.choice([b"-1", b"+5", b"0x10", b"99999999999999999999999", b"18446744073709551616", b"5, 5", b"5 5", b"",
                      b"1e3", b"\xd9\xa1", b"4294967296", b"5\r\nContent-Length: 6", b"5\r\nTransfer-Encoding: chunked"])
    return re.sub(rb"Content-Length: \d+", b"Content-Length: " + value, data)


def bad_chunk(r, data):
    value = r.choice([b"g", b"-5", b"0x5", b"fffffffffffffffff", b"5 5", b"", b" 5", b"5;\n", b"5\n", b"00000000000000000005"])
    return data.replace(b"5\r\nhello", value + b"\r\nhello")


def noise(r, _):
    return bytes(r.randrange(256) for _ in range(r.randint(1, 2000)))


MUTATIONS = [flip, cut, repeat_line, drop_piece, insert_noise, bad_length, bad_chunk, noise]


def answer(port, data, timeout, half_close):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            got = b""
            while piece := s.recv(65536):
                got += piece
                if not half_close and b"\r\n\r\n" in got:
                    return got
            return got
        except (TimeoutError, ConnectionError):
            return b""


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    r = random.Random(seed)
    demo = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, text=True)
    try:
        port = int(demo.stdout.readline().rsplit(":", 1)[1])
        statuses = {}
        for i in range(1000):
            data = r.choice(MUTATIONS)(r, r.choice([GOOD, CHUNKED, GZIP]))
            got = answer(port, data, timeout=10, half_close=r.random() < 0.9)
            assert demo.poll() is None, f"the server died of request {i} (seed {seed}): {data[:200]!r}"
            assert got == b"" or re.match(rb"HTTP/1\.1 [1-5]\d\d ", got), f"request {i}: {got[:100]!r}"
            status = got[9:12].decode() or "closed"
            assert status != "500", f"request {i}: {data[:200]!r}"
            statuses[status] = statuses.get(status, 0) + 1
            if i % 100 == 0:
                assert b'{"model":"glm-4"}' in answer(port, GOOD, 10, True), f"no good answer after request {i}"
        for good, want in ((GOOD, b'\r\n\r\n{"model":"glm-4"}'), (CHUNKED, b"\r\n\r\nhello world"), (GZIP, b"\r\n\r\nhello")):
            got = answer(port, good, 10, True)
            assert got.startswith(b"HTTP/1.1 200 ") and got.endswith(want), got
        assert statuses.get("400", 0) > 100, statuses
        print("answers:", dict(sorted(statuses.items())))
        demo.terminate()
        assert demo.wait(10) == 0, "the server did not drain"
    finally:
        demo.kill()


if __name__ == "__main__":
    main()
