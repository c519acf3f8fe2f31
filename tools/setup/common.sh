# shellcheck shell=bash
# Shared by the set-up scripts (sourced, not run): places, messages, locks. Results go to stdout, all else to stderr.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${LOCALCODE_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/localcode}
build_cache=${LOCALCODE_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/localcode/build}
self=${0##*/}

say() { printf '%s\n' "$*" >&2; }
die() { say "$self: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
sha256_of() { sha256sum "$1" | cut -d' ' -f1; }

# One process at a time under this name; the lock ends with the script. Who waited must look again whether it is done.
take_lock() {
  mkdir -p "$build_cache"
  exec 8>"$build_cache/$1.lock"
  flock -n 8 || { say "$self: another run is busy with $1; waiting for it"; flock 8; }
}

# A folder of our own that is removed when the script ends, whichever way.
scratch_dir() {
  mkdir -p "$1"
  scratch=$(mktemp -d "$1/.new.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
}

# A Python with pip that is nobody else's, for downloads and SDKs. $1: the venv's folder.
make_venv() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || die "python3 (3.9 or newer) is missing; run tools/setup/packages.sh"
  python3 -m venv "$1" >&2 || die "python3 cannot make a virtual environment (Debian: apt-get install python3-venv)"
}
