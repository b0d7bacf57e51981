#!/usr/bin/env bash
# Measures the gateway on loopback: reads with a full store (by wrk), two thousand
# streams and how late an alert comes. Takes some three minutes beside the build.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

scripts/need.sh bench
# Two thousand clients and as many sockets on the other side.
ulimit -n "$(ulimit -Hn)"
say "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(uname -sr)"
say "commit:  $(git describe --always --dirty)"
cargo bench --locked --quiet -p hanabi-server --bench load -- load
