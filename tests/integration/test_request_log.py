"""What is remembered of a request: on the console, in requests.db, through `localcode requests`."""
import json

from support.gateway import backend_config

TOOLS = [{"type": "function", "function": {"name": "read", "description": "Reads a file", "parameters": {
    "type": "object", "properties": {"path": {"type": "string"}}}}}]
HISTORY = [
    {"role": "system", "content": "You are helpful. " * 30},
    {"role": "user", "content": "Please look at a.txt and tell me what it says."},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "call_7", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"b.txt\"}"}}]},
    {"role": "tool", "tool_call_id": "call_7", "content": "the file's content"},
    {"role": "user", "content": "And the other?"},
]


def test_a_turn_is_recorded(gateway):
    answer = gateway.post("/v1/chat/completions", {"model": "fake-model", "stream": True, "messages": HISTORY, "tools": TOOLS, "fake": "tool"},
                          [("x-session-id", "ses_9"), ("user-agent", "opencode/1.18.33 ai-sdk")])
    assert answer.done
    record = gateway.wait_request()
    assert record["id"] == answer.header("x-localcode-request-id")
    assert record["session"] == "ses_9" and record["client"] == "opencode"
    assert record["model_used"] == "fake-model" and record["stream"] is True and record["status"] == 200
    assert record["n_messages"] == 5 and record["n_tools"] == 1 and record["tools"] == ["read"]
    assert [m["role"] for m in record["messages"]] == ["system", "user", "assistant", "tool", "user"]
    assert record["messages"][3]["tool_call_id"] == "call_7"
    assert record["messages"][2]["calls"] == ["read"]
    assert 100 <= len(record["messages"][0]["preview"]) <= 150
    assert record["calls"][0]["name"] == "read" and json.loads(record["calls"][0]["arguments"]) == {"path": "a.txt"}
    assert record["finish_reason"] == "tool_calls"
    assert record["usage"]["prompt"] == 21 and record["usage"]["completion"] == 6 and record["usage"]["total"] == 27
    assert record["ms"]["total"] >= record["ms"]["first_byte"] > 0
    gateway.wait_log("[Tool Call Complete]")
    gateway.wait_log("27")
    console = gateway.log
    assert "[Tool Request]" in console and "[Tool Call] " in console and "[Tool Call Complete]" in console
    assert console.index("[Tool Request]") < console.index("[Tool Call] ") < console.index("[Tool Call Complete]")
    for word in ("fake-model", "system", "user", "assistant", "tool", "read", "tool_calls", "27"):
        assert word in console
    assert "\x1b[" not in console, "colour on a terminal only"


def test_an_answer_that_is_not_streamed_is_recorded_too(gateway):
    gateway.chat("Hello there", tools=TOOLS, fake="tool")
    record = gateway.wait_request()
    assert record["stream"] is False and record["calls"][0]["name"] == "read" and record["finish_reason"] == "tool_calls"
    gateway.chat("Hello there")
    record = gateway.wait_request(lambda r: r.get("response_preview"))
    assert record["response_preview"] == "Hello from the scripted backend."
    assert record["usage"]["cached"] == 5


def test_errors_are_recorded(gateway):
    gateway.chat(model="nope")
    assert gateway.wait_request(lambda r: r["status"] == 404)["error_code"] == "not_found"
    gateway.chat(fake="status:500")
    assert gateway.wait_request(lambda r: r["status"] == 502)["error_code"] == "upstream_error"
    gateway.post("/v1/chat/completions", b"{")
    assert gateway.wait_request(lambda r: r["status"] == 400)["error_code"] == "bad_request"


def test_one_record_by_its_id_and_by_model(gateway):
    gateway.chat(model="fake-small")
    gateway.chat(model="fake-model")
    record = gateway.wait_request(lambda r: r["model_used"] == "fake-small")
    state = ["--state-dir", str(gateway.state_dir)]
    one = json.loads(gateway.run("requests", *state, "--json", record["id"]).stdout)
    assert record["id"] in json.dumps(one)
    listed = json.loads(gateway.run("requests", *state, "--json", "--model", "fake-small").stdout)["requests"]
    assert [r["model_used"] for r in listed] == ["fake-small"]
    assert "fake-small" in gateway.run("requests", *state).stdout


def test_previews_are_cut_at_characters_and_cannot_steer_a_terminal(gateway):
    gateway.chat("\x1b[31mred\x07" + "漢😀" * 200)
    record = gateway.wait_request()
    assert record["messages"][0]["preview"].encode()  # valid UTF-8 after JSON decoding
    assert len(record["messages"][0]["preview"]) <= 150
    assert "\x1b[31m" not in gateway.log and "\x07" not in gateway.log
    assert "\x1b[31m" not in gateway.run("requests", "--state-dir", str(gateway.state_dir)).stdout


def test_json_lines(backend, make_gateway):
    gateway = make_gateway('[log]\nformat = "json"\nlevel = "debug"\n' + backend_config(backend))
    gateway.chat(stream=True, tools=TOOLS, fake="tool")
    gateway.wait_request()
    gateway.wait_log("read")
    whole = gateway.log[:gateway.log.rindex("\n")]   # the last line may be half written
    parsed = [json.loads(line) for line in whole.splitlines() if line]
    assert any("read" in json.dumps(p) for p in parsed)


def test_levels(backend, make_gateway):
    quiet = make_gateway('[log]\nlevel = "error"\nrequests = false\n' + backend_config(backend))
    quiet.chat("say nothing of this")
    quiet.wait_request()
    assert "say nothing of this" not in quiet.log
    loud = make_gateway('[log]\nlevel = "debug"\n' + backend_config(backend))
    loud.chat(stream=True)
    loud.wait_log("scripted")   # chunks at debug level


def test_a_client_that_left_is_recorded_as_such(gateway, backend):
    c = gateway.open_stream({"stream": True, "fake": "drip", "messages": [{"role": "user", "content": "x"}]})
    c.read_head()
    c.close()
    record = gateway.wait_request()
    assert record["cancelled"] is True


def test_the_database_survives_kill_9(gateway):
    for i in range(20):
        gateway.chat(str(i))
    gateway.wait_request(lambda r: r["messages"][0]["preview"] == "19")
    gateway.kill()
    assert len(gateway.requests()) == 20
    gateway.start()
    gateway.chat("after")
    gateway.wait_request(lambda r: r["messages"][0]["preview"] == "after")


def bodies_of(gateway, answer):
    record = json.loads(gateway.run("requests", answer.header("x-localcode-request-id"), "--state-dir", str(gateway.state_dir), "--json").stdout)
    return record.get("request_body"), record.get("response_body")


def test_bodies_are_kept_only_when_asked_for(gateway):
    answer = gateway.chat("Hello")
    gateway.wait_request()
    assert bodies_of(gateway, answer) == (None, None)
    assert b"scripted backend" not in (gateway.state_dir / "requests.db-wal").read_bytes().replace(b"Hello from the scripted backend.", b"")


def test_bodies_as_they_came_and_went(backend, make_gateway):
    gateway = make_gateway("[log]\nbodies = true\n" + backend_config(backend))
    sent = '{"messages":[{"role":"user","content":"caf\u00e9 \\n ' + "x" * 3000 + '"}],  "zz":1.0, "stream":%s,"fake":"%s"}'
    for stream, script, status in (("false", "normal", 200), ("true", "normal", 200), ("true", "cut_stream", 200),
                                   ("false", "status:418", 418), ("false", "status:500", 502), ("false", "exact", 200)):
        body = sent % (stream, script)
        answer = gateway.post("/v1/chat/completions", body.encode())
        assert answer.status == status
        gateway.wait_request(lambda r: r["id"] == answer.header("x-localcode-request-id"))
        kept_request, kept_answer = bodies_of(gateway, answer)
        assert kept_request == body
        assert kept_answer.encode() == answer.body, script
    text = gateway.run("requests", "--state-dir", str(gateway.state_dir), "--json").stdout
    assert "request_body" not in text, "a list stays small"
    for file in gateway.state_dir.glob("requests.db*"):
        assert file.stat().st_mode & 0o777 == 0o600, file


def test_the_name_of_the_key_is_recorded_and_never_the_key(backend, make_gateway):
    gateway = make_gateway('[[auth.keys]]\nname = "alice"\nkey = "key-of-alice"\n[[auth.keys]]\nname = "bob"\nkey = "key-of-bob"\n' +
                           backend_config(backend))
    for name in ("alice", "bob"):
        gateway.chat(name, headers=[("Authorization", f"Bearer key-of-{name}")])
        record = gateway.wait_request(lambda r: r["messages"][0]["preview"] == name)
        assert record["key"] == name
    assert "key-of" not in json.dumps(gateway.requests()) + gateway.log
