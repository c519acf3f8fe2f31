#!/usr/bin/env bash
# Configures and builds, and prints the build folder as the last line of stdout.
#
#   tools/setup/build.sh [PRESET] [--engine] [--bench] [--target TARGET]...      PRESET: release (default), debug, asan, tsan, fuzz
#
#   LOCALCODE_JOBS   parallel jobs (default: all cores)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=release options=() targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --engine)
      llama=$("$root/tools/setup/llama.sh" | tail -n1)
      options+=(-DLOCALCODE_ENGINE=ON "-DLLAMA_BUILD_DIR=$llama" "-DLOCALCODE_TEMPLATES_SOURCE=$llama/src/models/templates") ;;
    --bench) options+=(-DLOCALCODE_BENCH=ON) ;;
    --target) targets+=(--target "${2:?--target needs a name}"); shift ;;
    -*) die "unknown option $1" ;;
    *) preset=$1 ;;
  esac
  shift
done

cd "$root"
dir=$root/build/$preset
mkdir -p "$dir"
take_lock "checkout-$(printf %s "$dir" | sha256sum | cut -c1-12)"
# The checkout's place and the compiler's clock stay out of the objects, so that ccache serves every checkout.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=time_macros
export NINJA_STATUS="[$preset %f/%t %es] "
cmake --preset "$preset" "${options[@]}" >"$dir/configure.log" 2>&1 8>&- ||
  { tail -n 30 "$dir/configure.log" >&2; die "configuring failed; the whole output is in ${dir#"$root/"}/configure.log"; }
cmake --build "$dir" ${LOCALCODE_JOBS:+-j "$LOCALCODE_JOBS"} "${targets[@]}" >&2 8>&- || die "the build failed"
echo "$dir"
