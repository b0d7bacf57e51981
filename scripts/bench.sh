#!/usr/bin/env bash
# Measures the engine: the benchmarks of the crates, then whole replays of a
# recording that lies unpacked in the page cache. Names the machine.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

scripts/need.sh test
cargo build --release --locked --bin hanabi
hanabi=$(binary)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(uname -sr)"
say "commit:  $(git describe --always --dirty)"
recording=fixtures/shop-small.jsonl.zst
folder=$(recordings)
if [[ -n $folder ]]; then recording=$folder/shop.jsonl.zst; fi
zstd -dcq --long=27 "$recording" >"$work/recording.jsonl"
say "data:    $(basename "$recording"), $(wc -l <"$work/recording.jsonl") lines, $(wc -c <"$work/recording.jsonl") bytes"

say ""
say "decoding alone, one core"
cargo run --release --locked --quiet -p hanabi-event --example decode_bench -- "$work/recording.jsonl" 200
say ""
say "the behaviour tree, one core"
cargo bench --locked --quiet -p hanabi-profile --bench tree
say ""
say "a token that is new, one core"
cargo bench --locked --quiet -p hanabi-detect --bench matcher
say ""
say "a day of series, and PromQL over it beside a Prometheus of the same samples"
cargo test --release --locked --quiet -p hanabi-series --test it -- --ignored --nocapture measure
say ""
say "replay beside a bare JSON parse, all cores"
cat "$work/recording.jsonl" >/dev/null
cargo bench --locked --quiet -p hanabi-server --bench replay -- "$work/recording.jsonl"
say ""
say "the service with its store beside a replay without one, all cores"
cargo bench --locked --quiet -p hanabi-server --bench store -- "$work/recording.jsonl"
say ""
say "the event log at ${HANABI_BENCH_ROWS:-10000000} rows, and the alerts at 100000"
cargo run --release --locked --quiet -p hanabi-store --example log_bench -- "${HANABI_BENCH_ROWS:-10000000}" 100000 "$work/store"
say ""
"$hanabi" replay "$work/recording.jsonl" --learn-for 180s 2>&1 >/dev/null | grep -E 'lines read|events/s|peak'
