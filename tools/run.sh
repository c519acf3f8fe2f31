#!/usr/bin/env bash
# `make run`: everything from a bare Debian 12 to a gateway with a local model on port 4242. What is done is not done again.
#
#   MODEL=file.gguf   another model than the demo (SmolLM2-135M-Instruct)
#   PORT=N            another port
#   ARGS="..."        further options of `localcode serve`
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"

model=${MODEL:-}
[ -z "$model" ] || [ -f "$model" ] || die "MODEL=$model: no such file"
"$root/tools/setup/packages.sh" run
demo=$cache/models/SmolLM2-135M-Instruct.Q4_1.gguf
download=
if [ -z "$model" ]; then
  # The download needs the network, the build the processor: at the same time.
  "$root/tools/setup/models.sh" smollm2 >/dev/null &
  download=$!
  trap 'kill $download 2>/dev/null; wait $download 2>/dev/null || :' EXIT
fi
build=$("$root/tools/setup/build.sh" release --engine --target localcode --target localcode-engine)
if [ -n "$download" ]; then
  wait "$download" || die "the demo model could not be fetched (above is why); MODEL=file.gguf runs one of yours"
  trap - EXIT
  model=$demo
fi
port=${PORT:-4242}
say ""
say "Starting LocalCode with $(basename "$model") at http://127.0.0.1:$port (stop with Ctrl-C)."
say "OpenCode: see \"Point OpenCode at it\" in README.md. A first try, in another terminal:"
say "  curl http://127.0.0.1:$port/v1/chat/completions -d '{\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]}'"
say ""
# shellcheck disable=SC2086  # ARGS are words
exec "$build/src/localcode" serve --model "$model" --port "$port" ${ARGS:-}
