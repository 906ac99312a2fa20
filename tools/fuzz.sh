#!/usr/bin/env bash
# Runs each libFuzzer target of fuzz/ for a number of seconds, on stable Rust and without cargo-fuzz:
# the coverage that libFuzzer steers by needs only compiler flags that are stable. Debug assertions
# and overflow checks stay on. A crash leaves its input in fuzz/artifacts and ends the run.
#
#   tools/fuzz.sh SECONDS [TARGET...]
#   replay: fuzz/target/<triple>/release/TARGET fuzz/artifacts/crash-...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../fuzz"

seconds=$1
shift
if [ $# -eq 0 ]; then
    for file in fuzz_targets/*.rs; do
        set -- "$@" "$(basename "$file" .rs)"
    done
fi

triple=$(rustc -vV | sed -n 's/^host: //p')
# Memory is part of what is promised of decoders: more than 512 MiB counts as a crash.
memory_mib_max=512
coverage=(
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Ccodegen-units=1
    -Cdebug-assertions
    -Coverflow-checks
)
# `--target` keeps these flags away from build scripts and macros.
RUSTFLAGS="${coverage[*]}" CARGO_PROFILE_RELEASE_LTO=off \
    cargo build --release --target "$triple"

# Queries are rarely met by chance, so that target begins with the recorded ones: a byte for the class,
# then the text.
seed_queries() {
    python3 - "$1" ../tests/vectors/rql/cases.jsonl <<'SEED'
import json, pathlib, sys

folder, cases = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
classes = ["Item", "", "", "Person", "Dog", "Order", "Node", "GeoPlace"]
for line in cases.read_text(encoding="utf-8").splitlines():
    case = json.loads(line)
    choice = classes.index(case["class"])
    (folder / case["id"]).write_bytes(bytes([choice]) + case["query"].encode())
SEED
}

mkdir -p artifacts
for target in "$@"; do
    mkdir -p "corpus/$target"
    if [ "$target" = query_evaluate ]; then
        seed_queries "corpus/$target"
    fi
    printf '== %s for %s s\n' "$target" "$seconds"
    "target/$triple/release/$target" "corpus/$target" -max_total_time="$seconds" \
        -rss_limit_mb="$memory_mib_max" -artifact_prefix=artifacts/ -print_final_stats=1
done
