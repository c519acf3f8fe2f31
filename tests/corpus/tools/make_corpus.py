#!/usr/bin/env python3
"""Writes broken_calls.jsonl: broken tool calls, each with what must become of it.

Every expectation is known from how a case is made: a good call is broken in a known way (then the good call is expected back),
or into something whose meaning nobody can know (then it must be left alone). Nothing of LocalCode takes part in this.

A line: {"id", "shape", "name", "arguments", "finish", "expect": "valid" | "repaired" | "hopeless", "want_name", "want"}
or      {"id", "shape", "text", "finish", "expect": "calls" | "text", "want": [[name, arguments], ...]}
"""
import json
import pathlib

HERE = pathlib.Path(__file__).parent
cases = []


def call(shape, name, arguments, expect, want=None, want_name=None, finish="tool_calls"):
    case = {"id": f"c{len(cases):04}", "shape": shape, "name": name, "arguments": arguments, "finish": finish, "expect": expect}
    if expect == "repaired":
        case["want_name"] = want_name or name
        case["want"] = want
    cases.append(case)


def text(shape, body, want=None, finish="stop"):
    case = {"id": f"t{len(cases):04}", "shape": shape, "text": body, "finish": finish, "expect": "calls" if want else "text"}
    if want:
        case["want"] = want
    cases.append(case)


SCRIPT = 'import os\n\ndef main():\n    print("a {b} \\"c\\"")\n    return {"k": [1, 2]}\n'
GOOD = [
    ("bash", {"command": "ls -la /srv/app", "description": "Lists the folder"}),
    ("bash", {"command": "git commit -m \"fix: it's {done}\" && git push", "description": "Commits", "timeout": 60000}),
    ("bash", {"command": "grep -rn 'foo\\.bar' src | head -n 5", "description": "Looks for foo.bar"}),
    ("edit", {"filePath": "/p/main.cpp", "oldString": "int a = 1;\nint b = 2;", "newString": "int a = 2;\nint b = 1;"}),
    ("edit", {"filePath": "/p/x.py", "oldString": "if x == '':", "newString": "if not x:", "replaceAll": True}),
    ("glob", {"pattern": "**/*.{ts,tsx}"}),
    ("grep", {"pattern": "std::vector<\\w+>", "include": "*.cpp"}),
    ("read", {"filePath": "/p/README.md", "offset": 100, "limit": 50}),
    ("read", {"filePath": "/p/naïve – file.txt"}),
    ("write", {"filePath": "/p/main.py", "content": SCRIPT}),
    ("write", {"filePath": "/p/a.json", "content": "{\"a\": [1, 2, {\"b\": null}]}\n"}),
    ("task", {"description": "look around", "prompt": "Find where requests are parsed.\nSay which file.", "subagent_type": "explore"}),
    ("todowrite", {"todos": [{"content": "read", "status": "completed", "priority": "high"},
                             {"content": "write", "status": "pending", "priority": "low"}]}),
    ("webfetch", {"url": "https://example.org/a?b=c&d=[e]", "format": "markdown", "timeout": 30}),
    ("plot_points", {"points": [[0, 1.5], [2, 3]], "style": {"color": "red", "width": 2, "dashed": False}}),
]


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


# --- left alone: valid as it is, however it looks ---
for name, args in GOOD:
    call("valid", name, dumps(args), "valid")
    call("valid pretty", name, "\n" + json.dumps(args, indent=4) + "\n", "valid")
for name, arguments in [
    ("todoread", "{}"), ("todoread", " { } "),
    ("bash", '{"command":"echo \'{\\"a\\":1}\'","description":"{"}'),
    ("bash", '{"command":"cat <<EOF\\n```json\\n{\\nEOF","description":"a fence inside"}'),
    ("bash", '{"command":"echo True None \'x\',}","description":"looks like Python"}'),
    ("bash", '{"command":"true","description":"3"}'),
    ("bash", '{"command":"a","command":"b","description":"twice"}'),
    ("bash", '{"command":"sleep 1","description":"x","timeout":1e4}'),
    ("bash", '{"command":"sleep 1","description":"x","timeout":2.5}'),
    ("read", '{"filePath":"/a","limit":10.0}'),
    ("read", '{"filePath":"/a","offset":0}'),
    ("read", '{"filePath":""}'),
    ("read", '{"filePath":"{\\"filePath\\": \\"x\\"}"}'),
    ("write", '{"filePath":"/a","content":""}'),
    ("write", '{"filePath":"/a","content":"<tool_call>{\\"name\\":\\"read\\"}</tool_call>"}'),
    ("write", '{"filePath":"/a","content":"null"}'),
    ("write", '{"filePath":"/a","content":"[1,2,3]"}'),
    ("write", '{"filePath":"/a","content":"\\u00e9\\ud83d\\ude00\\u0000"}'),
    ("todowrite", '{"todos":[]}'),
    ("plot_points", '{"points":[[1,2]],"label":"3"}'),
    ("plot_points", '{"points":[[1,2]],"label":3}'),
    ("plot_points", '{"points":[[1,2]],"size":[1,2]}'),
    ("plot_points", '{"points":[],"size":12345678901234567890}'),
    ("get_weather", '{"location":"Oslo","Unit":"kelvin"}'),
    ("get_weather", '{"location":"Oslo","arguments":{"location":"Rome"}}'),
    ("get_weather", '{"location":"Oslo"}'),
]:
    call("valid odd", name, arguments, "valid")

# --- left alone: nobody can know what was meant ---
for name, args in GOOD:
    whole = dumps(args)
    inside = whole.index('": "') + 6 if '": "' in whole else len(whole) - 9
    call("cut string", name, whole[:inside], "hopeless")
    call("cut string, closed braces", name, whole[:inside] + "}", "hopeless")
    call("cut by length", name, whole[:-1], "hopeless", finish="length")
    call("cut after colon", name, whole[: whole.index(":") + 1], "hopeless")
for name, args in GOOD[:8]:
    call("cut by length, trailing comma", name, dumps(args)[:-1] + ",", "hopeless", finish="length")
    call("cut by length, python", name, repr(args)[:-1], "hopeless", finish="length")
    call("lost stream", name, dumps(args)[:-1], "hopeless", finish="")
for name, args in GOOD:
    less = dict(args)
    less.pop(next(iter(less)))
    call("missing argument", name, dumps(less), "hopeless")
for name, arguments in [
    ("read", '{"filePath": 3}'), ("read", '{"filePath": true}'), ("read", '{"filePath": null}'), ("read", '{"filePath": ["/a"]}'),
    ("read", '{"filePath": "/a", "limit": "ten"}'), ("read", '{"filePath": "/a", "limit": "1.5"}'), ("read", '{"filePath": "/a", "limit": 1.5}'),
    ("read", '{"filePath": "/a", "limit": "0"}'), ("read", '{"filePath": "/a", "offset": -1}'), ("read", '{"filePath": "/a", "limit": true}'),
    ("read", '{"filePath": "/a", "limit": "0x10"}'), ("read", '{"filePath": "/a", "limit": "10 lines"}'), ("read", '{"filePath": "/a", "limit": {}}'),
    ("write", '{"filePath": "/a", "content": {"a": 1}}'), ("write", '{"filePath": "/a", "content": ["x"]}'), ("write", '{"filePath": "/a", "content": 12}'),
    ("write", '{"file": "/a", "content": "x"}'), ("write", '{"file_path_name": "/a", "content": "x"}'), ("write", '{"path": "/a", "content": "x"}'),
    ("bash", '{"cmd": "ls", "description": "x"}'), ("bash", '{"command": "ls"}'), ("bash", '{"command": ["ls", "-l"], "description": "x"}'),
    ("bash", '{"command": "ls", "description": "x", "timeout": "soon"}'), ("bash", '{"command": "ls", "description": "x", "sudo": true}'),
    ("edit", '{"filePath": "/a", "oldString": "a", "newString": "b", "replaceAll": "yes"}'),
    ("edit", '{"filePath": "/a", "oldString": "a", "newString": "b", "replaceAll": 1}'),
    ("edit", '{"filePath": "/a", "oldString": "a"}'),
    ("webfetch", '{"url": "https://a", "format": "pdf"}'), ("webfetch", '{"url": "https://a", "format": "text", "timeout": "500"}'),
    ("todowrite", '{"todos": "everything"}'), ("todowrite", '{"todos": {"content": "a"}}'), ("todowrite", '{"todos": [{"content": "a", "status": "maybe", "priority": "low"}]}'),
    ("todowrite", '{"todos": "[{\\"content\\": \\"a"}'), ("plot_points", '{"points": [[1, 2, 3]]}'), ("plot_points", '{"points": [[1]]}'),
    ("plot_points", '{"points": "1,2"}'), ("plot_points", '{"points": [[1, "x"]]}'), ("task", '{"description": "a", "prompt": "b", "subagent_type": "other"}'),
    ("todoread", '{"x": 1}'), ("read", "/a/b.txt"), ("read", "filePath=/a"), ("read", '"/a/b.txt"'), ("read", "42"), ("read", "[]"), ("read", "true"),
    ("read", ""), ("read", "null"), ("read", "{}"), ("read", '[{"filePath": "/a"}, {"filePath": "/b"}]'), ("read", '{"filePath": "/a"}{"filePath": "/b"}'),
]:
    call("wrong arguments", name, arguments, "hopeless")
for arguments in [
    '{"command": "echo "hello"", "description": "x"}', '{"command": "echo "a", "b"", "description": "x"}', "{'command': 'echo 'hi'', 'description': 'x'}",
    "{'command': 'it's', 'description': 'x'}", '{"command": "grep \\d+ f", "description": "x"}', '{"command": "dir C:\\Users\\new", "description": "x"}',
    '{"command": "echo \\$HOME", "description": "x"}', '{"command": "ls, "description": "x"}', '{"command": "ls" "description": x}',
    '{"command": ls, "description": "x"}', '{"command": `ls`, "description": "x"}', '{"command": "a" + "b", "description": "x"}',
    '{"command": f"ls {x}", "description": "x"}', '{"command": , "description": "x"}', '{"command" "ls", "description": "x"}',
    '{"command": "ls", "description": "x", "timeout": 1_000}', '{"command": "ls", "description": "x", "timeout": NaN}',
    '{"command": "ls", "description": "x", "timeout": 01}', '{"command": "ls", "description": "x", "timeout": }', '{"command": "ls", "description": "x", "timeout"',
    '{"command": "rm -rf /tmp/x', '{"command": "rm -rf /tmp/x}', '{"command": "rm -rf /tmp/x\\"}', "{'command': 'rm -rf /tmp/x}", '{"command": "x\\u12", "description": "x"}',
    '{"command": "ls", "description": ...}', '{"command": "ls", ...}', '{"command": <command>, "description": "x"}', '{command=ls, description=x}',
    '```json\n{"command": "ls", "description": "x\n```', '"{\\"command\\": \\"ls\\", \\"description\\": \\"x', '{"command": """ls""", "description": "x"}',
]:
    call("broken beyond doubt", "bash", arguments, "hopeless")
for name, arguments in [
    ("delete_file", '{"filePath": "/a"}'), ("run", '{"command": "ls", "description": "x"}'), ("rm", '{"filePath": "/a"}'), ("todo", "{}"),
    ("exit", '{"filePath": "/a"}'), ("set_weather", '{"location": "Oslo"}'), ("bread", '{"filePath": "/a"}'), ("grip", '{"filePath": "/a"}'),
    ("", '{"filePath": "/a"}'), ("mcp__disk__read_all", '{"filePath": "/a"}'), ("read_directory", '{"filePath": "/a"}'), ("overwrite", '{"filePath": "/a", "content": "x"}'),
    ("append", '{"filePath": "/a", "content": "x"}'), ("python", '{"code": "1+1"}'), ("todoreadwrite", "{}"), ("head", '{"filePath": "/a"}'),
    ("functions", '{"filePath": "/a"}'), ("web_search", '{"url": "https://a", "format": "text"}'), ("get_whether_or_not", '{"location": "Oslo"}'), ("invalid", "{}"),
]:
    call("no such tool", name, arguments, "hopeless")

# --- repaired ---
for name, args in GOOD:
    whole = dumps(args)
    call("lost brace", name, whole[:-1], "repaired", args)
    call("double encoded", name, dumps(whole), "repaired", args)
    call("fence", name, f"```json\n{whole}\n```", "repaired", args)
    call("python", name, repr(args), "repaired", args) if "'" not in whole and "\\" not in whole else None
    call("trailing comma", name, whole[:-1] + ",}", "repaired", args)
    call("extra brace", name, whole + "}", "repaired", args)
    call("wrapped", name, dumps({"arguments": args}), "repaired", args)
    call("wrong case", name.upper(), whole, "repaired", args, name)
for name, args in [g for g in GOOD if "\\n" in dumps(g[1])]:
    call("raw newlines", name, dumps(args).replace("\\n", "\n"), "repaired", args)
for name, args in GOOD[::3]:
    whole = dumps(args)
    call("plain fence", name, f"```\n{whole}\n```", "repaired", args)
    call("fence without end", name, f"```json\n{whole}", "repaired", args)
    call("twice encoded", name, dumps(dumps(whole)), "repaired", args)
    call("wrapped in parameters", name, dumps({"parameters": args}), "repaired", args)
    call("wrapped with name", name, dumps({"name": name, "arguments": args}), "repaired", args)
    call("wrapped as text", name, dumps({"arguments": whole}), "repaired", args)
    call("closing tag", name, whole + "</tool_call>", "repaired", args)
    call("functions prefix", "functions." + name, whole, "repaired", args, name)
TODO = {"todos": [{"content": "a", "status": "pending", "priority": "low"}]}
todo = dumps(TODO)
POINTS = {"points": [[0, 1], [2, 3]], "style": {"color": "red"}}
for name, arguments, want in [
    ("todowrite", todo[:-2], TODO), ("todowrite", todo[:-3], TODO), ("todowrite", '{"todos": [{"content": "a", "status": "pending", "priority": "low"}}', TODO),
    ("todowrite", '{"todos": [{"content": "a", "status": "pending", "priority": "low"]}', TODO),
    ("todowrite", dumps({"todos": dumps(TODO["todos"])}), TODO), ("todowrite", '{"todos": "[{\'content\': \'a\', \'status\': \'pending\', \'priority\': \'low\'}]"}', TODO),
    ("todowrite", '{"todos": [{"content": "a", "status": "pending"}]}', {"todos": [{"content": "a", "status": "pending", "priority": "medium"}]}),
    ("todowrite", '{"TODOS": [{"Content": "a", "status": "pending", "priority": "low"}]}', TODO),
    ("plot_points", '{"points": "[[0, 1], [2, 3]]", "style": "{\\"color\\": \\"red\\"}"}', POINTS), ("plot_points", '{"points": [["0", "1"], [2, "3"]], "style": {"color": "red"}}', POINTS),
    ("plot_points", '{"points": [[0, 1], [2, 3]], "style": {"color": "red", "width": "2", "dashed": "true"}}', {**POINTS, "style": {"color": "red", "width": 2, "dashed": True}}),
    ("plot_points", '{"points": [[0,1],[2,3],],"style":{"color":"red",},}', POINTS), ("plot_points", '{"points": [[0, 1], [2, 3]], "style": {"color": "red"}', POINTS),
    ("plot_points", '{"points": [[0, 1], [2, 3], "style": {"color": "red"}}', None), ("plot_points", '{"points": [], "size": "7"}', {"points": [], "size": 7}),
    ("plot_points", '{"points": [], "size": "[7, 8]"}', {"points": [], "size": [7, 8]}), ("plot_points", '{"points": [], "size": ["7"]}', {"points": [], "size": [7]}),
    ("read", '{"filePath": "/a", "limit": "10"}', {"filePath": "/a", "limit": 10}), ("read", '{"filePath": "/a", "limit": " 10 "}', {"filePath": "/a", "limit": 10}),
    ("read", '{"filepath": "/a"}', {"filePath": "/a"}), ("read", '{"FilePath": "/a", "LIMIT": "3"}', {"filePath": "/a", "limit": 3}), ("read", '{"filePath": "3", "limit": "3"}', {"filePath": "3", "limit": 3}),
    ("read", "{filePath: '/a', limit: 3}", {"filePath": "/a", "limit": 3}), ("read", '{"filePath": "/a", // the file\n "limit": 3}', {"filePath": "/a", "limit": 3}),
    ("read", '{}{"filePath": "/a"}', {"filePath": "/a"}), ("read", '[{"filePath": "/a"}]', {"filePath": "/a"}), ("read", '{\\"filePath\\": \\"/a\\", \\"limit\\": 3}', {"filePath": "/a", "limit": 3}),
    ("read", '{"input": {"filePath": "/a"}}', {"filePath": "/a"}), ("read", '{"function": {"name": "read", "arguments": {"filePath": "/a"}}}', {"filePath": "/a"}),
    ("read", '{"name": "read", "parameters": "{\\"filePath\\": \\"/a\\"}"}', {"filePath": "/a"}), ("read", '{"filePath": "/a", "limit": 3}}}', {"filePath": "/a", "limit": 3}),
    ("read", '```json {"filePath": "/a"} ```', {"filePath": "/a"}), ("read", '`{"filePath": "/a"}`', {"filePath": "/a"}), ("read", '{"filePath": "/a"}\n```', {"filePath": "/a"}),
    ("read", '{"filePath": "/a", "limit": 3', {"filePath": "/a", "limit": 3}), ("read", "{'filePath': '/a', 'limit': 3}", {"filePath": "/a", "limit": 3}), ("read", "{'filePath': \"it's\"}", {"filePath": "it's"}),
    ("edit", "{'filePath': '/a', 'oldString': 'x', 'newString': 'y', 'replaceAll': False}", {"filePath": "/a", "oldString": "x", "newString": "y", "replaceAll": False}),
    ("edit", '{"filePath": "/a", "oldString": "x", "newString": "y", "replaceAll": True}', {"filePath": "/a", "oldString": "x", "newString": "y", "replaceAll": True}),
    ("edit", '{"filePath": "/a", "oldString": "x", "newString": "y", "replaceAll": "true"}', {"filePath": "/a", "oldString": "x", "newString": "y", "replaceAll": True}),
    ("edit", '{"filePath": "/a", "oldString": "it\\\'s", "newString": "y"}', {"filePath": "/a", "oldString": "it's", "newString": "y"}),
    ("edit", '{"filePath": "/a", "oldString": "\tx", "newString": "y"}', {"filePath": "/a", "oldString": "\tx", "newString": "y"}),
    ("task", '{"description": "a", "prompt": "b"}', {"description": "a", "prompt": "b", "subagent_type": "general"}),
    ("task", '{"description": "a", "prompt": "b",', None), ("todoread", "", {}), ("todoread", "null", {}), ("todoread", "  ", {}), ("todoread", '""', None), ("todoread", "```json\n{}\n```", {}),
    ("webfetch", '{"url": "https://a", "format": "text", "timeout": "20"}', {"url": "https://a", "format": "text", "timeout": 20}),
    ("webfetch", '{"url": "https://a", "format": "text", "timeout": "2.5"}', {"url": "https://a", "format": "text", "timeout": 2.5}),
    ("bash", '{"command": "a\nb\tc", "description": "x"}', {"command": "a\nb\tc", "description": "x"}), ("bash", '{"Command": "ls", "Description": "x"}', {"command": "ls", "description": "x"}),
    ("bash", '{"command": "ls", "description": "x", "timeout": "1000"', {"command": "ls", "description": "x", "timeout": 1000}),
]:
    if want is None and arguments == '""':
        call("several", name, arguments, "repaired", {})
    elif want is None:
        call("broken beyond doubt", name, arguments, "hopeless")
    else:
        call("several", name, arguments, "repaired", want)
READ = {"filePath": "/a"}
for wrong, right, args in [
    ("Read", "read", READ), ("READ", "read", READ), (" read ", "read", READ), ("raed", "read", READ), ("reads", "read", READ), ("reed", "read", READ), ("read_tool", "read", READ), ("tool_read", "read", READ),
    ("ReadTool", "read", READ), ("`read`", "read", READ), ("read()", "read", READ), ("functions:read", "read", READ), ("functions.read:0", "read", READ), ("read<|channel|>commentary", "read", READ),
    ("todo_write", "todowrite", TODO), ("TodoWrite", "todowrite", TODO), ("todo-write", "todowrite", TODO), ("todowrites", "todowrite", TODO), ("todowrit", "todowrite", TODO),
    ("web_fetch", "webfetch", {"url": "https://a", "format": "text"}), ("WebFetch", "webfetch", {"url": "https://a", "format": "text"}), ("webfecth", "webfetch", {"url": "https://a", "format": "text"}),
    ("getWeather", "get_weather", {"location": "Oslo"}), ("get-weather", "get_weather", {"location": "Oslo"}), ("GetWeather", "get_weather", {"location": "Oslo"}), ("get_wether", "get_weather", {"location": "Oslo"}),
    ("plotPoints", "plot_points", {"points": []}), ("plot_point", "plot_points", {"points": []}), ("plot points", "plot_points", {"points": []}), ("default_api.read", "read", READ),
]:
    call("tool name", wrong, dumps(args), "repaired", args, right)

# --- calls in the text ---
FEW = [GOOD[0], GOOD[3], GOOD[6], GOOD[7], GOOD[9], GOOD[12]]


def scalar(value):
    return value if isinstance(value, str) else dumps(value)


def glm(name, args, gap=""):
    return f"<tool_call>{name}{gap}" + "".join(f"<arg_key>{k}</arg_key>{gap}<arg_value>{scalar(v)}</arg_value>{gap}" for k, v in args.items()) + "</tool_call>"


def qwen(name, args):
    return f"<function={name}>\n" + "".join(f"<parameter={k}>\n{scalar(v)}\n</parameter>\n" for k, v in args.items()) + "</function>"


def invoke(name, args):
    return f'<invoke name="{name}">\n' + "".join(f'<parameter name="{k}">{scalar(v)}</parameter>\n' for k, v in args.items()) + "</invoke>"


BEGIN, END, SEP = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>"
for name, args in FEW:
    body = dumps({"name": name, "arguments": args})
    want = [[name, args]]
    text("tool_call", f"<tool_call>\n{body}\n</tool_call>", want)
    text("tool_call after text", f"I will look.\n\n<tool_call>{body}</tool_call>\n", want)
    text("tool_call, lost brace", f"<tool_call>\n{body[:-1]}\n</tool_call>", want)
    text("tool_call without end", f"Let me see: <tool_call>\n{body}", want)
    text("parameters", f"<tool_call>{dumps({'name': name, 'parameters': args})}</tool_call>", want)
    text("glm", glm(name, args), want)
    text("glm with lines", "Sure.\n" + glm(name, args, "\n"), want)
    text("qwen3 coder", f"<tool_call>\n{qwen(name, args)}\n</tool_call>", want)
    text("qwen3 coder without tool_call", f"I'll do it now.\n{qwen(name, args)}\n</tool_call>", want)
    text("invoke", f"<function_calls>\n{invoke(name, args)}\n</function_calls>", want)
    text("mistral", f"[TOOL_CALLS][{body}]", want)
    text("mistral with args", f"[TOOL_CALLS]{name}[ARGS]{dumps(args)}", want)
    text("deepseek", f"<｜tool▁calls▁begin｜>{BEGIN}function{SEP}{name}\n```json\n{dumps(args)}\n```{END}<｜tool▁calls▁end｜>", want)
    text("deepseek 3.1", f"<｜tool▁calls▁begin｜>{BEGIN}{name}{SEP}{dumps(args)}{END}<｜tool▁calls▁end｜>", want)
    text("harmony", f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{dumps(args)}<|call|>", want)
    text("harmony with start", f"<|start|>assistant<|channel|>commentary to=functions.{name}<|message|>{dumps(args)}", want)
    text("kimi", f"<|tool_calls_section_begin|><|tool_call_begin|>functions.{name}:0<|tool_call_argument_begin|>{dumps(args)}<|tool_call_end|><|tool_calls_section_end|>", want)
    text("fenced", f"```json\n{body}\n```", want)
    text("cut", f"<tool_call>\n{body[:-6]}", None, "length")
    text("cut qwen", f"<tool_call>\n{qwen(name, args)[:-22]}", None, "length")
    text("cut mistral", f"[TOOL_CALLS]{name}[ARGS]{dumps(args)[:-1]}", None, "length")
    text("in a fence", f"For instance:\n```xml\n<tool_call>\n{body}\n</tool_call>\n```\nThat is how it looks.", None)
    text("in code", f"It would send `<tool_call>{body}</tool_call>` then.", None)
    text("talk around", f"<tool_call>\n{body}\n</tool_call>\n\nThis is what such a call looks like.", None)
R = '{"name": "read", "arguments": {"filePath": "/a"}}'
G = '{"name": "glob", "arguments": {"pattern": "*"}}'
for shape, body, want in [
    ("two calls", f"<tool_call>{R}</tool_call>\n<tool_call>{G}</tool_call>", [["read", READ], ["glob", {"pattern": "*"}]]),
    ("two in a list", f"[TOOL_CALLS] [{R}, {G}]", [["read", READ], ["glob", {"pattern": "*"}]]), ("two in one tag", f"<tool_call>[{R}, {G}]</tool_call>", [["read", READ], ["glob", {"pattern": "*"}]]),
    ("two qwen", qwen("read", READ) + "\n" + qwen("glob", {"pattern": "*"}), [["read", READ], ["glob", {"pattern": "*"}]]),
    ("python dict", "<tool_call>\n{'name': 'read', 'arguments': {'filePath': '/a'}}\n</tool_call>", [["read", READ]]),
    ("arguments as text", '<tool_call>{"name": "read", "arguments": "{\\"filePath\\": \\"/a\\"}"}</tool_call>', [["read", READ]]),
    ("wrong case", '<tool_call>{"name": "Read", "arguments": {"filepath": "/a"}}</tool_call>', [["read", READ]]),
    ("function_call", f"<function_call>{R}</function_call>", [["read", READ]]), ("tools tag", f"<tools>\n{R}\n</tools>", [["read", READ]]), ("python_tag", '<|python_tag|>{"name": "read", "parameters": {"filePath": "/a"}}', [["read", READ]]),
    ("phi", f"<|tool_call|>[{R}]<|/tool_call|>", [["read", READ]]), ("bare", R, [["read", READ]]), ("bare list", f"[{R}]", [["read", READ]]), ("end of turn", f"<tool_call>{R}</tool_call><|im_end|>", [["read", READ]]),
    ("no arguments", '<tool_call>{"name": "todoread", "arguments": {}}</tool_call>', [["todoread", {}]]), ("no arguments glm", "<tool_call>todoread</tool_call>", [["todoread", {}]]), ("no arguments qwen", "<function=todoread>\n</function>", [["todoread", {}]]),
    ("closer inside", '<tool_call>{"name": "write", "arguments": {"filePath": "/a", "content": "</tool_call>"}}</tool_call>', [["write", {"filePath": "/a", "content": "</tool_call>"}]]),
    ("closer inside qwen", qwen("write", {"filePath": "/a", "content": "<p>\n</parameter> and </function>\n</p>"}), [["write", {"filePath": "/a", "content": "<p>\n</parameter> and </function>\n</p>"}]]),
    ("numbers qwen", "<function=read>\n<parameter=filePath>\n/a\n</parameter>\n<parameter=limit>\n20\n</parameter>\n</function>", [["read", {"filePath": "/a", "limit": 20}]]),
    ("digits for a string", glm("write", {"filePath": "/a", "content": "42"}), [["write", {"filePath": "/a", "content": "42"}]]),
    ("after thinking", f"</think>\n\n<tool_call>{R}</tool_call>", [["read", READ]]), ("chinese", f"我来看看。<tool_call>{R}</tool_call>", [["read", READ]]),
    ("dsml", '<｜DSML｜function_calls>\n<｜DSML｜invoke name="read">\n<｜DSML｜parameter name="filePath" string="true">/a</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>', [["read", READ]]),
    ("mistral name", '[TOOL_CALLS]read{"filePath": "/a"}', [["read", READ]]), ("mistral id", '[TOOL_CALLS]read[CALL_ID]abc123def[ARGS]{"filePath": "/a"}', [["read", READ]]),
    ("talk", "Use the <tool_call> tag to call a tool.", None), ("talk", "Models write <tool_call>{\"name\": ...}</tool_call> when they call.", None), ("talk", "<tool_call>", None), ("talk", "<tool_call> is the opening tag.", None),
    ("talk", "The tags <tool_call> and </tool_call> surround JSON.", None), ("talk", '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>', None), ("talk", '<tool_call>{"name": "function_name", "arguments": {}}</tool_call>', None),
    ("talk", "[TOOL_CALLS] is Mistral's token.", None), ("talk", "Mistral writes [TOOL_CALLS][{\"name\": ...}].", None), ("talk", "See [TOOL_CALLS] above", None), ("talk", "<|channel|>final<|message|>Done.", None),
    ("talk", "In harmony, <|channel|>commentary to=functions.x is a header.", None), ("talk", "<function=foo> is how Qwen3-Coder calls foo.", None), ("talk", "template <function=read> code", None),
    ("talk", "DeepSeek's <｜tool▁calls▁begin｜> begins a list.", None), ("talk", f"you would write <tool_call>{R}</tool_call>", None), ("talk", f"1. `<tool_call>`\n2. `{R}`\n3. `</tool_call>`", None),
    ("json answer", '{"name": "Alice", "arguments": 3}', None), ("json answer", '{"name": "read"}', None), ("json answer", '{"name": "read", "description": "Reads", "parameters": {"type": "object", "properties": {"filePath": {"type": "string"}}}}', None),
    ("json answer", '```json\n{"name": "read", "version": "1.0.0"}\n```', None), ("json answer", '```json\n{"name": "localcode", "arguments": []}\n```', None), ("json answer", f"Here is an example:\n```json\n{R}\n```", None), ("json answer", f"```json\n{R}\n```\nThis reads a file.", None),
    ("json answer", '[1, 2, 3]', None), ("json answer", '{"a": {"b": 1}}', None), ("code", "```python\nprint('<tool_call>')\n```", None), ("code", "```cpp\nstd::vector<function=read> v;\n```", None), ("definition", '<tools>\n{"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}\n</tools>', None),
    ("html", "<p>read</p> <function>read</function> <tools>hammer</tools>", None), ("markdown", "[read](file.md) and [x]: <y>", None), ("plain", "I read the file /a. It has 3 lines.", None), ("plain", "a < b && c > d", None), ("plain", "{", None), ("plain", "```", None), ("plain", "<", None),
    ("unknown tool", '<tool_call>{"name": "fly", "arguments": {}}</tool_call>', None), ("unknown tool", "<tool_call>fly<arg_key>to</arg_key><arg_value>moon</arg_value></tool_call>", None), ("unknown tool", "<function=fly>\n</function>", None), ("unknown tool", '[TOOL_CALLS]fly[ARGS]{}', None),
    ("lost parameter end", "<function=write>\n<parameter=filePath>\n/a\n<parameter=content>\nx\n</function>", None), ("cut string", '<tool_call>{"name": "bash", "arguments": {"command": "rm -rf /tmp', None), ("cut string", '<tool_call>{"name": "bash", "arguments": {"command": "rm -rf /tmp</tool_call>', None),
]:
    text(shape, body, want)

alone = sum(case["expect"] in ("valid", "hopeless", "text") for case in cases)
print(f"{len(cases)} cases, {alone} of them to be left alone")
with open(HERE / "broken_calls.jsonl", "w", encoding="utf-8") as out:
    for case in cases:
        out.write(json.dumps(case, ensure_ascii=False) + "\n")
