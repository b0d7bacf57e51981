# Shared by the scripts of this folder; sourced, not run.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# A fresh rustup is in the profile of new shells only.
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

say() { printf '%s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

# Whether Node.js and npm can build the console.
node_is_new_enough() {
    has npm && has node &&
        node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
}

# The folder with the full recordings, or nothing.
recordings() {
    local folder=${HANABI_RECORDINGS:-../shared/recordings}
    if [[ -d $folder ]]; then (cd "$folder" && pwd); fi
}

# Where the release binary is.
binary() { printf '%s' "${CARGO_TARGET_DIR:-target}/release/hanabi"; }
