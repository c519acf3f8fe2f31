"""`localcode pull` fetches whole models, goes on where it stopped, and never keeps what is not what the hub lists."""
import fcntl
import json
import os
import pathlib
import pty
import random
import resource
import select
import signal
import stat
import struct
import subprocess
import termios
import threading

from hub_server import TOKEN, Hub, cut_after, drop, hang_after, sha256
from hub_server import status as answers
from support.gateway import program, until

REPO = "org/Some-GGUF"
NAME = "some-Q4_K_M.gguf"
DATA = random.Random(7).randbytes(3_000_000)
FILE = f"/{REPO}/resolve/main/{NAME}"
TREE = "/tree/"


def resumed(hub, where=FILE):
    return [r.headers.get("range") for r in hub.seen(where)]


def test_whole(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.add(REPO, "README.md", b"not a model", lfs=False)
    done = pull(REPO)
    path = pull.path(REPO, NAME)
    assert done.stdout == f"{path}\n"
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (path.parent, path.parent.parent, pull.cache):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert pull.left_over() == []
    assert [r.path for r in hub.requests] == [f"/api/models/{REPO}/tree/main?recursive=true", FILE]
    assert all("authorization" not in r.headers for r in hub.requests)


def test_second_run_is_offline(pull, hub):
    hub.add(REPO, NAME, DATA)
    pull(REPO)
    before = len(hub.requests)
    for spec in (REPO, f"{REPO}:Q4_K_M", f"{REPO}:q4_k_m"):
        done = pull(spec)
        assert done.stdout == f"{pull.path(REPO, NAME)}\n"
        assert "already here" in done.stderr
    assert len(hub.requests) == before
    pull.path(REPO, NAME).write_bytes(DATA[:-1])
    pull(REPO)
    assert len(hub.requests) > before, "a file of another size is not taken for the model"
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_unreachable_hub(pull):
    done = pull(REPO, expect=1, HF_ENDPOINT="http://127.0.0.1:1")
    assert "127.0.0.1:1" in done.stderr and "3 attempts" in done.stderr
    done = pull(REPO, expect=1, HF_ENDPOINT="huggingface.co")
    assert "HF_ENDPOINT" in done.stderr


def test_resumes_after_a_cut(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.fault(FILE, cut_after(1_200_000))
    hub.fault(FILE, cut_after(900_000))
    done = pull(REPO)
    assert pull.path(REPO, NAME).read_bytes() == DATA
    assert resumed(hub) == [None, "bytes=1200000-", "bytes=2100000-"]
    assert hub.seen(FILE)[1].headers["if-range"] == f'"{sha256(DATA)[:16]}"'
    assert sum(r.sent for r in hub.seen(FILE)) == len(DATA), "nothing twice"
    assert "again in 1 s" in done.stderr


def test_no_ranges(pull, hub):
    """A server that always sends the whole file: it starts over, and still ends well."""
    hub.add(REPO, NAME, DATA)

    def whole(x):
        x.seen.headers.pop("range", None)
        return False
    hub.fault(FILE, cut_after(1_000_000))
    hub.fault(FILE, whole, times=100)
    pull(REPO)
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_ctrl_c_leaves_a_part_that_is_built_upon(pull, hub):
    hub.add(REPO, NAME, DATA, etag='"hang"')
    released = threading.Event()
    hub.fault(FILE, hang_after(2_000_000, released))
    process = pull.start(REPO)
    part = pull.path(REPO, NAME + ".part")
    until(lambda: part.exists() and part.stat().st_size > 1_000_000, message="bytes should reach the disk")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    released.set()
    assert process.returncode == 130 and out == "", err
    assert "interrupted" in err
    size = part.stat().st_size
    assert part.read_bytes() == DATA[:size]
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert not pull.path(REPO, NAME).exists()
    pull(REPO)
    assert resumed(hub)[-1] == f"bytes={size}-"
    assert hub.seen(FILE)[-1].headers["if-range"] == '"hang"'
    assert pull.path(REPO, NAME).read_bytes() == DATA
    assert pull.left_over() == []


def test_sigterm_and_kill(pull, hub):
    hub.add(REPO, NAME, DATA, etag='"hang"')
    part = pull.path(REPO, NAME + ".part")
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        released = threading.Event()
        hub.faults.clear()
        hub.fault(FILE, hang_after(2_000_000, released))
        process = pull.start(REPO)
        until(lambda: part.exists() and part.stat().st_size > 1_000_000, message="bytes should reach the disk")
        process.send_signal(number)
        assert process.wait(120) == code
        process.communicate()
        released.set()
        hub.faults.clear()
    pull(REPO)
    assert resumed(hub)[-1].startswith("bytes=1") or resumed(hub)[-1].startswith("bytes=2")
    assert pull.path(REPO, NAME).read_bytes() == DATA


def interrupted_after(pull, hub, count):
    """Interrupts a run that has got `count` bytes and reaches no server for the rest; returns its part file."""
    hub.fault(FILE, cut_after(count))
    hub.fault(FILE, answers(302, [("Location", "http://127.0.0.1:1/gone")]), times=100)
    process = pull.start(REPO)
    until(lambda: len(hub.seen(FILE)) >= 2, message="it should come back for the rest")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    hub.faults.clear()
    hub.requests.clear()
    part = pull.path(REPO, NAME + ".part")
    assert part.stat().st_size == count
    return part


def test_what_came_stays_while_no_server_is_reached(pull, hub):
    hub.add(REPO, NAME, DATA)
    part = interrupted_after(pull, hub, 1_000_000)
    assert part.read_bytes() == DATA[:1_000_000]
    pull(REPO)
    assert resumed(hub) == ["bytes=1000000-"]
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_a_part_that_went_bad(pull, hub):
    """The rest is fetched, the checksum is wrong, and so all of it is fetched once more."""
    hub.add(REPO, NAME, DATA)
    part = interrupted_after(pull, hub, 1_500_000)
    data = bytearray(part.read_bytes())
    data[1000] ^= 1
    part.write_bytes(data)
    pull(REPO)
    assert resumed(hub) == ["bytes=1500000-", None]
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_a_part_of_an_older_file(pull, hub):
    old = bytes(len(DATA))
    hub.add(REPO, NAME, old)
    interrupted_after(pull, hub, 1_500_000)
    hub.add(REPO, NAME, DATA, etag=f'"{sha256(old)[:16]}"')
    pull(REPO)
    assert resumed(hub) == [None], "the beginning of another file is not built upon"
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_a_file_that_changes_under_way(pull, hub):
    """If-Range: the server sends the new file whole. Its checksum is not the listed one, so nothing is kept."""
    hub.add(REPO, NAME, bytes(len(DATA)))
    real = sha256(DATA)
    hub.repos[REPO].files[NAME].sha256 = real

    def change(x):
        hub.repos[REPO].files[NAME].data = DATA
        return False
    hub.fault(FILE, cut_after(1_000_000))
    hub.fault(FILE, change)
    pull(REPO)
    assert [r.status for r in hub.seen(FILE)] == [200, 200]
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_range_cannot_be_had(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.fault(FILE, cut_after(1_000_000))
    hub.fault(FILE, answers(416, [("Content-Range", f"bytes */{len(DATA)}")]))
    pull(REPO)
    assert resumed(hub) == [None, "bytes=1000000-", None]
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_wrong_hash(pull, hub):
    hub.add(REPO, NAME, DATA, sha256="0" * 64)
    done = pull(REPO, expect=1)
    assert "SHA-256" in done.stderr and "removed" in done.stderr
    assert not pull.path(REPO, NAME).exists()
    assert pull.left_over() == []
    assert len(hub.seen(FILE)) == 1, "the same bytes need not come twice"


def test_wrong_hash_after_a_cut(pull, hub):
    hub.add(REPO, NAME, DATA, sha256="0" * 64)
    hub.fault(FILE, cut_after(1_000_000))
    pull(REPO, expect=1)
    assert resumed(hub) == [None, "bytes=1000000-", None], "once from the beginning, then no more"
    assert not pull.path(REPO, NAME).exists() and pull.left_over() == []


def test_wrong_length(pull, hub):
    hub.add(REPO, NAME, DATA, size=len(DATA) + 1)
    done = pull(REPO, expect=1)
    assert f"offers {len(DATA)} bytes" in done.stderr

    hub.repos[REPO].files[NAME].size = len(DATA) - 1

    def chunked(x):
        x.send_response(200)
        x.send_header("Transfer-Encoding", "chunked")
        x.end_headers()
        x.write(f"{len(DATA):x}\r\n".encode() + DATA + b"\r\n0\r\n\r\n")
        return True
    hub.fault(FILE, chunked)
    done = pull(REPO, expect=1)
    assert "more bytes" in done.stderr
    assert not pull.path(REPO, NAME).exists()


def test_compressed_unasked(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.fault(FILE, answers(200, [("Content-Encoding", "gzip")], b"x" * len(DATA)), times=9)
    done = pull(REPO, expect=1)
    assert "coding" in done.stderr
    assert all(r.headers.get("accept-encoding") == "identity" for r in hub.requests)


def test_no_such_quant(pull, hub):
    for quant in ("Q8_0", "Q5_K_S", "Q5_K_M"):
        hub.add(REPO, f"some-{quant}.gguf", DATA)
    done = pull(f"{REPO}:Q5_K_X", expect=1)
    assert "has no Q5_K_X; nearest: Q5_K_M, Q5_K_S, Q8_0" in done.stderr
    assert not pull.cache.exists(), "nothing is made for a wrong name"


def test_no_such_repository(pull, hub):
    done = pull("org/nothing", expect=1)
    assert "org/nothing" in done.stderr and "does not exist" in done.stderr and "HF_TOKEN" in done.stderr
    hub.fault(TREE, answers(404, [("X-Error-Code", "RepoNotFound")]))
    done = pull("org/nothing", expect=1, HF_TOKEN=TOKEN)
    assert "does not exist" in done.stderr and TOKEN not in done.stderr


def test_no_model_in_it(pull, hub):
    hub.add(REPO, "model.safetensors", DATA)
    assert "holds no GGUF" in pull(REPO, expect=1).stderr


def test_file_gone_since_the_list(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.fault(FILE, answers(404), times=9)
    assert NAME in pull(REPO, expect=1).stderr
    assert len(hub.seen(FILE)) == 1


def test_bad_specs(pull, hub):
    for spec in ("some", "a/b/c", "../b", "a/b:", "a/b:../x.gguf"):
        done = pull(spec, expect=2)
        assert "org/repo:quant" in done.stderr
    assert hub.requests == []


def test_gated(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.gated.add(REPO)
    done = pull(REPO, expect=1)
    assert "gated" in done.stderr and "HF_TOKEN" in done.stderr and "restricted" in done.stderr
    done = pull(REPO, expect=1, HF_TOKEN="hf_wrong")
    assert "HF_TOKEN" in done.stderr and "hf_wrong" not in done.stderr
    pull(REPO, HF_TOKEN=TOKEN + "\n")
    assert pull.path(REPO, NAME).read_bytes() == DATA
    hub.fault(TREE, answers(403))
    assert "HF_TOKEN" in pull("org/other", expect=1).stderr
    assert "HF_TOKEN" in pull(REPO, "--refresh", expect=1, HF_TOKEN="two words").stderr


def test_slow_down(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.fault(TREE, answers(429, [("Retry-After", "2")]))
    hub.fault(FILE, answers(503, [("Retry-After", "1")]))
    hub.fault(FILE, answers(500))
    done = pull(REPO)
    assert "again in 2 s" in done.stderr
    assert pull.path(REPO, NAME).read_bytes() == DATA
    hub.fault(TREE, answers(429, [("Retry-After", "86400")]))
    done = pull(REPO, "--refresh", expect=1)
    assert "slow down" in done.stderr and "24 h" in done.stderr


def test_no_answer_at_all(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.fault(TREE, drop)
    hub.fault(FILE, drop)
    pull(REPO)
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_split_with_projector(pull, hub):
    parts = {f"Q8_0/big-Q8_0-0000{i}-of-00003.gguf": DATA[i:] for i in (3, 1, 2)}
    for path, data in parts.items():
        hub.add(REPO, path, data)
    hub.add(REPO, "mmproj-big-Q8_0.gguf", b"coarse")
    hub.add(REPO, "mmproj-big-f16.gguf", b"projector")
    hub.add(REPO, "big-Q2_K.gguf", b"other")
    done = pull(f"{REPO}:Q8_0", "--json")
    out = json.loads(done.stdout)
    assert out["model"] == str(pull.path(REPO, "Q8_0/big-Q8_0-00001-of-00003.gguf"))
    assert out["files"] == [str(pull.path(REPO, p)) for p in sorted(parts)]
    assert out["projector"] == str(pull.path(REPO, "mmproj-big-f16.gguf"))
    assert out["quantisation"] == "Q8_0"
    assert out["bytes"] == out["downloaded_bytes"] == sum(map(len, parts.values())) + 9
    for path, data in parts.items():
        assert pull.path(REPO, path).read_bytes() == data
    assert pull.path(REPO, "mmproj-big-f16.gguf").read_bytes() == b"projector"
    assert not pull.path(REPO, "big-Q2_K.gguf").exists()
    before = len(hub.requests)
    again = json.loads(pull(f"{REPO}:Q8_0", "--json").stdout)
    assert again == {**out, "downloaded_bytes": 0} and len(hub.requests) == before
    pull.path(REPO, "Q8_0/big-Q8_0-00002-of-00003.gguf").unlink()
    third = json.loads(pull(f"{REPO}:Q8_0", "--json").stdout)
    assert third["downloaded_bytes"] == len(DATA) - 2, "only what is missing"


def test_a_part_is_missing_in_the_repository(pull, hub):
    hub.add(REPO, "big-Q8_0-00001-of-00002.gguf", DATA)
    assert "lacks part 2 of 2" in pull(REPO, expect=1).stderr


def test_redirect_to_another_host_without_the_token(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.gated.add(REPO)
    with Hub() as cdn:
        hub.cdn = cdn
        cdn.fault("/blob/", cut_after(1_000_000))
        done = pull(REPO, HF_TOKEN=TOKEN)
        assert pull.path(REPO, NAME).read_bytes() == DATA
        assert [r.headers["authorization"] for r in hub.requests] == [f"Bearer {TOKEN}"] * 3
        assert len(cdn.requests) == 2 and all("authorization" not in r.headers for r in cdn.requests)
        assert all("Signature=signed~secret" in r.path for r in cdn.requests)
        assert cdn.requests[1].headers["range"] == "bytes=1000000-", "asked anew at the hub, resumed at the CDN"
        assert "signed~secret" not in done.stderr and TOKEN not in done.stderr


def test_renamed_repository(pull, hub):
    """A redirect within the hub is relative, and keeps the token."""
    hub.add(REPO, NAME, DATA)
    hub.gated.add(REPO)
    old = "org/old-name"
    hub.fault(f"/api/models/{old}/", answers(307, [("Location", f"/api/models/{REPO}/tree/main?recursive=true")]))
    hub.fault(f"/{old}/resolve", answers(307, [("Location", FILE)]))
    pull(old, HF_TOKEN=TOKEN)
    assert pull.path(old, NAME).read_bytes() == DATA


def test_redirects_without_end(pull, hub):
    hub.add(REPO, NAME, DATA)
    hub.fault(FILE, answers(302, [("Location", FILE)]), times=100)
    assert "10 redirects" in pull(REPO, expect=1).stderr
    assert len(hub.seen(FILE)) == 11


def test_tls(pull, hub, ca):
    """Certificates are verified, and what is encrypted is never fetched unencrypted."""
    _, authority, certificate, key = ca
    with Hub(certificate, key) as secure:
        secure.add(REPO, NAME, DATA)
        done = pull(REPO, expect=1, HF_ENDPOINT=secure.url)
        assert "certificate" in done.stderr
        assert secure.requests == []
        trust = {"HF_ENDPOINT": secure.url, "SSL_CERT_FILE": str(authority)}
        secure.fault(FILE, answers(302, [("Location", f"{hub.url}{FILE}")]))
        done = pull(REPO, expect=1, **trust)
        assert "not encrypted" in done.stderr and hub.requests == []
        pull(REPO, **trust)
        assert pull.path(REPO, NAME).read_bytes() == DATA


def test_disk_too_small(pull, hub):
    """A petabyte is more than any disk of a test machine has."""
    hub.add(REPO, NAME, DATA, size=10**15)
    done = pull(REPO, expect=1)
    assert "needs 1.0 PB of disk" in done.stderr and "are free in" in done.stderr and "LOCALCODE_CACHE_DIR" in done.stderr
    assert hub.seen(FILE) == []


def test_write_error(pull, hub):
    """A disk that takes no more in the middle (here: a limit on the size of files)."""
    hub.add(REPO, NAME, DATA)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    done = pull(REPO, expect=1, preexec=limit)
    assert "cannot write" in done.stderr
    assert not pull.path(REPO, NAME).exists()
    pull(REPO)
    assert pull.path(REPO, NAME).read_bytes() == DATA
    assert resumed(hub)[-1] == "bytes=2000000-"


def test_names_that_lead_outside(pull, hub):
    for path in ("../../../../../evil-Q4_K_M.gguf", "/tmp/evil-Q4_K_M.gguf", "a/../../evil-Q4_K_M.gguf", "..\\evil-Q4_K_M.gguf",
                 ".hidden/evil-Q4_K_M.gguf", "evil\u0007-Q4_K_M.gguf"):
        hub.repos.clear()
        hub.add(REPO, path, DATA)
        done = pull(REPO, expect=1)
        assert "no path that may be written" in done.stderr, path
        assert "\u0007" not in done.stderr
        assert pull.files() == []
    hub.add(REPO, NAME, DATA)
    pull(REPO, expect=1)
    hub.repos[REPO].files.pop("evil\u0007-Q4_K_M.gguf")
    hub.add(REPO, "../.bashrc", b"")
    pull(REPO)
    assert pull.path(REPO, NAME).read_bytes() == DATA, "other files' names do not matter"


def test_odd_names(pull, hub):
    path = "Ordner mit Leerzeichen/modèle #1 %41-Q4_K_M.gguf"
    hub.add(REPO, path, DATA)
    pull(f"{REPO}:{path}")
    assert pull.path(REPO, path).read_bytes() == DATA


def test_garbled_list(pull, hub):
    hub.add(REPO, NAME, DATA)
    for body in (b"<html>log in</html>", b"{}", b"[1]", b"[" * 100_000, b'[{"type":"file","path":"x.gguf","size":-1}]', b""):
        hub.fault(TREE, answers(200, body=body))
        done = pull(REPO, expect=1)
        assert "list of files cannot be used" in done.stderr
    pull(REPO)


def test_list_in_pages(pull, hub):
    for i in range(7):
        hub.add(REPO, f"some-{i}-Q2_K.gguf", b"x")
    hub.add(REPO, NAME, DATA)
    hub.page = 3
    hub.gated.add(REPO)
    pull(REPO, HF_TOKEN=TOKEN)
    assert len(hub.seen(TREE)) == 3
    assert pull.path(REPO, NAME).read_bytes() == DATA
    with Hub() as other:
        hub.fault(TREE, answers(200, [("Link", f'<{other.url}/api/models/{REPO}/tree/main>; rel="next"')], b"[]"))
        pull(REPO, "--refresh", expect=1, HF_TOKEN=TOKEN)
        assert len(other.requests) == 1 and "authorization" not in other.requests[0].headers


def test_without_checksum(pull, hub):
    """Small files stand in the repository itself: the hub lists no SHA-256. Size and ETag have to do."""
    hub.add(REPO, NAME, DATA, lfs=False)
    hub.fault(FILE, cut_after(1_000_000))
    pull(REPO)
    assert resumed(hub) == [None, "bytes=1000000-"]
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_refresh(pull, hub):
    hub.add(REPO, NAME, DATA)
    pull(REPO)
    assert json.loads(pull(REPO, "--refresh", "--json").stdout)["downloaded_bytes"] == 0
    new = DATA[::-1]
    hub.add(REPO, NAME, new)
    pull(REPO)
    assert pull.path(REPO, NAME).read_bytes() == DATA
    assert json.loads(pull(REPO, "--refresh", "--json").stdout)["downloaded_bytes"] == len(new)
    assert pull.path(REPO, NAME).read_bytes() == new


def test_a_file_put_there_by_hand(pull, hub):
    hub.add(REPO, NAME, DATA)
    path = pull.path(REPO, NAME)
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    assert json.loads(pull(REPO, "--json").stdout)["downloaded_bytes"] == 0
    assert hub.seen(FILE) == []
    other = "org/Other-GGUF"
    hub.add(other, NAME, DATA)
    pull.path(other, NAME).parent.mkdir(parents=True)
    pull.path(other, NAME).write_bytes(bytes(len(DATA)))
    pull(other)
    assert pull.path(other, NAME).read_bytes() == DATA, "same size, other content"


def test_two_at_once(pull, hub):
    hub.add(REPO, NAME, DATA)

    def slowly(x):
        threading.Event().wait(1)
        return False
    hub.fault(FILE, slowly)
    first = pull.start(REPO)
    until(lambda: hub.seen(FILE), message="the first should download")
    second = pull.start(REPO)
    for process in (first, second):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert out == f"{pull.path(REPO, NAME)}\n"
    assert "another localcode" in err
    assert len(hub.seen(FILE)) == 1, "downloaded once"
    assert pull.left_over() == []
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_second_takes_over_when_the_first_dies(pull, hub):
    hub.add(REPO, NAME, DATA, etag='"hang"')
    released = threading.Event()
    hub.fault(FILE, hang_after(2_000_000, released))
    first = pull.start(REPO)
    part = pull.path(REPO, NAME + ".part")
    until(lambda: part.exists() and part.stat().st_size > 1_000_000, message="bytes should reach the disk")
    second = pull.start(REPO)
    until(lambda: len(hub.seen(TREE)) == 2, message="the second should ask for the list")
    first.kill()
    first.communicate()
    out, err = second.communicate(timeout=120)
    released.set()
    assert second.returncode == 0, err
    assert resumed(hub)[-1].startswith("bytes=")
    assert pull.path(REPO, NAME).read_bytes() == DATA


def test_json_error(pull, hub):
    out = json.loads(pull("org/nothing", "--json", expect=1).stdout)
    assert out["error"]["code"] == "unauthorized" and "org/nothing" in out["error"]["message"]


def test_quiet(pull, hub):
    hub.add(REPO, NAME, DATA)
    done = pull(REPO, "--quiet")
    assert done.stderr == "" and done.stdout == f"{pull.path(REPO, NAME)}\n"


def on_terminal(pull, *args, **env):
    """What `localcode pull` writes to a terminal of 100 columns."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen([program("LOCALCODE_BIN"), "pull", *args], env={**pull.env, "TERM": "xterm-256color", **env},
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    written = b""
    while True:
        if select.select([controller], [], [], 30)[0]:
            try:
                data = os.read(controller, 65536)
            except OSError:  # Linux says EIO at the end
                break
            if not data:
                break
            written += data
        else:
            process.kill()
            break
    os.close(controller)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, written
    return written.decode(), out.decode()


def test_terminal(pull, hub):
    hub.add(REPO, NAME, DATA)

    def in_pieces(x):
        x.send_response(200)
        x.send_header("Content-Length", str(len(DATA)))
        x.end_headers()
        for at in range(0, len(DATA), 500_000):
            x.write(DATA[at:at + 500_000])
            threading.Event().wait(0.15)
        return True
    hub.fault(FILE, in_pieces)
    shown, out = on_terminal(pull, REPO)
    assert out == f"{pull.path(REPO, NAME)}\n"
    assert "[=" in shown and "3.0 MB" in shown and "\r" in shown
    assert "\x1b" not in shown, "no escape sequences, coloured or not"
    for line in shown.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if "%" in line:
            assert len(line) <= 99, line


def test_plain_lines_elsewhere(pull, hub):
    hub.add(REPO, NAME, DATA)
    done = pull(REPO, TERM="xterm")
    assert "\r" not in done.stderr and NAME in done.stderr


def test_the_guide_names_the_default_order(pull):
    guide = pathlib.Path(__file__).parents[3] / "docs" / "guide" / "models.md"
    order = pull("--help").stdout.split("the repository has:")[1].split(".")[0]
    quants = [q.strip() for q in order.replace("\n", " ").split(",")]
    assert quants[0] == "Q4_K_M" and len(quants) > 5
    assert ", ".join(quants) in guide.read_text()


def test_serve_fetches_first(hub, make_gateway):
    hub.add(REPO, NAME, DATA)
    env = {"HF_ENDPOINT": hub.url}
    gateway = make_gateway(args=["--hf", f"{REPO}:q4_k_m"], env=env)
    path = gateway.home / "xcache" / "localcode" / "models" / "hf" / REPO / NAME
    assert path.read_bytes() == DATA
    gateway.wait_log(str(path))   # printed a moment after /health answers
    gateway.stop()
    before = len(hub.requests)
    gateway.start()
    assert len(hub.requests) == before, "the second start needs no hub"


def test_serve_without_the_model(hub, make_gateway):
    for spec, says in ((f"{REPO}:Q8_0", "nearest: Q4_K_M"), ("org/nothing", "does not exist")):
        hub.add(REPO, NAME, DATA)
        gateway = make_gateway(args=["--hf", spec], env={"HF_ENDPOINT": hub.url}, start=False)
        assert gateway.launch().process.wait(120) != 0
        assert says in gateway.log
        gateway.process = None


def test_ctrl_c_while_serve_fetches(hub, make_gateway):
    hub.add(REPO, NAME, DATA)
    released = threading.Event()
    hub.fault(FILE, hang_after(2_000_000, released))
    gateway = make_gateway(args=["--hf", REPO], env={"HF_ENDPOINT": hub.url}, start=False)
    process = gateway.launch().process
    until(lambda: hub.seen(FILE), message="it should download")
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130, gateway.log
    released.set()
    gateway.process = None
