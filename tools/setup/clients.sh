#!/usr/bin/env bash
# Installs what the tests run against LocalCode, pinned with hashes, outside the checkout, and prints where:
#
#   tools/setup/clients.sh python      -> path of a Python that has pytest, openai and anthropic
#   tools/setup/clients.sh opencode    -> path of the OpenCode program
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

python_client() {
  local wanted=$root/tests/requirements.txt dir
  dir=$build_cache/python-$({ cat "$wanted"; python3 --version; uname -m; } | sha256sum | cut -c1-12)
  if [ ! -f "$dir/done" ]; then
    take_lock "${dir##*/}"
    if [ ! -f "$dir/done" ]; then
      say "Python SDKs: installing"
      rm -rf "$dir"                 # a venv cannot be moved, so it is made in place and marked last
      make_venv "$dir"
      "$dir/bin/python" -m pip --disable-pip-version-check install --require-hashes --only-binary :all: -q -r "$wanted" >&2 ||
        die "installing the Python SDKs from PyPI failed; run this again when the network is there"
      touch "$dir/done"
    fi
    flock -u 8
  fi
  echo "$dir/bin/python"
}

opencode_client() {
  local lock=$root/tests/clients/package-lock.json dir program
  dir=$build_cache/opencode-$({ cat "$lock"; uname -m; } | sha256sum | cut -c1-12)
  # The package for old CPUs is for those without AVX2.
  program=$dir/node_modules/opencode-linux-x64/bin/opencode
  grep -qw avx2 /proc/cpuinfo || program=$dir/node_modules/opencode-linux-x64-baseline/bin/opencode
  if [ ! -f "$dir/done" ]; then
    take_lock "${dir##*/}"
    if [ ! -f "$dir/done" ]; then
      have npm || die "npm is missing; run tools/setup/packages.sh test"
      say "OpenCode: installing"
      scratch_dir "$build_cache"
      cp "$root/tests/clients/package.json" "$lock" "$scratch/"
      (cd "$scratch" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
        die "installing OpenCode from the npm registry failed; run this again when the network is there"
      [ -x "$scratch/${program#"$dir/"}" ] || die "npm has no OpenCode for this machine ($(uname -sm)); Linux on x86-64 is what is pinned"
      touch "$scratch/done"
      rm -rf "$dir"
      mv "$scratch" "$dir"
    fi
    flock -u 8
  fi
  echo "$program"
}

[ $# -gt 0 ] || die "which client? (python, opencode)"
for name in "$@"; do
  case $name in
    python) python_client ;;
    opencode) opencode_client ;;
    *) die "unknown client '$name' (python, opencode)" ;;
  esac
done
