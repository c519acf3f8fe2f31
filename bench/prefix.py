#!/usr/bin/env python3
"""What the steps of [prefix] save: requests of OpenCode's shape, as sent and transformed, in one run.

    bench/prefix.py --bin BUILD/src/localcode --engine BUILD/engine/localcode-engine --model MODEL.gguf
                    [--context 16384] [--scale 1.0] [--turns 20] [--only second,day,...]

The texts are made up; their sizes and order are those of the real client: a system text of about 9.6 kB that ends with the
environment, the project's instructions and the skills, ten tools of about 21 kB, sorted by name. All cases of one side run
in one gateway, after a first session in another project; each has sessions of its own or continues that first one. `--scale` shortens system text and tools.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import tempfile
import time
import urllib.request

from states import Process, free_port, text

NAMES = ("bash", "edit", "glob", "grep", "read", "skill", "task", "todowrite", "webfetch", "write")


def tool(name, scale):
    return {"type": "function", "function": {
        "name": name, "description": f"The tool {name}. " + text(int(280 * scale), len(name)),
        "parameters": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {
            "path": {"type": "string", "description": text(12, 3)}, "limit": {"type": "number", "description": text(12, 4)}},
            "required": ["path"], "additionalProperties": False}}}


class Shape:
    """Requests as OpenCode sends them."""

    def __init__(self, scale):
        self.scale = scale
        self.tools = [tool(n, scale) for n in NAMES]

    def system(self, cwd, date):
        return {"role": "system", "content": (
            "You are opencode, an agent for the command line. " + text(int(1400 * self.scale), 1) +
            "\n\nYou are powered by the model named m. The exact model ID is localcode/m\n"
            "Here is some useful information about the environment you are running in:\n"
            f"<env>\n  Working directory: {cwd}\n  Workspace root folder: {cwd}\n  Is directory a git repo: yes\n  Platform: linux\n"
            f"  Today's date: {date}\n</env>\nInstructions from: {cwd}/AGENTS.md\nUse tabs. {text(20, len(cwd))}\n\n"
            "Skills provide specialised instructions.\n<available_skills>\n  <skill><name>one</name></skill>\n</available_skills>")}


MONDAY, TUESDAY = "Mon Nov 23 2026", "Tue Nov 24 2026"
SUMMARY = ("You are a context summarization agent. You are given a conversation between a user and an agent. Produce a structured summary "
           "that another agent can continue from. Output only the summary.")


def user(words):
    return {"role": "user", "content": words}


def reminded(words, reminder):
    return {"role": "user", "content": [{"type": "text", "text": words}, {"type": "text", "text": f"<system-reminder>\n{reminder}\n</system-reminder>"}]}


def step(i):
    """A turn of a tool loop: what the model called, what came back."""
    call = {"id": f"c{i}", "type": "function", "function": {"name": "edit" if i % 2 else "read", "arguments": json.dumps({"path": f"src/f{i}.c"})}}
    return [{"role": "assistant", "content": "Next.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{i}", "content": text(60, i + 1)}]


def flat(messages):
    out = []
    for m in messages:
        if m["role"] == "user":
            out.append("\n[User]: " + (m["content"] if isinstance(m["content"], str) else m["content"][0]["text"]))
        elif m["role"] == "assistant":
            out.append("\n[Assistant]: " + m["content"])
            out += [f"[Assistant tool call]: {c['function']['name']}({c['function']['arguments']})" for c in m.get("tool_calls", [])]
        elif m["role"] == "tool":
            out.append("[Tool result]: " + m["content"])
    return "\n".join(out).strip()


class Side:
    """One gateway: as sent, or transformed."""

    def __init__(self, args, folder, steps):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        (self.folder / "run").mkdir(mode=0o700)
        port = free_port()
        config = self.folder / "config.toml"
        config.write_text(f'[log]\nrequests = false\n[prefix]\nsteps = {json.dumps(steps)}\n[[model]]\nname = "m"\npath = "{args.model}"\n'
                          f'slots = 2\ncontext = {args.context}\n{args.extra}\n')
        env = {**os.environ, "LOCALCODE_ENGINE": args.engine, "XDG_RUNTIME_DIR": str(self.folder / "run"), "HOME": str(self.folder)}
        self.process = Process([args.bin, "serve", "--config", str(config), "--port", str(port), "--state-dir", str(self.folder / "state")],
                               env, self.folder / "log", port)

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def send(self, session, messages, tools, parent=None, max_tokens=4):
        """(tokens prefilled, tokens of the prompt, seconds to the first token)"""
        body = {"model": "m", "messages": messages, "max_tokens": max_tokens, "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}
        if tools:
            body |= {"tools": tools, "tool_choice": "auto"}
        headers = {"content-type": "application/json", "user-agent": "opencode/1.18.33", "x-session-id": session}
        if parent:
            headers["x-parent-session-id"] = parent
        request = urllib.request.Request(f"http://127.0.0.1:{self.process.port}/v1/chat/completions", json.dumps(body).encode(), headers)
        began, first, closing = time.perf_counter(), None, None
        with urllib.request.urlopen(request, timeout=3600) as answer:
            for line in answer:
                if line.startswith(b": localcode {"):
                    closing = json.loads(line[len(b": localcode "):])
                elif first is None and line.startswith(b"data: {"):
                    event = json.loads(line[6:])
                    if any(c.get("delta", {}).get("content") or c.get("delta", {}).get("tool_calls") or c.get("finish_reason") for c in event.get("choices", [])):
                        first = time.perf_counter() - began
        time.sleep(0.5)  # the state is saved
        return closing["prefilled_tokens"], closing["prefilled_tokens"] + closing["cached_tokens"], first


def case_second(side, shape, turns):
    return [side.send("b", [shape.system("/home/u/two", MONDAY), user("What is this?")], shape.tools)]


def case_day(side, shape, turns):
    return [side.send("b", [shape.system("/home/u/one", TUESDAY), user("What is this?")], shape.tools)]


def case_midnight(side, shape, turns):
    history = [user("Say hello"), {"role": "assistant", "content": "Hello."}, user("Again")]
    return [side.send("a", [shape.system("/home/u/one", TUESDAY), *history], shape.tools)]


def case_subagent(side, shape, turns):
    fewer = [t for t in shape.tools if t["function"]["name"] not in ("task", "todowrite")]
    return [side.send("sub", [shape.system("/home/u/one", MONDAY), user("Look for the tests")], fewer, "a")]


def case_plan(side, shape, turns):
    system = shape.system("/home/u/one", MONDAY)
    yes = {"role": "assistant", "content": "Yes."}
    done, plan = [user("Say hello"), yes], "Plan mode is on. " + text(150, 5)
    side.send("a", [system, *done, reminded("Plan it", plan)], shape.tools)
    return [side.send("a", [system, *done, user("Plan it"), yes, reminded("Build it", "Build mode is on.")], shape.tools),
            side.send("a", [system, *done, user("Plan it"), yes, user("Build it"), yes, user("Go on")], shape.tools)]


def loop(side, shape, turns):
    messages = [shape.system("/home/u/one", MONDAY), user("Say hello")]
    out = []
    for i in range(turns):
        messages += step(i)
        out.append(side.send("a", messages, shape.tools))
    return messages, out


def case_loop(side, shape, turns):
    return loop(side, shape, turns)[1]


def case_compaction(side, shape, turns):
    messages, _ = loop(side, shape, 4)
    asked = (f"Here is the conversation so far:\n\n<conversation>\n{flat(messages[1:])}\n</conversation>\n\nCreate a new anchored summary "
             "from the conversation history above. Output exactly the structure inside <template>.\n<template>\n## Objective\n</template>")
    return [side.send("a", [{"role": "system", "content": SUMMARY}, user(asked)], None, max_tokens=32)]


def case_compacted(side, shape, turns):
    case_compaction(side, shape, turns)
    return [side.send("a", [shape.system("/home/u/one", MONDAY), user("What did we do so far?"), {"role": "assistant", "content": text(60, 9)},
                            user("Go on")], shape.tools)]


CASES = {"second": ("a second project", case_second), "day": ("the next day, a new session", case_day), "midnight": ("midnight inside a session", case_midnight),
         "subagent": ("a subagent", case_subagent), "plan": ("plan, then build, then on", case_plan), "compaction": ("compaction", case_compaction),
         "compacted": ("the first request after compaction", case_compacted), "loop": ("a tool loop", case_loop)}


def main():
    parser = argparse.ArgumentParser()
    for name in ("bin", "engine", "model"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--context", type=int, default=16384)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--extra", default="", help="further lines of the [[model]] table")
    parser.add_argument("--only", default=",".join(CASES))
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lcp"))
    shape = Shape(args.scale)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    print(f"{datetime.date.today()}, {os.cpu_count()} cores ({cpu}), {pathlib.Path(args.model).name}, system text and tools of "
          f"{len(json.dumps(shape.tools)) + len(shape.system('/', MONDAY)['content'])} bytes\n")
    found = {}
    try:
        for steps in ([], ["environment", "pinned", "tools", "compaction"]):
            side = Side(args, folder, steps)
            first = side.send("a", [shape.system("/home/u/one", MONDAY), user("Say hello")], shape.tools)
            print(f"steps {json.dumps(steps)}: first request ever {first[0]} tokens, {first[2]:.2f} s", flush=True)
            for name in args.only.split(","):
                rows = CASES[name][1](side, shape, args.turns)
                found.setdefault(name, []).append((sum(r[0] for r in rows), rows[-1][1], sum(r[2] for r in rows)))
                print(f"  {CASES[name][0]}: {found[name][-1]}", flush=True)
            side.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n| case | tokens | prefilled as sent | transformed | times fewer | first token as sent, s | transformed, s |\n|---|---|---|---|---|---|---|")
    for name, ((sent, tokens, sent_s), (fresh, _, fresh_s)) in found.items():
        print(f"| {CASES[name][0]} | {tokens} | {sent} | {fresh} | {sent / max(1, fresh):.1f} | {sent_s:.2f} | {fresh_s:.2f} |")


if __name__ == "__main__":
    main()
