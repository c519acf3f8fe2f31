"""Prompts that the cache can keep, with the real engine: each step raises what is reused, and nothing else changes."""
import json

import pytest

from support.gateway import Gateway, backend_config, program, until

UA = ("user-agent", "opencode/1.18.33 ai-sdk/provider-utils/4.0.23")


def tool(name, about="x"):
    text = f"The tool {name} does {about}. " + " ".join(f"Rule {i} of {name}: never use it for module {i * 37 % 101}." for i in range(8))
    return {"type": "function", "function": {"name": name, "description": text, "parameters": {
        "type": "object", "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["path"]}}}


TOOLS = [tool(n) for n in ("bash", "edit", "read", "task", "todowrite", "write")]
AGENT = "You are opencode, a coding agent. " + " ".join(f"Rule {i}: keep module {i * 7 % 19} as it is." for i in range(12))


def system(cwd, date="Mon Nov 23 2026", skills="plan"):
    return (f"{AGENT}\n\nYou are powered by the model named smol.\nHere is some useful information about the environment you are running in:\n"
            f"<env>\n  Working directory: {cwd}\n  Is directory a git repo: yes\n  Platform: linux\n  Today's date: {date}\n</env>\n"
            f"Instructions from: {cwd}/AGENTS.md\nIn {cwd} tabs are used.\n\n<available_skills>{skills}</available_skills>")


def said(role, text, **more):
    return {"role": role, "content": text, **more}


def reminded(text, reminder):
    return said("user", [{"type": "text", "text": text}, {"type": "text", "text": f"<system-reminder>\n{reminder}\n</system-reminder>"}])


class Client:
    """Sends as OpenCode does."""

    def __init__(self, gateway):
        self.gateway = gateway

    def send(self, session, messages, tools=TOOLS, headers=(), status=200, **more):
        body = {"model": "smol", "messages": messages, "max_tokens": 4, "temperature": 0, "stream": True, **more}
        if tools:
            body |= {"tools": tools, "tool_choice": "auto"}
        answer = self.gateway.post("/v1/chat/completions", body, [UA, ("x-session-id", session), *headers])
        assert answer.status == status, answer.body
        assert answer.clean and answer.done, answer.body
        found = [json.loads(c[len(b": localcode "):]) for c in answer.comments if c.startswith(b": localcode {")]
        self.answer, self.closing = answer, found[-1]
        self.id = answer.header("x-localcode-request-id")
        return found[-1]["prefilled_tokens"], found[-1]["cached_tokens"]

    def explain(self):
        self.gateway.wait_request(lambda r: r["id"] == self.id)
        return json.loads(self.gateway.run("explain", self.id, "--json", "--state-dir", str(self.gateway.state_dir)).stdout)


@pytest.fixture
def start(make_gateway, smollm2):
    def make(prefix="", slots=2, **more):
        # Without states on disk: what is reused is what the slots hold.
        config = (f'{prefix}\n[kv]\nenabled = false\n[[model]]\nname = "smol"\npath = "{smollm2}"\nslots = {slots}\nthreads = 1\ncontext = 8192\n')
        return Client(make_gateway(config, engine=program("LOCALCODE_ENGINE"), **more))
    return make


OFF = "[prefix]\nsteps = []"


def test_a_second_project_and_the_next_day(start):
    def two(client):
        client.send("a", [said("system", system("/home/u/one")), said("user", "Hello")])
        return client.send("b", [said("system", system("/home/u/two", "Tue Nov 24 2026")), said("user", "Hello")])
    off, on = start(OFF, slots=1), start(slots=1)
    sent, _ = two(off)
    assert "prompt_changed" not in off.closing
    changed, cached = two(on)
    assert cached > 1000 and changed * 4 < sent, (changed, sent)
    assert "environment" in on.closing["prompt_changed"]
    told = on.explain()
    assert told["prompt"]["changed_by"].startswith("environment") or "environment" in told["prompt"]["changed_by"]
    assert "+<system-reminder>" in told["prompt"]["diff"] and "-<env>" in told["prompt"]["diff"]
    assert told["route"].startswith("smol;engine") and told["cache"]["outcome"] and told["ms"]["total"] > 0
    text = on.gateway.run("explain", on.id, "--state-dir", str(on.gateway.state_dir)).stdout
    assert "environment" in text and "+  Working directory: /home/u/two" in text
    assert "prompt changed: " in on.gateway.log


def test_what_changes_inside_a_session_costs_only_itself(start):
    client = start(slots=1)
    first = [said("system", system("/p")), reminded("Hello", "Plan only.")]
    _, _ = client.send("s", first)
    whole = client.closing["prefilled_tokens"] + client.closing["cached_tokens"]
    # After midnight; the reminder has wandered to the newest message.
    fresh, cached = client.send("s", [said("system", system("/p", "Tue Nov 24 2026")), said("user", "Hello"), said("assistant", "Hi."),
                                      reminded("Go on", "Build now.")])
    assert cached >= whole - 8 and fresh < 130, client.closing
    assert "pinned" in client.closing["prompt_changed"]
    # Another session of the same project has its own first form.
    client.send("t", [said("system", system("/p", "Tue Nov 24 2026")), said("user", "Hello")])
    assert "Mon Nov 23" not in json.dumps(client.explain()["prompt"])
    # The user edits the first message: nothing old comes back.
    client.send("s", [said("system", system("/p", "Mon Nov 23 2026")), said("user", "Hello you"), said("assistant", "Hi."), said("user", "Go on")])
    assert "Plan only" not in client.explain()["prompt"]["diff"]


def test_tools_that_some_lack_come_last(start):
    client = start('[prefix]\nsteps = ["tools"]', slots=1)
    messages = [said("system", AGENT), said("user", "Hello")]
    main = [tool(n) for n in ("bash", "alpha_mcp", "read", "task", "write")]
    client.send("warm", messages, main)
    client.send("warm sub", messages, [t for t in main if t["function"]["name"] not in ("task", "alpha_mcp")])
    # Known now; and known still after a restart.
    client.gateway.stop()
    client.gateway.start()
    client.send("a", messages, main)
    assert client.explain()["prompt"]["edits"][0]["after"] == "bash, read, write, alpha_mcp, task"
    whole = client.closing["prefilled_tokens"]
    _, cached = client.send("a sub", messages, [t for t in main if t["function"]["name"] not in ("task", "alpha_mcp")])
    assert cached > 0.55 * whole, client.closing
    # The same tool, written in another order of members, is the same bytes to the engine.
    other = [{"function": {k: t["function"][k] for k in ("parameters", "name", "description")}, "type": "function"} for t in reversed(main)]
    fresh, cached = client.send("a", messages, other)
    client.send("a", messages, main)
    fresh, cached = client.send("a", messages, other)
    assert fresh <= 2, client.closing


TITLE = "You are a title generator. You output ONLY a thread title."
SUMMARY = "You are a context summarization agent. You are given a conversation between a user and an agent."


def summary_of(conversation):
    return [said("system", SUMMARY), said("user", f"Here is the conversation so far:\n\n<conversation>\n{conversation}\n</conversation>\n\n"
                                                  "Create a new anchored summary. Use <template>."), ]


def test_a_summary_is_the_sessions_next_turn(start):
    client = start(slots=2)
    messages = [said("system", system("/p")), said("user", "Read a.txt please"), said("assistant", "I will read it.", tool_calls=[
        {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path":"a.txt"}'}}]),
        said("tool", "the word is marker", tool_call_id="c1")]
    client.send("s", messages, max_tokens=8)
    whole = client.closing["prefilled_tokens"] + client.closing["cached_tokens"]
    conversation = ('[User]: Read a.txt please\n\n[Assistant]: I will read it.\n[Assistant tool call]: read({"path":"a.txt"})\n'
                    "[Tool result]: the word is marker\n\n[Assistant]: It says marker.")
    fresh, cached = client.send("s", summary_of(conversation), None, max_tokens=16)
    assert client.closing["prompt_changed"] == "compaction"
    assert cached >= whole - 8 and fresh < 250, client.closing
    assert client.answer.text and not any(c.get("delta", {}).get("tool_calls") for e in client.answer.events for c in e.get("choices", []))
    assert client.explain()["kind"] == "compaction"
    # A history that is not this session's goes as it came.
    client.send("s", summary_of("[User]: Something else"), None)
    assert "prompt_changed" not in client.closing
    client.send("other", summary_of(conversation), None)
    assert "prompt_changed" not in client.closing
    # So does one that has no room.
    client.send("s", messages, max_tokens=4)
    client.send("s", summary_of(conversation), None, max_tokens=7000, stop=["e"])
    assert "prompt_changed" not in client.closing


def test_the_request_decides(start):
    client = start(slots=1)
    messages = [said("system", system("/p")), said("user", "Hello")]
    client.send("a", messages, localcode={"prefix": False})
    assert "prompt_changed" not in client.closing
    client.send("b", messages, localcode={"prefix": ["environment"]})
    assert client.closing["prompt_changed"] == "environment"
    bad = client.gateway.post("/v1/chat/completions", {"messages": messages, "localcode": {"prefix": ["magic"]}})
    assert bad.status == 400 and b"environment, pinned, tools and compaction" in bad.body


def test_remote_backends_get_what_was_sent(make_gateway, backend):
    gateway = make_gateway(backend_config(backend))
    body = {"model": "fake-model", "messages": [said("system", system("/p")), said("user", "Hello")], "tools": list(reversed(TOOLS))}
    raw = json.dumps(body).encode()
    assert gateway.post("/v1/chat/completions", raw, [UA, ("x-session-id", "s")]).status == 200
    assert backend.requests[-1].body == raw
    asked = {**body, "localcode": {"prefix": ["tools"]}}
    assert gateway.post("/v1/chat/completions", asked, [UA, ("x-session-id", "s")]).status == 200
    assert [t["function"]["name"] for t in backend.requests[-1].json["tools"]] == ["bash", "edit", "read", "write", "task", "todowrite"]


def test_a_rule_names_a_backend(make_gateway, backend):
    gateway = make_gateway('[[prefix.rule]]\nbackend = "fake"\nclient = "opencode"\nsteps = ["tools"]\n' + backend_config(backend))
    body = {"model": "fake-model", "messages": [said("user", "Hello")], "tools": list(reversed(TOOLS))}
    gateway.post("/v1/chat/completions", body, [UA])
    assert backend.requests[-1].json["tools"][0]["function"]["name"] == "bash"
    gateway.post("/v1/chat/completions", body)
    assert backend.requests[-1].json["tools"][0]["function"]["name"] == "write"


def test_tenants_learn_nothing_of_each_other(start):
    keys = "".join(f'[[auth.keys]]\nname = "{n}"\nkey = "k-{n}"\n' for n in "ab")
    client = start("[auth]\nnamespaces = true\n" + keys, slots=1)
    messages = [said("system", system("/p")), said("user", "Hello")]
    client.send("s", messages, headers=[("authorization", "Bearer k-a")])
    tuesday = [said("system", system("/p", "Tue Nov 24 2026")), said("user", "Hello")]
    client.send("s", tuesday, headers=[("authorization", "Bearer k-b")])
    assert "pinned" not in client.closing.get("prompt_changed", ""), "the same session id, another tenant"
    client.send("s", tuesday, headers=[("authorization", "Bearer k-a")])
    assert "pinned" in client.closing["prompt_changed"]
