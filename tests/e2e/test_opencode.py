"""The real OpenCode through LocalCode."""
import json

import pytest

from support.gateway import Gateway, backend_config, program, until
from support.opencode import OpenCode, config


def kinds(backend):
    """What the requests that reached the backend were: title, compaction, main."""
    found = []
    for request in backend.requests:
        system = json.dumps(request.json["messages"][0]["content"])
        found.append("title" if "title generator" in system else "compaction" if "summarization agent" in system else "main")
    return found


@pytest.fixture
def session(gateway):
    with OpenCode(config(gateway.url, "fake-model")) as oc:
        yield oc


def test_a_whole_tool_loop(session, gateway, backend):
    """It asks, the model calls `read`, OpenCode runs it, the model answers with what stood in the file."""
    backend.default = "opencode"
    (session.project / "a.txt").write_text("the word is marker-0badcafe\n")
    done = session.run("Read a.txt and tell me what it says")
    assert done.returncode == 0, done.stderr
    assert "marker-0badcafe" in done.stdout
    assert kinds(backend).count("main") == 2 and len(backend.requests) == 3, "nothing was retried"
    until(lambda: len(gateway.requests()) == 3, message="three records should be written")
    records = gateway.requests()
    main = [r for r in records if r["kind"] == "main"]
    assert len(main) == 2 and [r["kind"] for r in records].count("title") == 1
    assert all(r["client"] == "opencode" and r["session"].startswith("ses_") for r in records)
    assert len({r["session"] for r in records}) == 1
    assert all(r["n_tools"] == 10 for r in main)
    gateway.wait_log("[Tool Request]")
    gateway.wait_log("[Tool Call Complete]")


@pytest.mark.parametrize("how", ["before", "mid"])
def test_an_overflow_makes_it_compact_instead_of_retrying(session, backend, how):
    """before: a 400. mid: llama.cpp's 500 in the stream, which OpenCode alone would send again and again."""
    backend.default = f"opencode_overflow:{how}"
    done = session.run("Read a.txt and tell me what it says")
    assert "A short answer after compaction." in done.stdout, done.stderr
    assert "compaction" in kinds(backend)
    first, *rest = [r.body for r in backend.requests if r.json.get("tools")]
    assert rest and first not in rest, "the same body must not be sent again"


def test_a_slow_backend_does_not_make_it_give_up(session, backend):
    """Silence for 12 s before the first byte: pings and heartbeats are no trouble to the client."""
    backend.default = "slow:12"
    done = session.run("Say hello")
    assert done.returncode == 0, done.stderr
    assert "Hello from the scripted backend." in done.stdout
    assert len(backend.requests) == 2  # title and main, once each


def test_a_cut_stream_is_retried_by_it_and_then_works(session, backend):
    backend.default = "opencode_cut_once"
    done = session.run("Say hello")
    assert done.returncode == 0, done.stderr
    assert "The whole answer." in done.stdout
    assert kinds(backend).count("main") == 2


@pytest.mark.parametrize("engine", ["LOCALCODE_ENGINE", pytest.param("LOCALCODE_LLAMA_SERVER", marks=pytest.mark.full)])
def test_a_local_model_answers(smollm2, engine):
    """SmolLM2 gets the whole prompt with all ten tools. On two slow cores the first prefill takes a minute."""
    with Gateway(args=["--model", smollm2], engine=program(engine)) as gateway:
        name = gateway.get("/v1/models").json["data"][0]["id"]
        settings = config(gateway.url, name, output=96)
        settings["agent"] = {"build": {"steps": 2}}   # a model this small may call tools for ever
        with OpenCode(settings) as session:
            (session.project / "a.txt").write_text("hello\n")
            done = session.run("Say hello in one short sentence.", timeout=900)
            assert done.returncode == 0, done.stderr + session.logs()
            assert done.stdout.strip() or "→" in done.stderr, "some text or a tool call must have come"
            gateway.wait_request(lambda r: r["kind"] == "main")
            records = gateway.requests()
            # A second session in the same project, after a restart of everything: its prompt is known but for its end.
            gateway.stop()
            gateway.start()
            assert session.run("Say hello in one short sentence.", timeout=900).returncode == 0
            known = {r["id"] for r in records}
            again = gateway.wait_request(lambda r: r["kind"] == "main" and r["id"] not in known)
            assert again["usage"]["cached"] > 0.95 * again["usage"]["prompt"], again
            # A session in another project: what is about the project comes behind the tools, and only that is new.
            with OpenCode(settings) as other:
                assert other.run("Say hello in one short sentence.", timeout=900).returncode == 0
            known.update(r["id"] for r in gateway.requests() if r["session"] == again["session"])
            second = gateway.wait_request(lambda r: r["kind"] == "main" and r["id"] not in known)
            assert second["usage"]["cached"] > 0.9 * second["usage"]["prompt"], second
            assert "environment" in {edit["step"] for edit in second["prompt"]}
        main = [r for r in records if r["kind"] == "main"]
        assert main and all(r["status"] == 200 for r in main), records
        assert main[-1]["usage"]["prompt"] > 5000 and main[-1]["n_tools"] == 10
        assert all(r["usage"]["completion"] > 0 for r in main)


def test_several_sessions_at_once(gateway, backend):
    backend.default = "opencode"
    from concurrent.futures import ThreadPoolExecutor

    def one(i):
        with OpenCode(config(gateway.url, "fake-model")) as oc:
            (oc.project / "a.txt").write_text(f"the word is marker-{i:04x}\n")
            return oc.run("Read a.txt and tell me what it says").stdout
    with ThreadPoolExecutor(3) as pool:
        outputs = list(pool.map(one, range(3)))
    assert all(f"marker-{i:04x}" in out for i, out in enumerate(outputs)), outputs


def test_a_key_is_asked_for_and_given(backend, make_gateway):
    gateway = make_gateway('[[auth.keys]]\nname = "a"\nkey = "k-of-a"\n' + backend_config(backend))
    backend.default = "opencode"
    with OpenCode(config(gateway.url, "fake-model", apiKey="k-of-a")) as oc:
        (oc.project / "a.txt").write_text("marker-77\n")
        assert "marker-77" in oc.run("Read a.txt and tell me what it says").stdout
