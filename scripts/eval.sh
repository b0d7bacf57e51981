#!/usr/bin/env bash
# Judges detection on every labelled recording that is there, and writes the table
# in docs/evaluation.md anew when the full recordings are among them.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

scripts/need.sh build
cargo build --release --locked --bin hanabi
shopt -s nullglob
folder=$(recordings)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hanabi=$(binary)
document=docs/evaluation.md
table=$work/evaluation.md

head='| what | found | false alerts | alerts at Warning, in all | alerts / incidents an episode | time to detect |
|---|---|---|---|---|---|'

judge() { # recording labels
    local recording=$1 labels=$2 row
    row() { "$hanabi" eval "$recording" --labels "$labels" --row "$@"; }
    printf '\n### %s\n\n%s\n' "$(basename "$recording" .jsonl.zst)" "$head"
    row "Hanabi" --baselines
    row "learning ends by itself" --self-ending
    row "without lines for the entry of calls, as Falco 0.42 prints" --without enters
    row "without lexical generalisation" --without lexical
    row "without structural merges" --without structural
    row "without semantic matching" --without semantic
    row "without the danger list" --without danger
    row "without bursts" --without bursts
}

for labels in fixtures/shop-small.labels.json ${folder:+"$folder"/*.labels.json}; do
    recording=${labels%.labels.json}.jsonl.zst
    say ""
    say "$(basename "$recording")"
    "$hanabi" eval "$recording" --labels "$labels"
    judge "$recording" "$labels" >>"$table"
done
if [[ -n $folder ]]; then
    sed '/^<!-- table -->$/q' "$document" >"$work/new.md"
    cat "$table" >>"$work/new.md"
    cp "$work/new.md" "$document"
    say ""
    say "$document is written anew"
fi
