#!/usr/bin/env bash
# Installs one wheel into an empty environment and uses it there, so that a file missing from the
# wheel, or a dependency missing from its metadata, cannot hide behind this checkout.
set -euo pipefail

wheel=$(realpath "$1")
script=$(realpath "$(dirname "${BASH_SOURCE[0]}")/check_wheel.py")
python=$("$(dirname "${BASH_SOURCE[0]}")/preflight.sh" --python)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

case $wheel in
    *-cp311-abi3-*) ;;
    *) printf 'not an abi3 wheel for 3.11 and later: %s\n' "${wheel##*/}" >&2; exit 1 ;;
esac
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check "$wheel"
cd "$scratch"
"$scratch/venv/bin/python" -I "$script" "$scratch/realm"
printf 'wheel: %s works in an empty environment\n' "${wheel##*/}"
