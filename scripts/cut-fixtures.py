#!/usr/bin/env python3
"""Cuts the fixtures out of the full recordings; see fixtures/README.md.

    scripts/cut-fixtures.py RECORDINGS OUTPUT

RECORDINGS holds shop.jsonl, shop-b.jsonl (or the same with .zst) and their
labels; OUTPUT is the fixtures folder. Needs Python 3 and the `zstd` command.

Lines are only left out, never changed: times, ids and every quirk stay as
Falco printed them. The one exception is the second half of quirks.jsonl, whose
broken lines are made from real ones by the functions below.
"""

import json
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

TIME = re.compile(rb'"evt\.time\.iso8601":(\d+)')
CONTAINER_ID = re.compile(rb'"container\.id":"([^"]*)"')

# Stretches of shop-b that stay, in seconds before the start and after the end
# of a phase of its labels. The redeployments stay because later lines come
# from the containers that they created.
SMALL_CONTAINERS = {b"web", b"cache", b"batch"}
SMALL_PHASES = {
    "baseline": (25, 0),
    "steady": (0, -10),
    "deploy_web_1.23": (0.3, -18),
    "deploy_batch_2.1": (0.3, -15),
    "restart_cache": (0.3, -6),
    "shadow_read": (6, 3),
    "cryptominer": (4, 3),
    "redis_config_set_save": (4, 3),
    "masquerade_sh_as_nginx": (4, 3),
    "nginx_path_traversal": (4, 3),
}

# The same of shop, where Falco's stock rules print beside the catch-all rules.
RULES_CONTAINERS = {b"web", b"batch"}
RULES_PHASES = {"shell_discovery": (1.5, 1), "ssh_key_write": (1.5, 1)}


def lines_of(folder, name):
    """Lines of a recording, packed or not, without their newline."""
    plain = folder / f"{name}.jsonl"
    if plain.exists():
        with plain.open("rb") as file:
            yield from (line.rstrip(b"\n") for line in file)
        return
    command = ["zstd", "-dcq", "--long=27", str(folder / f"{name}.jsonl.zst")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as zstd:
        yield from (line.rstrip(b"\n") for line in zstd.stdout)


def nanoseconds(text):
    """RFC 3339 with nine digits, which datetime cannot hold, as an integer."""
    seconds, fraction = text.rstrip("Z").split(".")
    moment = datetime.fromisoformat(seconds + "+00:00")
    return int(moment.timestamp()) * 10**9 + int(fraction.ljust(9, "0"))


def moved(text, seconds):
    """An RFC 3339 time, moved."""
    moment = nanoseconds(text) + round(seconds * 10**9)
    whole = datetime.fromisoformat("1970-01-01") + timedelta(seconds=moment // 10**9)
    return f"{whole.isoformat()}.{moment % 10**9:09}Z"


def windows(labels, phases):
    """The stretches that stay: (first, last) in nanoseconds."""
    found = []
    for phase in labels["phases"]:
        if phase["name"] in phases:
            before, after = phases[phase["name"]]
            found.append((nanoseconds(moved(phase["start"], -before)),
                          nanoseconds(moved(phase["end"], after))))
    return found


def cut_labels(labels, phases):
    """The labels of what stays; a phase whose end was cut ends there."""
    cut = []
    for phase in labels["phases"]:
        if phase["name"] in phases:
            after = min(phases[phase["name"]][1], 0)
            cut.append(phase | {"end": moved(phase["end"], after)})
    return {"phases": cut}


def ids_of(lines, names):
    """Ids of the containers of these names; a container's first lines have no name."""
    ids = set()
    for line in lines:
        if any(b'"container.name":"' + name + b'"' in line for name in names):
            ids.add(CONTAINER_ID.search(line)[1])
    return ids


def write_zst(path, lines):
    # A window that every reader accepts by default; lines end in a newline.
    command = ["zstd", "-q", "-f", "-19", "--long=27", "-", "-o", str(path)]
    subprocess.run(command, input=b"\n".join(lines) + b"\n", check=True)


def cut_recording(source, target, recording, name, containers, phases):
    labels = json.loads((source / f"{recording}.labels.json").read_text())
    ids = ids_of(lines_of(source, recording), containers)
    stretches = windows(labels, phases)
    kept = []
    for line in lines_of(source, recording):
        time = TIME.search(line)
        container = CONTAINER_ID.search(line)
        if not time or not container or container[1] not in ids:
            continue
        if any(first <= int(time[1]) <= last for first, last in stretches):
            kept.append(line)
    write_zst(target / f"{name}.jsonl.zst", kept)
    text = json.dumps(cut_labels(labels, phases), indent=1)
    (target / f"{name}.labels.json").write_text(text + "\n")
    print(f"{name}: {len(kept)} lines, {sum(map(len, kept)):,} bytes")


def has(*parts):
    """A test for lines that hold all parts; a part with a leading ! must be absent."""
    wanted = [part.encode() for part in parts if not part.startswith("!")]
    unwanted = [part[1:].encode() for part in parts if part.startswith("!")]
    return lambda line: all(p in line for p in wanted) and not any(p in line for p in unwanted)


# One real line each, the first of the recording that fits.
QUIRKS_B = [
    has('"container.name":null', '"proc.name":"runc:[2:INIT]"'),
    has('"evt.type":"container"', "shop/nginx:1.23"),
    has('"evt.type":"container"', "shop/batch:2.1"),
    has('"user.name":"<NA>"', '"user.uid":101'),
    has('"fd.name":"NULL"', '"evt.type":"connect"', "res=-111"),
    has('"evt.type":"connect"', '"evt.args":"fd=', '"fd.name":""'),
    has('"fd.name":"<unknown>"'),
    has('"fd.name":"NULL"', '"evt.type":"accept4"'),
    has('"user.uid":4294967295'),
    has('"evt.args":""'),
    has('"evt.type":"close"', '"rule":"net"', '"fd.type":"ipv4"'),
    has('"evt.type":"close"', '"rule":"file"', '"fd.type":"file"'),
    has('"evt.type":"connect"', '"fd.type":"unix"', "->ffff"),
    has('"fd.name":"/var/run/nscd/socket"'),
    has('"fd.type":"ipv6"'),
    has('"fd.name":"0.0.0.0:80"'),
    has('"fd.type":"pipe"'),
    has('"fd.type":"netlink"'),
    has('"fd.type":null', '"fd.typechar":"f"', '"evt.type":"openat"'),
    has('"fd.typechar":"o"', '"fd.type":null'),
    has('"evt.type":"openat"', '"evt.args":"fd=', '"fd.directory":"/etc"'),
    has('"evt.type":"execve"', '"evt.args":"filename='),
    has('"evt.type":"execve"', "res=0", " env=", "tty=34816"),
    has('"evt.type":"execve"', "EXE_FROM_MEMFD"),
    has('"evt.type":"execve"', "res=-2"),
    has('"evt.type":"sendto"', "data=GET /"),
    has('"evt.type":"sendmmsg"', "data="),
    has('"evt.type":"procexit"', "sig=9"),
    has('"evt.type":"clone"', "res=0"),
    has('"evt.type":"getsockname"'),
    has('"evt.type":"unlinkat"'),
    has('"evt.type":"renameat2"'),
    has('"evt.type":"rename"'),
]
QUIRKS_RULES = [
    has('"rule":"Launch Sensitive Mount Container"'),
    has('"rule":"Terminal shell in container"'),
    has('"rule":"Read sensitive file untrusted"'),
    has('"rule":"Drop and execute new binary in container"'),
    has('"rule":"Change namespace privileges via unshare"'),
    has('"rule":"file"', '"evt.type":"openat"', '"output":"'),
]


def first_lines(lines, tests):
    """For each test the first line that passes it, in the order of the recording."""
    left, found = list(enumerate(tests)), []
    for line in lines:
        for index, test in left:
            if test(line):
                found.append(line)
                left.remove((index, test))
                break
        if not left:
            break
    for index, _ in left:
        print(f"quirks: no line for test {index}")
    return found


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def made_lines(real):
    """What these recordings do not hold: rarer and other versions' spellings, and broken lines."""
    event = json.loads(next(filter(has('"evt.type":"openat"', '"fd.directory":"/etc"'), real)))
    fields = event["output_fields"]

    def with_fields(**changes):
        changes = {key.replace("__", "."): value for key, value in changes.items()}
        return compact(event | {"output_fields": fields | changes})

    def without_time():
        kept = {key: value for key, value in fields.items() if "time" not in key}
        return event | {"output_fields": kept}

    time = event["time"]
    drop = {"hostname": "vm", "output": "Falco internal: syscall event drop. 3 system calls dropped in last second.",
            "output_fields": {"ebpf_enabled": "1", "n_drops": "3", "n_evts": "21784"}, "priority": "Debug",
            "rule": "Falco internal: syscall event drop", "source": "internal", "tags": [], "time": time}
    whole = compact(event)
    return [
        compact(event | {"uuid": "0e6b3b0c-0c1c-4b6f-a1f1-6f6f0f4e7c11"}),
        compact(event | {"priority": "INFO"}),
        compact(event | {"rule": "Some rule \u2014 \u4e2d\u6587 \U0001f386"}),
        json.dumps(event | {"rule": "escaped \U0001f386"}, separators=(",", ":")).encode(),
        compact(without_time()),
        with_fields(evt__time__iso8601=time),
        with_fields(evt__time__iso8601=str(fields["evt.time.iso8601"])),
        with_fields(proc__pid="4711", user__uid="0", fd__num="9"),
        with_fields(proc__pid=4711.0, user__uid=-1),
        with_fields(k8s__ns__name="shop", k8s__pod__name="web-7d4b9c6f5d-x2x7q"),
        with_fields(container__id="host", container__name="host"),
        with_fields(container__id="", container__name=None, proc__name="runc:[1:CHILD]"),
        with_fields(proc__cmdline="nginx" + " " * 23),
        with_fields(proc__name="python3", proc__exepath="/usr/sbin/runc"),
        with_fields(fd__type="pipe", fd__typechar="p", fd__name="pipe:[444051]"),
        with_fields(evt__type="made_up_call"),
        with_fields(proc__cmdline="sh -c 'echo \"\\\t\u0001\u007f\u00e9\"'"),
        with_fields(fd__name="/tmp/" + "a" * 5000),
        compact(drop),
        # Pretty spacing, a carriage return at the end, keys twice.
        json.dumps(event).encode() + b"\r",
        whole.replace(b'"priority":"Debug"', b'"priority":"Debug","priority":"Warning"'),
        # From here on: not events.
        compact({**without_time(), "time": None}),
        compact({key: value for key, value in event.items() if key != "output_fields"}),
        compact(event | {"output_fields": []}),
        compact(event | {"output_fields": None}),
        whole[: len(whole) // 2],
        whole[len(whole) // 2 :],
        whole + whole,
        whole.replace(b'"/etc', b'"/\xff\xfe\xc3(etc'),
        whole.replace(b'"rule":"file"', b'"rule":"\\ud83d"'),
        whole.replace(b'"rule":"file"', b'"rule":"a\x00b"'),
        b'{"output_fields":' * 200 + b"1" + b"}" * 200,
        b"[" * 300,
        b"\xef\xbb\xbf" + whole,
        compact([event, event]),
        b"{}", b"[]", b"null", b'"text"', b"0", b"", b"   ", b"\x00\x01\x02\x1f\x8b",
        b"Sun Nov 22 09:11:17 2026: Falco version: 0.40.0 (x86_64)",
        b"Events detected: 1300665",
        b"Rule counts by severity:",
        b"   DEBUG: 1300665",
    ]


def cut_quirks(source, target):
    real = first_lines(lines_of(source, "shop-b"), QUIRKS_B)
    real += first_lines(lines_of(source, "shop"), QUIRKS_RULES)
    made = made_lines(real)
    (target / "quirks.jsonl").write_bytes(b"\n".join(real + made) + b"\n")
    print(f"quirks: {len(real)} real lines, {len(made)} made ones")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    cut_recording(source, target, "shop-b", "shop-small", SMALL_CONTAINERS, SMALL_PHASES)
    cut_recording(source, target, "shop", "shop-rules", RULES_CONTAINERS, RULES_PHASES)
    cut_quirks(source, target)


if __name__ == "__main__":
    main()
