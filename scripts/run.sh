#!/usr/bin/env bash
# Builds the web console and the release binary, and starts the service; arguments go to `hanabi run`.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

scripts/need.sh build
scripts/console.sh
cargo build --release --locked --bin hanabi
hanabi=$(binary)
cat >&2 <<END

The binary is $hanabi. When the service is up, play the bundled recording into it
from another terminal: three minutes of a web shop, then five attacks.

    $hanabi send fixtures/shop-small.jsonl.zst --speed 20 --shift end

END
exec "$hanabi" run "$@"
