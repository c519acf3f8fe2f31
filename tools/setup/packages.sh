#!/usr/bin/env bash
# Sees that the system packages are there, and installs what is missing (Debian and its relatives).
#
#   tools/setup/packages.sh [run|test|full|bench]...   groups; default: build (what the gateway alone needs)
#
#   LOCALCODE_SKIP_PACKAGES=1   check nothing, install nothing: you know that everything is there
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build=(g++ cmake ninja-build ccache pkg-config git ca-certificates libboost1.81-dev libboost-json1.81-dev
  libboost-url1.81-dev libssl-dev zlib1g-dev libzstd-dev libsimdjson-dev libexpected-dev libtomlplusplus-dev
  libcli11-dev libspdlog-dev libfmt-dev libsqlite3-dev libwebp-dev libxxhash-dev libgtest-dev)
run=(patch nodejs npm python3 python3-venv)         # llama.cpp comes from npm, models from PyPI
test=(curl openssl tmux)
full=(clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14)
bench=(nginx-light)

[ -z "${LOCALCODE_SKIP_PACKAGES:-}" ] || exit 0
packages=("${build[@]}")
for group in "$@"; do
  case $group in
    build) ;;
    run) packages+=("${run[@]}") ;;
    test) packages+=("${run[@]}" "${test[@]}") ;;
    full) packages+=("${run[@]}" "${test[@]}" "${full[@]}") ;;
    bench) packages+=("${bench[@]}") ;;
    *) die "unknown group '$group' (build, run, test, full, bench)" ;;
  esac
done

if ! have dpkg-query || ! have apt-get; then
  say "This is not Debian or one of its relatives, so nothing is installed for you. What LocalCode needs, by the names"
  say "of Debian 12's packages:"
  printf '%s\n' "${packages[@]}" | sort -u | paste -sd' ' | fold -s -w 100 >&2
  die "install their equivalents, then set LOCALCODE_SKIP_PACKAGES=1 and run this again"
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
# node is often installed from elsewhere; what counts is that it runs.
if have node; then installed+=$'\nnodejs'; fi
if have npm; then installed+=$'\nnpm'; fi
mapfile -t missing < <(printf '%s\n' "${packages[@]}" | sort -u | grep -Fxv -f <(printf '%s\n' "$installed"))
[ "${#missing[@]}" -gt 0 ] || exit 0

say "installing ${#missing[@]} Debian packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" != 0 ]; then
  have sudo || die "not root, and there is no sudo. As root, run:
    apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  as_root=(sudo)
fi
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300)
explain="installing failed (above is why). Debian 12 has all of these; on an older release some are missing.
    By hand: apt-get update && apt-get install --no-install-recommends ${missing[*]}"
# The package lists are fetched only when they do not know a package yet: a fresh system has none.
if ! apt-get install --simulate -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
  "${as_root[@]}" "${apt[@]}" update >&2 || die "$explain"
fi
"${as_root[@]}" "${apt[@]}" install --no-install-recommends "${missing[@]}" >&2 || die "$explain"
