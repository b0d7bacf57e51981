#!/usr/bin/env bash
# All checks, cheap ones first. Ends with the number of tests over all runners.
#
# The slow tier is the ignored tests of the binary and the store with `slow` in their
# name: they read whole recordings or kill a hundred times, and run in the optimised
# profile `slow` when recordings are there (../shared/recordings, or the folder that
# HANABI_RECORDINGS names). Other ignored tests are measurements, which are no test
# on a shared machine.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

log=$(mktemp)
trap 'rm -f "$log"' EXIT

step() {
    say ""
    say "== $* ($((SECONDS / 60)) min $((SECONDS % 60)) s)"
    "$@" 2>&1 | tee -a "$log"
}

# Passed, failed and skipped tests, from the closing lines of nextest and libtest.
count() {
    sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
        function before(word,    i) { for (i = 2; i <= NF; i++) if ($i ~ "^" word) return $(i - 1); return 0 }
        /^ *Tests  / || /^end to end: / { passed += before("passed"); failed += before("failed"); skipped += before("skipped") }
        /^ *Summary \[/ || /^test result: / {
            passed += before("passed"); failed += before("failed"); skipped += before("skipped")
        }
        END { printf "%d passed, %d failed\n", passed, failed }'
}

tests() {
    if has cargo-nextest; then
        cargo nextest run --workspace "${features[@]}" --locked
        cargo test --workspace "${features[@]}" --locked --doc --quiet
    else
        cargo test --workspace "${features[@]}" --locked
    fi
}

# The console in a browser, against the binary that the tests have built.
end_to_end() {
    if ! node_is_new_enough; then
        say "no Node.js: the console's end-to-end tests are left out"
        return
    fi
    cargo build --bin hanabi "${features[@]}" --locked
    (cd console && npm run --silent e2e)
}

slow_tests() {
    if has cargo-nextest; then
        cargo nextest run -p hanabi-server -p hanabi-store --locked --cargo-profile slow \
            --run-ignored only -E 'test(slow)' --no-tests pass
    else
        cargo test -p hanabi-server -p hanabi-store --locked --profile slow -- --ignored slow
    fi
}

scripts/need.sh test
# Tests run with everything built in: the crates behind the features are members, and are
# compiled anyway. That the plain build compiles is what the first clippy sees.
features=(--features hanabi-server/embedding)
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto} INSTA_UPDATE=no
# First, since the binary that is tested has it inside.
step scripts/console.sh test
step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
step cargo clippy --workspace --all-targets "${features[@]}" --locked -- -D warnings
step cargo xtask tidy
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --locked
step tests
FEATURES=hanabi-server/embedding step scripts/contract.sh
step end_to_end
HANABI_RECORDINGS=$(recordings)
if [[ -z $HANABI_RECORDINGS ]]; then
    say "no recordings: the slow tier is left out (set HANABI_RECORDINGS to run it)"
elif grep -rqs 'fn [a-z_]*slow' crates/server/src crates/server/tests; then
    export HANABI_RECORDINGS
    step slow_tests
fi
say ""
count
