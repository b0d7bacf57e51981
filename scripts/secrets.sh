#!/usr/bin/env bash
# Makes what the compose files need and no file of the repository may hold: a token for each
# purpose, Grafana's password, and .env with the group of Docker's socket. What is there stays.
#
# `secrets.sh [COMPOSE_FILE]`, docker-compose.yml by default. It builds Hanabi's image if there is
# none, since the tokens are made by `hanabi token create` in the volume of its data.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

file=${1:-docker-compose.yml}
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${socket#unix://}

if docker compose version >/dev/null 2>&1; then
    compose=(docker compose -f "$file")
elif has docker-compose; then
    compose=(docker-compose -f "$file")
else
    say "missing: Docker's compose (apt-get install docker-compose, or Docker's own plugin)"
    exit 1
fi

# Others on this host are kept out by the folder's mode. The files can be read by all, since users
# of containers, which have other numbers, read them through their mounts.
mkdir -p secrets
chmod 700 secrets

# Keeps what stands on standard input as a secret, unless it failed or gave nothing.
keep() {
    local text
    text=$(cat)
    [[ -n $text ]] || return 1
    printf '%s\n' "$text" >"secrets/$1"
    chmod 644 "secrets/$1"
    say "made secrets/$1"
}

missing() { [[ ! -s secrets/$1 ]]; }

random() { od -An -vtx1 -N32 /dev/urandom | tr -d ' \n'; }

# A token of one role; `run` takes no port and starts nothing else.
token() { # file, name, role
    "${compose[@]}" run --rm -T --no-deps hanabi token create "$2" --role "$3" \
        --data-dir /var/lib/hanabi | keep "$1" ||
        { say "no token for $2: where the service runs already, stop it first"; exit 1; }
}

if [[ ! -e .env ]] && [[ -S $socket ]]; then
    printf 'DOCKER_GID=%s\n' "$(stat -c %g "$socket")" >.env
    say "made .env"
fi
if missing admin-token; then random | keep admin-token; fi
wanted=$("${compose[@]}" config)
if [[ $wanted == *metrics-token* ]] && missing metrics-token; then token metrics-token prometheus metrics; fi
if [[ $wanted == *viewer-token* ]] && missing viewer-token; then token viewer-token grafana viewer; fi
if [[ $wanted == *grafana-password* ]] && missing grafana-password; then random | keep grafana-password; fi
say "the admin's token is in secrets/admin-token: log in with it at http://127.0.0.1:8000"
