#!/usr/bin/env bash
# `make bench`: builds what it needs and prints the table of docs/performance.md. ARGS=--quick for a short look.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"
"$root/tools/setup/packages.sh" run bench
build=$("$root/tools/setup/build.sh" release --bench --target localcode --target bench_backend --target bench_load | tail -n1)
# shellcheck disable=SC2086  # ARGS are words
exec python3 "$root/bench/run.py" --bin "$build/src/localcode" --backend "$build/bench/bench_backend" --load "$build/bench/bench_load" ${ARGS:-}
