#!/usr/bin/env bash
# Says in one line each what this machine lacks to build Skerry; silent and 0 if nothing.
# With --python it prints the Python to make the environment with: $PYTHON, or the first that will do.
set -euo pipefail

usable_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if usable_python "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

if [ "${1:-}" = --python ]; then
    find_python
    exit
fi

missing=0
lacks() {
    printf 'missing: %s\n' "$1" >&2
    missing=1
}
find_python >/dev/null || lacks 'python3 >= 3.11 with venv (Debian: apt install python3 python3-venv; or name one in PYTHON=)'
command -v cc >/dev/null || lacks 'cc, a C compiler for SQLite and zstd (Debian: apt install build-essential)'
if command -v cargo >/dev/null; then
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(cargo --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
        lacks "cargo >= $wanted (found $found; rustup update stable)"
else
    lacks 'cargo, with clippy and rustfmt (install Rust by rustup)'
fi
exit "$missing"
