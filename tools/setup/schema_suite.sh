#!/usr/bin/env bash
# Fetches the JSON Schema Test Suite (it comes with the source of the Python package jsonschema) and the drafts' own schemas
# (package jsonschema-specifications), checked by hash, and prints the folder that holds `suite` and `metaschemas`.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

suite=jsonschema==4.23.0
suite_hash=d71497fef26351a33265337fa77ffeb82423f3ea21283cd9467bb03999266bc4
specs=jsonschema-specifications==2023.12.1
specs_hash=87e4fdf3a94858b8a2ba2778d9ba57d8a9cafca7c7489c46ba0d30a8bc6a9c3c

dir=$build_cache/json-schema-suite-${suite##*==}
take_lock json-schema-suite
if [ ! -d "$dir" ]; then
  scratch_dir "$build_cache"
  make_venv "$scratch/venv"
  download() { "$scratch/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps -d "$scratch" "$@" >&2; }
  download --no-binary :all: "$suite" || die "the JSON Schema Test Suite could not be fetched"
  download "$specs" || die "the schemas of the drafts could not be fetched"
  [ "$(sha256_of "$scratch/jsonschema-4.23.0.tar.gz")" = $suite_hash ] || die "$suite is not what it was"
  [ "$(sha256_of "$scratch/jsonschema_specifications-2023.12.1-py3-none-any.whl")" = $specs_hash ] || die "$specs is not what it was"
  mkdir "$scratch/out" "$scratch/specs"
  tar -xzf "$scratch/jsonschema-4.23.0.tar.gz" -C "$scratch"
  "$scratch/venv/bin/python" -m zipfile -e "$scratch"/jsonschema_specifications-*.whl "$scratch/specs"
  mv "$scratch/jsonschema-4.23.0/json" "$scratch/out/suite"
  mv "$scratch/specs/jsonschema_specifications/schemas" "$scratch/out/metaschemas"
  mv "$scratch/out" "$dir"
fi
echo "$dir"
