#!/usr/bin/env python3
"""What a stored KV state saves: time to the first token of a prompt that the machine has seen, beside the same engine cold and
beside a bare llama-server that restores a slot file, all in one run.

    bench/states.py --bin BUILD/src/localcode --engine BUILD/engine/localcode-engine --server LLAMA/bin/llama-server
                    --model MODEL.gguf [--tokens 7000] [--context 16384] [--rounds 3]

The prompt has as many tokens as OpenCode's first request (system text, tools rendered into it, a question).
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def post(port, path, body, headers=()):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(),
                                     {"content-type": "application/json", **dict(headers)})
    with urllib.request.urlopen(request, timeout=3600) as answer:
        return json.loads(answer.read())


def text(words, seed):
    pool = "read write file folder project test module function answer line number path result value string check".split()
    return " ".join(pool[(i * 7 + seed * i // 3 + seed) % len(pool)] for i in range(words))


def messages(system_words, user):
    return [{"role": "system", "content": "You are a coding agent. " + text(system_words, 1)}, {"role": "user", "content": user}]


def first_token(port, msgs, session="s", max_tokens=4, **more):
    """Seconds to the first token, and the usage."""
    body = {"messages": msgs, "max_tokens": max_tokens, "temperature": 0, "stream": True,
            "stream_options": {"include_usage": True}, **more}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body).encode(),
                                     {"content-type": "application/json", "x-session-id": session})
    began, first, usage = time.perf_counter(), None, None
    with urllib.request.urlopen(request, timeout=3600) as answer:
        for line in answer:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if first is None and any(c.get("delta", {}).get("content") for c in event.get("choices", [])):
                first = time.perf_counter() - began
            usage = event.get("usage") or usage
    return first if first is not None else time.perf_counter() - began, usage


class Process:
    def __init__(self, args, env, log, port):
        self.port = port
        self.log = open(log, "ab")
        self.process = subprocess.Popen(args, env=env, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        for _ in range(2400):
            if self.process.poll() is not None:
                sys.exit(f"{args[0]} ended with {self.process.returncode}; see {log}")
            with contextlib.suppress(OSError):
                if json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5))["status"] == "ok":
                    return
            time.sleep(0.05)
        sys.exit(f"{args[0]} did not come up")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()


def gateway(args, folder, slots, preload=True, engine=None, kv=True, extra=""):
    port = free_port()
    config = folder / f"config-{port}.toml"
    config.write_text(f'[server]\npreload = {json.dumps(["m"] if preload else [])}\n[log]\nrequests = false\n[kv]\nenabled = {"true" if kv else "false"}\n'
                      f'[[model]]\nname = "m"\npath = "{args.model}"\nslots = {slots}\ncontext = {args.context}\n{extra}\n')
    env = {**os.environ, "LOCALCODE_ENGINE": engine or args.engine, "XDG_RUNTIME_DIR": str(folder / "run"), "HOME": str(folder)}
    process = Process([args.bin, "serve", "--config", str(config), "--port", str(port), "--state-dir", str(folder / "state")], env, folder / "log", port)
    wait_ready(process)
    return process


def wait_ready(process):
    """The engine too, with a request of its own session that nothing is kept of."""
    first_token(process.port, [{"role": "user", "content": "hi"}], "warm", 1, localcode={"cache": "off"})


def stored_states(process):
    with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/metrics") as answer:
        return next((float(line.split()[-1]) for line in answer.read().decode().splitlines()
                     if line.startswith("localcode_kv_save_seconds_count")), 0.0)


def wait_saved(process, count):
    for _ in range(1200):
        if stored_states(process) >= count:
            return
        time.sleep(0.05)
    sys.exit("the state was not saved")


def bare(args, folder, slots):
    port = free_port()
    (folder / "slots").mkdir(exist_ok=True)
    command = [args.server, "--model", args.model, "--host", "127.0.0.1", "--port", str(port), "-c", str(args.context * slots), "-np", str(slots),
               "--no-kv-unified", "-b", "512", "-ub", "512", "-fa", "on", "--no-cache-idle-slots", "--cache-ram", "0", "--jinja", "--slot-save-path",
               str(folder / "slots") + "/", *args.server_args.split()]
    return Process(command, dict(os.environ), folder / "bare.log", port)


def row(name, seconds, cold, base):
    print(f"| {name} | {statistics.median(seconds) * 1000:.0f} | {cold / statistics.median(seconds):.0f} | "
          f"{statistics.median(seconds) / base:.2f} |" if base else
          f"| {name} | {statistics.median(seconds) * 1000:.0f} | {cold / statistics.median(seconds):.0f} | |", flush=True)


def bench_restarts(args, folder):
    """Figure 1: the first request again after restarts and swaps."""
    prompt = messages(args.words, "Read a.txt and tell me what it says")
    server = bare(args, folder, 2)
    cold, usage = first_token(server.port, prompt, id_slot=0)
    post(server.port, "/slots/0?action=save", {"filename": "s.bin"})
    base = []
    for _ in range(args.rounds):
        post(server.port, "/slots/0?action=erase", {})
        began = time.perf_counter()
        post(server.port, "/slots/0?action=restore", {"filename": "s.bin"})
        restore = time.perf_counter() - began
        seconds, used = first_token(server.port, prompt, id_slot=0)
        base.append(restore + seconds)
    memory = [first_token(server.port, prompt, id_slot=0)[0] for _ in range(args.rounds)]
    server.stop()
    base_s = statistics.median(base)
    reused = used["prompt_tokens_details"]["cached_tokens"]
    windowed = reused < usage["prompt_tokens"] // 2  # stock servers cannot restore sliding windows
    if windowed:
        base_s = statistics.median(memory)
    print(f"\nPrompt of {usage['prompt_tokens']} tokens, {args.rounds} rounds, median; "
          f"base: {'reuse in memory' if windowed else 'bare slot restore, then the request'} of a llama-server in this run\n")
    print("| first token after | ms | cold / this | this / base |\n|---|---|---|---|")
    row("cold prefill (bare llama-server)", [cold], cold, base_s)
    row("bare llama-server, slot restore and request", base, cold, base_s)
    row("bare llama-server, still in memory", memory, cold, base_s)
    for name, engine in (("localcode-engine", args.engine), ("stock llama-server", args.server)):
        if windowed and engine == args.server:
            print(f"| {name}: cannot keep states of sliding windows | | | |", flush=True)
            continue
        shutil.rmtree(folder / "state", ignore_errors=True)
        process = gateway(args, folder, 2, engine=engine)
        first_token(process.port, prompt, "a")
        wait_saved(process, 1)
        restarts = []
        for _ in range(args.rounds):
            process.stop()
            process = gateway(args, folder, 2, engine=engine)
            restarts.append(first_token(process.port, prompt, "a")[0])
        row(f"{name}: gateway and engine restarted", restarts, cold, base_s)
        taken = []
        for r in range(args.rounds):
            for other in range(7):
                first_token(process.port, messages(40, f"other {other} {r}"), f"o{other}-{r}", 1)
            time.sleep(0.5)
            taken.append(first_token(process.port, prompt, "a")[0])
        row(f"{name}: slot given to 7 other sessions", taken, cold, base_s)
        second = first_token(process.port, messages(args.words, "Another question in the same project"), "b")
        own = second[1]["prompt_tokens"] - second[1]["prompt_tokens_details"]["cached_tokens"]
        row(f"{name}: a second session of the project ({own} tokens prefilled)", [second[0]], cold, base_s)
        process.stop()


def bench_turns(args, folder):
    """Figure 4: sessions taking turns."""
    print("\n| 8 sessions taking turns, 3 turns each | s | against --cache-ram off |\n|---|---|---|")
    words = args.words // 6

    def play(port, **more):
        began = time.perf_counter()
        history = {s: messages(words // 5, f"I am session {s}. " + text(words, s + 2)) for s in range(8)}
        for turn in range(3):
            for s in range(8):
                first_token(port, history[s], f"t{s}", 4, **more)
                history[s] = history[s] + [{"role": "assistant", "content": "Done."}, {"role": "user", "content": f"Next step {turn}, please."}]
        return time.perf_counter() - began
    results = {}
    for name, slots, extra in (("llama-server, 2 slots, --cache-ram off", 2, "--cache-ram 0"), ("llama-server, 2 slots, --cache-ram on", 2, "--cache-ram 4096"),
                               ("llama-server, 8 slots", 8, "--cache-ram 0")):
        args.server_args = extra
        server = bare(args, folder, slots)
        results[name] = play(server.port)
        server.stop()
    args.server_args = ""
    shutil.rmtree(folder / "state", ignore_errors=True)
    process = gateway(args, folder, 2)
    results["LocalCode, 2 slots"] = play(process.port)
    process.stop()
    base = results["llama-server, 2 slots, --cache-ram off"]
    for name, seconds in results.items():
        print(f"| {name} | {seconds:.1f} | {seconds / base:.2f} |", flush=True)


def bench_stall(args, folder):
    """Figure 5: how long a running stream stalls while another slot is saved or restored."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    process = gateway(args, folder, 3)
    prompt = messages(args.words // 2, "a question")
    for s in ("x", "y"):
        first_token(process.port, prompt[:1] + [{"role": "user", "content": f"session {s}"}], s)
    time.sleep(1)

    def gaps(disturb):
        stop, seen = threading.Event(), []

        def stream():
            body = {"messages": [{"role": "user", "content": "Write a long story."}], "max_tokens": 400, "stream": True, "ignore_eos": True, "temperature": 0}
            request = urllib.request.Request(f"http://127.0.0.1:{process.port}/v1/chat/completions", json.dumps(body).encode(),
                                             {"content-type": "application/json", "x-session-id": "story"})
            with urllib.request.urlopen(request, timeout=3600) as answer:
                last = None
                for line in answer:
                    if line.startswith(b"data: {"):
                        now = time.perf_counter()
                        if last is not None:
                            seen.append(now - last)
                        last = now
            stop.set()
        thread = threading.Thread(target=stream)
        thread.start()
        turn = 0
        while disturb and not stop.is_set():
            # Each takes the other's slot or comes back to its own: restored, answered with one token, saved.
            first_token(process.port, prompt[:1] + [{"role": "user", "content": f"session {'xyz'[turn % 3]}"}], "xyz"[turn % 3], 1)
            turn += 1
            time.sleep(0.3)
        thread.join()
        return sorted(seen)
    print("\n| gap between tokens of a running stream | p50 ms | p99 ms | max ms |\n|---|---|---|---|")
    for name, disturb in (("alone", False), ("while other slots are restored and saved", True)):
        g = gaps(disturb)
        print(f"| {name} | {g[len(g) // 2] * 1000:.1f} | {g[int(len(g) * 0.99)] * 1000:.1f} | {g[-1] * 1000:.1f} |", flush=True)
    process.stop()


def main():
    parser = argparse.ArgumentParser()
    for name in ("bin", "engine", "server", "model"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--words", type=int, default=6400, help="of the system text: about a token each")
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="restarts,turns,stall")
    args = parser.parse_args()
    args.server_args = ""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lcb"))
    (folder / "run").mkdir(mode=0o700)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    print(f"{datetime.date.today()}, {os.cpu_count()} cores ({cpu}), {pathlib.Path(args.model).name}")
    try:
        for name, run in (("restarts", bench_restarts), ("turns", bench_turns), ("stall", bench_stall)):
            if name in args.only.split(","):
                run(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
