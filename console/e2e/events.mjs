// Events as Falco prints them, one by one.

/** A file that a program of a container opens. */
export function opened({ container, id, name, process = "worker", command = process, at, number }) {
  const fields = {
    "container.id": id,
    "container.name": container,
    "evt.type": "openat",
    "evt.time.iso8601": String(at),
    "evt.num": number,
    "fd.name": name,
    "fd.typechar": "f",
    "proc.name": process,
    "proc.cmdline": command,
    "evt.args": `fd=3(<f>${name}) flags=1(O_RDONLY)`,
  };
  const time = new Date(Number(BigInt(at) / 1_000_000n)).toISOString();
  const head = { hostname: "vm", priority: "Debug", rule: "file", source: "syscall" };
  return JSON.stringify({ ...head, time, output: "", tags: [], output_fields: fields });
}

/** Names of files, after which they come again: a tree that is full joins new ones, and so does the log. */
const NAMES = 1800;

/** So many events of one container up to now; no two of a batch are one behaviour, which the log merges. */
export function many(container, id, count, from = 0) {
  const now = BigInt(Date.now()) * 1_000_000n;
  return Array.from({ length: count }, (_, i) => {
    const number = from + i + 1;
    const name = `/srv/data/part-${((number - 1) % NAMES) + 1}.parquet`;
    const command = `worker --part ${((number - 1) % NAMES) + 1}`;
    const at = now - BigInt(count - i) * 1_000_000n;
    return opened({ container, id, name, command, at, number });
  });
}
