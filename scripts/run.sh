#!/usr/bin/env bash
# Builds the release binary and starts the service; arguments go to `hanabi run`.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

scripts/need.sh build
cargo build --release --locked --bin hanabi
hanabi=$(binary)
# A --listen among the arguments is where it will be.
set_listen=()
for ((i = 1; i <= $#; i++)); do
    case ${!i} in
        --listen) ((i++)); set_listen=(--set "server.listen=${!i:-}") ;;
        --listen=*) listen=${!i}; set_listen=(--set "server.listen=${listen#--listen=}") ;;
    esac
done
address=$("$hanabi" config show "${set_listen[@]}" | sed -n 's/^listen = "\([^"]*\)".*/\1/p')
cat >&2 <<END

Hanabi listens on http://$address and keeps its state in ./data. Stop it with Ctrl-C.
In another terminal:

  play the bundled recording (three minutes of a web shop, then five attacks):
    $hanabi send fixtures/shop-small.jsonl.zst --to http://$address --speed 20 --shift end

  send events of your own:
    curl -H 'content-type: application/json' --data-binary @event.json http://$address/ingest/falco

  connect Falco, in falco.yaml:
    json_output: true
    http_output: {enabled: true, url: http://$address/ingest/falco}

END
exec "$hanabi" run "$@"
