#!/usr/bin/env bash
# Holds the running service to its own description: schemathesis makes requests from
# the OpenAPI document, good and bad ones, and every answer must be one that the
# document names; none may be a server error. Once without authentication, once as an
# admin, and once as nobody, who must be refused.
#
# `contract.sh [EXAMPLES]`: requests made for each route, 15 by default. FEATURES names
# features that the binary is built with.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

examples=${1:-15}
version=4.32.5
tools=${CARGO_TARGET_DIR:-target}/contract
if ! has python3 || ! python3 -c 'import ensurepip' 2>/dev/null; then
    say "contract: left out, since python3 with venv is missing (apt-get install python3-venv)"
    exit 0
fi
if [[ ! -x $tools/bin/schemathesis ]]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet "schemathesis==$version"
fi
cargo build --quiet --locked --bin hanabi ${FEATURES:+--features "$FEATURES"}
hanabi=$(pwd)/${CARGO_TARGET_DIR:-target}/debug/hanabi
work=$(mktemp -d)
service=
stop() {
    [[ -z $service ]] || { kill "$service" && wait "$service"; } 2>/dev/null || true
    service=
}
trap 'stop; rm -rf "$work"' EXIT
zstd -dcq fixtures/shop-small.jsonl.zst >"$work/events.jsonl"

# Starts the service on a free port, and feeds it.
start() { # folder, further keys
    local folder=$work/$1 token=$2
    shift 2
    "$hanabi" run --listen 127.0.0.1:0 --data-dir "$folder" "$@" >"$folder.log" 2>&1 &
    service=$!
    for _ in $(seq 300); do
        url=$(grep -oE 'https?://127\.0\.0\.1:[0-9]+' "$folder.log" | head -1 || true)
        [[ -n $url ]] && curl -fs "$url/readyz" >/dev/null && break
        sleep 0.1
    done
    curl -fsS ${token:+-H "Authorization: Bearer $token"} "$url/api/openapi.json" >"$work/openapi.json"
    HANABI_TOKEN=$token "$hanabi" send "$work/events.jsonl" --to "$url" --speed max >/dev/null 2>&1
}

# What comes over and over (streams) or ends what is tested (logging out) is left out.
hold() { # name, checks, further flags
    local name=$1 checks=$2
    shift 2
    say "contract: $name"
    (cd "$work" && "$tools_path/schemathesis" run openapi.json --url "$url" --checks "$checks" \
        --phases coverage,fuzzing --max-examples "$examples" --generation-deterministic \
        --exclude-path-regex '^/api/(stream|logout|v1/write)' --suppress-health-check all \
        --request-timeout 30 --continue-on-failure --warnings off "$@")
}

tools_path=$(cd "$tools/bin" && pwd)
answers=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
start open "" --set auth.requests_per_address=1000000 --set auth.requests_per_principal=1000000
hold "without authentication" "$answers"
stop

token=$("$hanabi" token create contract --data-dir "$work/closed" --role admin | grep -oE 'hnb_[0-9a-f]+')
start closed "$token" --set auth.mode=required --set auth.requests_per_address=1000000 --set auth.requests_per_principal=1000000
# Refusals are documented, too: without this an unknown token would pass.
curl -fsS -H "Authorization: Bearer $token" "$url/api/me" | grep -q '"role":"admin"'
hold "as an admin" "$answers" --header "Authorization: Bearer $token"
hold "as nobody" not_a_server_error,status_code_conformance,ignored_auth \
    --header "Authorization: Bearer hnb_none"
stop
