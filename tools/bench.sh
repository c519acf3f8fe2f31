#!/usr/bin/env bash
# `make bench`: builds what it needs and prints the tables of docs/performance.md: what the gateway adds to a request, and what
# stored KV states save. ARGS=--quick for a short look at the former alone.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"
"$root/tools/setup/packages.sh" run bench
build=$("$root/tools/setup/build.sh" release --engine --bench --target localcode --target localcode-engine --target bench_backend --target bench_load | tail -n1)
# shellcheck disable=SC2086  # ARGS are words
python3 "$root/bench/run.py" --bin "$build/src/localcode" --backend "$build/bench/bench_backend" --load "$build/bench/bench_load" ${ARGS:-}
[[ " ${ARGS:-} " == *" --quick "* ]] && exit
llama=$("$root/tools/setup/llama.sh" | tail -n1)
export LOCALCODE_TEMPLATES=$llama/src/models/templates
for model in $("$root/tools/setup/models.sh" smollm2 gemma); do
  python3 "$root/bench/states.py" --bin "$build/src/localcode" --engine "$build/engine/localcode-engine" --server "$llama/build/bin/llama-server" --model "$model"
done
for model in $("$root/tools/setup/models.sh" smollm2 gemma); do
  python3 "$root/bench/prefix.py" --bin "$build/src/localcode" --engine "$build/engine/localcode-engine" --model "$model"
done
