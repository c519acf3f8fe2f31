#!/usr/bin/env bash
# Runs every fuzz target for a while: tools/fuzz.sh [SECONDS] (default 20 each), from the seeds in fuzz/corpus. What it finds
# lies in build/fuzz/findings afterwards.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"
seconds=${1:-20}
"$root/tools/setup/packages.sh" full
build=$("$root/tools/setup/build.sh" fuzz | tail -n1)
findings=$build/findings
mkdir -p "$findings"
failed=()
for target in "$build"/fuzz/*_fuzz; do
  name=$(basename "$target" _fuzz)
  say "fuzz $name, $seconds s"
  mkdir -p "$build/corpus/$name"
  seeds=()
  [ ! -d "$root/fuzz/corpus/$name" ] || seeds=("$root/fuzz/corpus/$name")
  "$target" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=4096 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix="$findings/$name-" "$build/corpus/$name" "${seeds[@]}" >&2 || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}; the inputs are in ${findings#"$root/"}"
say "no fuzz target failed"
