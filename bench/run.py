#!/usr/bin/env python3
"""`make bench`: what LocalCode adds to a request, beside nginx and a direct connection, all in one run.

    bench/run.py --bin BUILD/src/localcode --backend BUILD/bench/bench_backend --load BUILD/bench/bench_load [--quick]

An OpenCode-like request (31 kB, made here) goes to a backend that answers at once: directly, through nginx (proxy_pass,
keep-alive, no buffering) and through LocalCode, at 1, 8 and 32 connections, streamed and not. The ways take turns, several
rounds; the median round is shown. CPU per request is the CPU time of the process in between. Then 1,000 streams at 50
tokens/s, and memory.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request


def request_body(stream, **more):
    """31 kB like OpenCode's main request: a system message, a question, ten tools; all text made up."""
    words = "the tool reads files and folders below the project and answers with lines numbered from one ".split()

    def text(size, seed):
        out, i = [], seed
        while sum(map(len, out)) + len(out) < size:
            out.append(words[i * 7 % len(words)])
            i += 1
        return " ".join(out)
    tools = [{"type": "function", "function": {"name": f"tool_{i}", "description": text(1600, i), "parameters": {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": False,
        "required": ["path"], "properties": {f"field_{j}": {"type": "string", "description": text(60, j)} for j in range(3)}}}}
        for i in range(10)]
    body = {"model": "bench", "max_tokens": 32000, "temperature": 0.5,
            "messages": [{"role": "system", "content": text(9600, 3)}, {"role": "user", "content": "\"Read a.txt and tell me what it says\""}],
            "tools": tools, "tool_choice": "auto", "stream": stream, **({"stream_options": {"include_usage": True}} if stream else {}), **more}
    return json.dumps(body, separators=(",", ":")).encode()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def cpu_seconds(pids):
    """CPU time so far: the kernel's nanoseconds where it counts them, else clock ticks of 10 ms."""
    total = 0.0
    for pid in pids:
        tasks = list(pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))
        spent = sum(int(t.read_text().split()[0]) for t in tasks) / 1e9 if tasks else 0
        if not spent:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        total += spent
    return total


def rss_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def children(pid):
    return [int(p) for t in pathlib.Path(f"/proc/{pid}/task").glob("*/children") for p in t.read_text().split()]


class Bench:
    def __init__(self, args, folder, stack):
        self.args, self.folder, self.stack = args, folder, stack
        self.bodies = {}
        for stream in (False, True):
            path = folder / f"body-{stream}.json"
            path.write_bytes(request_body(stream))
            self.bodies[stream] = path
        self.ports, self.pids, self.paths = {"direct": free_port()}, {"direct": []}, {}
        self.backend = self.start([args.backend, str(self.ports["direct"])], self.ports["direct"])

    def start(self, command, port, env=None):
        log = open(self.folder / f"{pathlib.Path(command[0]).name}-{port}.log", "wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)

        def end():
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
                return
            process.kill()
            process.wait()
        self.stack.callback(end)
        wait_port(port, process)
        return process

    def add_nginx(self, name="nginx"):
        if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"):
            sys.exit("nginx is missing; tools/setup/packages.sh bench installs it")
        port = free_port()
        temp = "\n".join(f"  {k}_temp_path {self.folder}/nginx-{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.folder / f"{name.replace(' ', '-')}.conf"
        conf.write_text(f"""
daemon off; worker_processes 1; pid {conf}.pid; error_log {self.folder}/nginx-error.log warn;
events {{ worker_connections 4096; }}
http {{
{temp}
  access_log off; client_max_body_size 64m; client_body_buffer_size 128k; keepalive_requests 1000000; tcp_nodelay on;
  upstream backend {{ server 127.0.0.1:{self.ports['direct']}; keepalive 1200; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
""")
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        process = self.start([program, "-e", str(self.folder / "nginx-error.log"), "-c", str(conf)], port)
        time.sleep(0.2)  # for its worker
        self.ports[name], self.pids[name] = port, [process.pid, *children(process.pid)]

    def add_localcode(self, name, settings):
        port = free_port()
        home = self.folder / name.replace(" ", "-").replace(",", "")
        (home / "run").mkdir(parents=True)
        os.chmod(home / "run", 0o700)
        (home / "config.toml").write_text(
            f'{settings}\n[[backend]]\nname = "bench"\nurl = "http://127.0.0.1:{self.ports["direct"]}/v1"\nmodels = ["bench"]\n')
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
        process = self.start([self.args.bin, "serve", "--config", str(home / "config.toml"), "--port", str(port),
                              "--state-dir", str(home / "state")], port, env)
        for _ in range(200):
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/health").status == 200:
                    break
            time.sleep(0.05)
        self.ports[name], self.pids[name] = port, [process.pid]
        return process.pid

    def load_command(self, way, body, connections, *more):
        path = ["--path", self.paths[way]] if way in self.paths else []
        return [self.args.load, str(self.ports[way]), str(body), str(connections), *map(str, more), *path]

    def load(self, way, body, connections, *more):
        before = cpu_seconds(self.pids[way])
        done = subprocess.run(self.load_command(way, body, connections, *more), capture_output=True, text=True)
        if not done.stdout.strip():
            sys.exit(f"bench_load failed: {done.stderr}")
        result = json.loads(done.stdout)
        result["cpu_us"] = (cpu_seconds(self.pids[way]) - before) * 1e6 / max(1, result["requests"])
        return result


def latency(bench, ways, rounds, requests):
    rows, errors = [], 0
    for stream in (False, True):
        for connections in (1, 8, 32):
            seen = {way: [] for way in ways}
            for round_ in range(rounds):
                order = ways[round_ % len(ways):] + ways[:round_ % len(ways)]
                for way in order:
                    seen[way].append(bench.load(way, bench.bodies[stream], connections, requests))
            median = {}
            for way in ways:
                errors += sum(r["errors"] for r in seen[way])
                median[way] = {k: statistics.median(r[k] for r in seen[way]) for k in ("p50_us", "p99_us", "cpu_us")}
                median[way]["rps"] = statistics.median(r["requests"] / r["seconds"] for r in seen[way])
            rows.append((stream, connections, median))
            print(f"  {'stream' if stream else 'whole'} x{connections} done", file=sys.stderr, flush=True)
    return rows, errors


def print_latency(rows, ways):
    print("| answer | connections | through | p50 ms | p99 ms | added p50 ms | CPU us/request | requests/s | added p50 / nginx | CPU / nginx |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for stream, connections, median in rows:
        for way in ways:
            m = median[way]
            added = m["p50_us"] - median["direct"]["p50_us"]
            nginx_added = median["nginx"]["p50_us"] - median["direct"]["p50_us"]
            proxy = way not in ("direct", "nginx")
            print(f"| {'streamed' if stream else 'whole'} | {connections} | {way} | {m['p50_us'] / 1e3:.3f} | {m['p99_us'] / 1e3:.3f} | "
                  f"{added / 1e3:.3f} | {'' if way == 'direct' else format(m['cpu_us'], '.0f')} | {m['rps']:.0f} | "
                  f"{format(added / nginx_added, '.2f') if proxy and nginx_added > 0 else ''} | "
                  f"{format(m['cpu_us'] / median['nginx']['cpu_us'], '.2f') if proxy else ''} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("bin", "backend", "load"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--quick", action="store_true", help="few requests and 100 streams: to see that it works")
    args = parser.parse_args()
    rounds, requests, streams, stream_seconds = (2, 200, 100, 4) if args.quick else (5, 2000, 1000, 20)

    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lcb")))
        bench = Bench(args, folder, stack)
        bench.add_nginx()
        local = bench.add_localcode("LocalCode", "")
        quiet = "LocalCode, console log off"
        bench.add_localcode(quiet, "[log]\nrequests = false")
        # The same gateway, but a path that it only passes through: no look into the request or the answer.
        tunnel = "LocalCode, passed through"
        bench.ports[tunnel], bench.pids[tunnel] = bench.ports[quiet], bench.pids[quiet]
        bench.paths[tunnel] = "/upstream/bench/chat/completions"
        time.sleep(1)
        idle = rss_kb(local)
        ways = ["direct", "nginx", tunnel, quiet, "LocalCode"]
        cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
        print(f"{datetime.date.today()}, {os.cpu_count()} cores ({cpu}), request {len(request_body(True))} bytes, "
              f"{rounds} rounds of {requests} requests, median round\n", flush=True)
        rows, errors = latency(bench, ways, rounds, requests)
        print_latency(rows, ways)

        tokens = 50 * stream_seconds
        body = folder / "rate.json"
        body.write_bytes(request_body(True, bench_rate=50, bench_tokens=tokens))
        print(f"\n{streams} streams at 50 tokens/s for {stream_seconds} s:\n")
        print("| through | errors | seconds | CPU us/token | peak kB/stream |")
        print("|---|---|---|---|---|")
        # Fresh processes, so that memory is that of the streams alone.
        bench.add_nginx("nginx, fresh")
        for way in (quiet, tunnel):
            bench.add_localcode(f"{way}, fresh", "[log]\nrequests = false")
        bench.paths[f"{tunnel}, fresh"] = bench.paths[tunnel]
        for way in ("direct", "nginx, fresh", f"{tunnel}, fresh", f"{quiet}, fresh"):
            pids = bench.pids[way]
            before = cpu_seconds(pids), sum(map(rss_kb, pids))
            load = subprocess.Popen(bench.load_command(way, body, streams, "--tokens", tokens), stdout=subprocess.PIPE, text=True)
            peak = before[1]
            while load.poll() is None:
                peak = max(peak, sum(map(rss_kb, pids)))
                time.sleep(0.2)
            result = json.loads(load.stdout.read())
            errors += result["errors"]
            spent = (cpu_seconds(pids) - before[0]) * 1e6 / (streams * tokens)
            extra = f"{spent:.1f} | {(peak - before[1]) / streams:.1f}" if pids else " | "
            print(f"| {way.removesuffix(', fresh')} | {result['errors']} | {result['seconds']:.1f} | {extra} |", flush=True)
        print(f"\nLocalCode idle, before the first request: {idle / 1024:.1f} MB resident.")
        print(f"Errors in all: {errors}")
        return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
