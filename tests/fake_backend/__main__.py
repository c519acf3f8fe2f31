"""Runs the scripted backend by hand: python -m fake_backend --port 9000 [--default SCRIPT] [--certificate F --key F]."""
import argparse
import time

from . import FakeBackend, scripts

parser = argparse.ArgumentParser(prog="fake_backend", description=__doc__,
                                 epilog="scripts: " + ", ".join(sorted(scripts.SCRIPTS)))
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=9000)
parser.add_argument("--default", default="normal", help="script for requests that name none")
parser.add_argument("--certificate")
parser.add_argument("--key")
args = parser.parse_args()
with FakeBackend(args.default, args.certificate, args.key, args.host, args.port) as backend:
    print(f"listening at {backend.url}/v1", flush=True)
    seen = 0
    try:
        while True:
            time.sleep(0.2)
            for request in backend.requests[seen:]:
                print(f"{request.method} {request.target} {len(request.body)} bytes -> {request.script}", flush=True)
            seen = len(backend.requests)
    except KeyboardInterrupt:
        pass
