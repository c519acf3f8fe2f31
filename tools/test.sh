#!/usr/bin/env bash
# `make test`, and with --full `make test-full`. Sets everything up, builds, runs every suite even when one fails, and ends
# with a line that counts: "N passed, N failed". A skipped test counts as failed: nothing may be missing.
#
#   tools/test.sh [--full] [SUITE]...     SUITE: unit, cli, engine, integration, e2e, fuzz (default: all; fuzz with --full)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"
cd "$root"

full= wanted=()
for arg in "$@"; do
  case $arg in
    --full) full=1 ;;
    -*) die "unknown option $arg" ;;
    *) wanted+=("$arg") ;;
  esac
done
wants() { [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]]; }
step() { say ""; say "== $* ($((SECONDS / 60)) min $((SECONDS % 60)) s)"; }

results=$root/build/results
rm -rf "$results"; mkdir -p "$results"
broken=0                                     # suites that ended badly without saying so in their report

step "system packages"
tools/setup/packages.sh ${full:+full} test

step "downloads (in the background), llama.cpp, gateway and engine"
tools/setup/models.sh smollm2 gemma minilm >"$results/models.out" 2>"$results/models.log" &
models=$!
tools/setup/clients.sh python opencode ${full:+agents} >"$results/clients.out" 2>"$results/clients.log" &
clients=$!
trap 'kill $models $clients 2>/dev/null || :' EXIT
build=$(tools/setup/build.sh release --engine | tail -n1)
llama=$(tools/setup/llama.sh | tail -n1)

step "waiting for the downloads"
wait $models || { cat "$results/models.log" >&2; die "the models could not be fetched"; }
wait $clients || { cat "$results/clients.log" >&2; die "the clients could not be installed"; }
trap - EXIT
mapfile -t model < "$results/models.out"
mapfile -t client < "$results/clients.out"

export LOCALCODE_BIN=$build/src/localcode
export LOCALCODE_ENGINE=$build/engine/localcode-engine
export LOCALCODE_LLAMA_SERVER=$llama/build/bin/llama-server
export LOCALCODE_TEMPLATES=$llama/src/models/templates
export LOCALCODE_TEST_MODEL_SMOLLM2=${model[0]} LOCALCODE_TEST_MODEL_GEMMA=${model[1]}
export LOCALCODE_TEST_MODEL_MINILM=${model[2]}
export LOCALCODE_OPENCODE=${client[1]} LOCALCODE_CLIENTS=${client[2]:-}
python=${client[0]}
for program in "$LOCALCODE_BIN" "$LOCALCODE_ENGINE" "$LOCALCODE_LLAMA_SERVER"; do
  [ -x "$program" ] || die "the build did not make ${program#"$root/"}"
done

# gtest_suite NAME BUILD LABEL...: the C++ test programs of a build, each with a report of its own.
gtest_suite() {
  local name=$1 dir=$2 label=$3
  step "$name"
  mkdir -p "$results/$name"
  ctest --test-dir "$dir" -L "$label" --show-only=json-v1 >"$results/$name.tests.json"
  GTEST_OUTPUT=xml:$results/$name/ GTEST_BRIEF=1 ctest --test-dir "$dir" -L "$label" --output-on-failure \
    --output-junit "$results/$name.ctest.xml" >&2 || broken=1
}
# pytest_suite NAME FOLDER [pytest's arguments]
# Real engines on a busy machine: a few tests that failed are tried once more, alone. What passes only then is named in the
# results as unsteady, and is a bug to be mended; more than five failures are no accident and are not tried again.
pytest_suite() {
  local name=$1 status=0; shift
  step "$name"
  run_pytest "$name" "$@" || status=$?
  if [ $status = 1 ] && [ -z "$full" ] && [ "$(python3 tools/test_report.py --failures "$results/$name.xml")" -le 5 ]; then
    step "$name: what failed, once more"
    status=0
    run_pytest "$name" --lf --lfnf=none "$@" || status=$?
  fi
  [ $status = 0 ] || broken=1
}
run_pytest() {
  local name=$1 report=$results/$1.xml; shift
  [ ! -e "$report" ] || report=$results/$name.again.xml
  "$python" -m pytest -q --color=no -o cache_dir="$results/$name.cache" --junitxml "$report" "$@" >&2
}
# Long tests are marked so and run only with --full.
marks=(-m "not full"); [ -z "$full" ] || marks=()

if wants unit; then gtest_suite unit "$build" '^unit$'; fi
if wants cli; then pytest_suite cli tests/cli "${marks[@]}"; fi
if wants engine; then pytest_suite engine engine/tests "${marks[@]}"; fi
if wants integration; then
  gtest_suite integration-cpp "$build" '^integration$'
  pytest_suite integration tests/integration "${marks[@]}"
fi
if wants e2e; then pytest_suite e2e tests/e2e "${marks[@]}"; fi

if [ -n "$full" ]; then
  # Sanitizers slow everything down but change nothing else; the engine is the release build's.
  for sanitizer in asan tsan; do
    san=$(tools/setup/build.sh $sanitizer | tail -n1)
    # Reports go to files: a program whose exit status or output nobody looks at does not hide one.
    reports=$results/$sanitizer.reports
    mkdir -p "$reports"
    export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:log_path=$reports/report
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path=$reports/report
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:log_path=$reports/report
    if wants unit; then gtest_suite "unit-$sanitizer" "$san" '^unit$'; fi
    if wants integration; then
      LOCALCODE_BIN=$san/src/localcode pytest_suite "integration-$sanitizer" tests/integration tests/cli -m "not full" \
        --ignore tests/cli/test_install.py   # which is about the release build
    fi
    for report in "$reports"/*; do
      [ -s "$report" ] || continue
      broken=1
      say "$sanitizer reports (${report#"$root/"}):"
      head -n 60 "$report" >&2
    done
  done
  unset ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
  if wants fuzz; then
    step fuzz
    tools/fuzz.sh >&2 || broken=1
  fi
fi

step "results"
python3 tools/test_report.py "$results" "$broken"
