#!/usr/bin/env bash
# Builds the web console into console/dist, from where it goes into the binary;
# `console.sh test` checks it before.
#
# Without Node.js nothing is built, and the binary's page says how to build it.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

if ! node_is_new_enough; then
    say "no console: it needs Node.js 20.19 or newer and npm (https://nodejs.org)"
    exit 0
fi
cd console
# What is installed is what the lock file says, or is installed anew.
if [[ ! -e node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
    npm ci --no-progress
fi
npm run --silent gen:api
if [[ ${1:-build} == test ]]; then
    npm run --silent format
    npm run --silent lint
    npm run --silent typecheck
    npm run --silent test
fi
npm run --silent build
