#!/usr/bin/env bash
# Installs what the tests run against LocalCode, pinned with hashes, outside the checkout, and prints where:
#
#   tools/setup/clients.sh python      -> path of a Python that has pytest, openai and anthropic
#   tools/setup/clients.sh opencode    -> path of the OpenCode program
#   tools/setup/clients.sh agents      -> folder with claude, codex, qwen, cn, aider (the long tests; 1.5 GB)
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

agents_client() {
  local from=$root/tests/clients/agents aider=aider-chat==0.86.2 dir modules
  dir=$build_cache/agents-$({ cat "$from/package-lock.json"; echo "$aider"; python3 --version; uname -m; } | sha256sum | cut -c1-12)
  modules=$dir/node_modules
  if [ ! -f "$dir/done" ]; then
    take_lock "${dir##*/}"
    if [ ! -f "$dir/done" ]; then
      have npm || die "npm is missing; run tools/setup/packages.sh test"
      say "coding agents: installing"
      rm -rf "$dir"                 # the venv cannot be moved
      mkdir -p "$dir/bin"
      cp "$from/package.json" "$from/package-lock.json" "$dir/"
      # Not `npm ci`: it refuses lock files without the optional packages of other systems.
      (cd "$dir" && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
        die "installing the coding agents from the npm registry failed; run this again when the network is there"
      make_venv "$dir/python"
      "$dir/python/bin/python" -m pip --disable-pip-version-check install --only-binary :all: -q "$aider" >&2 ||
        die "installing Aider from PyPI failed; run this again when the network is there"
      ln -s "$modules/@anthropic-ai/claude-code-linux-x64/claude" "$modules/.bin/codex" "$modules/.bin/qwen" "$modules/.bin/cn" \
        "$dir/python/bin/aider" "$dir/bin/"
      touch "$dir/done"
    fi
    flock -u 8
  fi
  echo "$dir/bin"
}

[ $# -gt 0 ] || die "which client? (python, opencode, agents)"
for name in "$@"; do
  case $name in
    python) python_client ;;
    opencode) opencode_client ;;
    agents) agents_client ;;
    *) die "unknown client '$name' (python, opencode, agents)" ;;
  esac
done
