#!/usr/bin/env bash
# Installs the Debian packages that are missing: `need.sh build` what a build
# needs, `need.sh test` also what the tests and measurements use, `need.sh bench` what
# measuring the gateway takes.
#
# It needs root or sudo only where something is missing. What cannot be installed
# is named; only a missing compiler stops the build, since tests that need
# Prometheus' tools, Alertmanager, rsyslog, zstd or Chromium skip themselves
# without them, and a binary without the web console says so on its page.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
# Daemons are there, which not everybody's shell looks at.
PATH=$PATH:/usr/sbin:/sbin

# Command and the packages that bring it.
build=("cc gcc libc6-dev" "git git")
test=("curl curl ca-certificates" "zstd zstd" "promtool prometheus" "prometheus prometheus"
    "prometheus-alertmanager prometheus-alertmanager" "rsyslogd rsyslog" "dockerd docker.io"
    "busybox busybox-static" "docker-compose docker-compose" "systemd-analyze systemd"
    "strip binutils" "python3 python3 python3-venv"
    "chromium chromium" "fc-list fontconfig fonts-noto-cjk")
bench=("curl curl ca-certificates" "zstd zstd" "wrk wrk")

wanted=("${build[@]}")
[[ ${1:-build} == test ]] && wanted+=("${test[@]}")
[[ ${1:-build} == bench ]] && wanted+=("${bench[@]}")

missing() {
    local entry
    for entry in "${wanted[@]}"; do
        has "${entry%% *}" || printf '%s\n' "${entry#* }"
    done | tr ' ' '\n' | sort -u
}

# Packages may not start their services here (Prometheus would take port 9090),
# and a policy that was not there before is taken away again.
install_packages() {
    local policy=/usr/sbin/policy-rc.d run=()
    if [[ $EUID -ne 0 ]]; then
        run=(sudo)
        [[ -t 0 ]] || run=(sudo -n)
    fi
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee "$policy" >/dev/null
        "${run[@]}" chmod 755 "$policy"
        # shellcheck disable=SC2064
        trap "${run[*]} rm -f $policy" EXIT
    fi
    local get=("${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
    local install=("${get[@]}" install -y --no-install-recommends "$@")
    "${install[@]}" >&2 || { "${get[@]}" update >&2 && "${install[@]}" >&2; }
    local service
    for service in prometheus prometheus-alertmanager rsyslog nats-server; do
        if [[ " $* " == *" $service "* ]] && has systemctl; then
            "${run[@]}" systemctl disable --quiet "$service" 2>/dev/null || true
        fi
    done
}

mapfile -t packages < <(missing)
if ((${#packages[@]})); then
    if has apt-get && { [[ $EUID -eq 0 ]] || has sudo; }; then
        say "installing Debian packages: ${packages[*]}"
        install_packages "${packages[@]}" || say "apt-get could not install all of them"
    fi
    mapfile -t packages < <(missing)
    if ((${#packages[@]})); then
        say "missing: ${packages[*]}"
        say "install them with: apt-get install ${packages[*]}"
    fi
fi

if ! node_is_new_enough; then
    say "missing: Node.js 20.19 or newer with npm, for the web console; see https://nodejs.org"
fi
if ! has cargo; then
    say "missing: Rust 1.95 or newer with cargo, rustfmt and clippy; see https://rustup.rs"
    exit 1
fi
if ! has cc; then
    say "missing: a C compiler"
    exit 1
fi
