"""Starting, refusing to start, draining, stopping."""
import signal
import threading
import time

import pytest

from support.gateway import Gateway, backend_config, until


def test_sigterm_lets_running_requests_finish(backend, make_gateway):
    gateway = make_gateway(backend_config(backend))
    c = gateway.open_stream({"stream": True, "fake": "gated", "messages": [{"role": "user", "content": "x"}]})
    answer = c.read_head()
    body = c.body(answer)
    next(body)
    gateway.process.send_signal(signal.SIGTERM)

    def refuses():
        try:
            return gateway.get("/health", timeout=5).status == 503
        except OSError:
            return True
    until(refuses, message="new connections should be refused")
    backend.release()
    for _ in body:
        pass
    assert answer.clean and answer.done and answer.text == "first second"
    c.close()
    assert gateway.process.wait(180) == 0
    gateway.process = None


def test_sigterm_ends_what_takes_too_long(backend, make_gateway):
    gateway = make_gateway("[server]\ndrain_ms = 500\n" + backend_config(backend))
    c = gateway.open_stream({"stream": True, "fake": "silent_after", "messages": [{"role": "user", "content": "x"}]})
    answer = c.read_head()
    gateway.process.send_signal(signal.SIGTERM)
    for _ in c.body(answer):
        pass
    assert not answer.clean and not answer.done
    c.close()
    assert gateway.process.wait(180) == 0
    gateway.process = None


def test_sigint_stops_too(backend, make_gateway):
    gateway = make_gateway(backend_config(backend))
    gateway.process.send_signal(signal.SIGINT)
    assert gateway.process.wait(180) == 0
    gateway.process = None


def test_the_stop_command(backend, make_gateway):
    gateway = make_gateway(backend_config(backend))
    code = []
    reaper = threading.Thread(target=lambda: code.append(gateway.process.wait(180)))  # `stop` waits until it is gone
    reaper.start()
    gateway.run("stop", "--port", str(gateway.port))
    reaper.join()
    assert code == [0]
    gateway.process = None


def test_two_gateways_do_not_share_a_state_folder(backend, make_gateway):
    first = make_gateway(backend_config(backend))
    second = Gateway(backend_config(backend), start=False)
    second.state_dir = first.state_dir
    second.launch()
    assert second.process.wait(180) != 0
    assert str(first.process.pid) in second.log, "it names the one that runs"
    second.process = None
    second.close()
    assert first.healthy()


def test_a_killed_gateway_leaves_nothing_in_the_way(backend, make_gateway):
    gateway = make_gateway(backend_config(backend))
    gateway.chat()
    gateway.wait_request()
    gateway.kill()
    gateway.start()
    assert gateway.chat().status == 200
    assert len(gateway.requests()) >= 1


@pytest.mark.parametrize("config,words", [
    ("[server]\nprot = 1\n", ["config.toml:2", "prot", "port"]),
    ("[server]\nport = \"x\"\n", ["config.toml:2", "port"]),
    ("[server]\nport = 99999\n", ["config.toml:2", "port"]),
    ("[server\n", ["config.toml:1"]),
    ("[[model]]\nname = \"m\"\n", ["path"]),
    ("[[backend]]\nname = \"b\"\n", ["url"]),
    ("[[backend]]\nname = \"b\"\nurl = \"ftp://x\"\n", ["url"]),
    ("[[backend]]\nname = \"b\"\nurl = \"http://x\"\nkey = \"env:NOT_SET_ANYWHERE\"\n", ["NOT_SET_ANYWHERE"]),
])
def test_bad_configs_are_refused_with_reasons(config, words):
    gateway = Gateway(config, start=False)
    gateway.launch()
    assert gateway.process.wait(180) != 0
    for word in words:
        assert word in gateway.log, gateway.log
    gateway.process = None
    gateway.close()


def test_nothing_configured_says_how_to_start():
    gateway = Gateway(start=False)
    gateway.launch()
    assert gateway.process.wait(180) != 0
    for way in ("--model", "--upstream", "ZAI_API_KEY"):
        assert way in gateway.log
    gateway.process = None
    gateway.close()


def test_upstream_on_the_command_line(backend, make_gateway):
    gateway = make_gateway(args=["--upstream", f"{backend.url}/v1"])
    assert gateway.chat().status == 200
    assert gateway.chat(model="fake-small").status == 200


def test_status_models_and_running_requests(backend, make_gateway):
    import json
    gateway = make_gateway('[server]\nmodel = "fake-model"\n' + backend_config(backend))
    port = ["--port", str(gateway.port)]
    status = json.loads(gateway.run("status", *port, "--json").stdout)
    assert status["pid"] == gateway.process.pid and status["default_model"] == "fake-model"
    assert [b["name"] for b in status["backends"]] == ["fake"]
    models = json.loads(gateway.run("models", *port, "--json").stdout)["models"]
    assert [(m["id"], m["kind"], m["default"]) for m in models] == [("fake-model", "remote", True), ("fake-small", "remote", False)]
    for verb in ("status", "models"):
        assert "fake" in gateway.run(verb, *port).stdout
    nobody = gateway.run("status", "--port", "1", check=False)
    assert nobody.returncode == 1 and "localcode serve" in nobody.stderr


def test_a_thousand_clients_that_come_and_go(backend, make_gateway):
    """Left in every state; afterwards nothing is open and the next request is served."""
    gateway = make_gateway(backend_config(backend))
    body = b'{"messages":[{"role":"user","content":"x"}],"stream":true,"fake":"drip:0.01"}'
    whole = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def come_and_go(n):
        for i in range(n):
            with gateway.connect() as c:
                c.send(whole[:(i * 37) % (len(whole) + 1)])
                if i % 5 == 0:
                    time.sleep(0.005)
    threads = [threading.Thread(target=come_and_go, args=(250,)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert gateway.chat().status == 200
    import json
    until(lambda: json.loads(gateway.run("status", "--port", str(gateway.port), "--json").stdout)["streams_open"] == 0, 180,
          "streams of clients that left are still open")
    assert gateway.process.poll() is None
