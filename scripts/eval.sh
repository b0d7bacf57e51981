#!/usr/bin/env bash
# Judges detection on every labelled recording that is there.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

scripts/need.sh build
cargo build --release --locked --bin hanabi
shopt -s nullglob
folder=$(recordings)
for labels in fixtures/shop-small.labels.json ${folder:+"$folder"/*.labels.json}; do
    recording=${labels%.labels.json}.jsonl.zst
    say ""
    say "$(basename "$recording")"
    "$(binary)" eval "$recording" --labels "$labels"
done
