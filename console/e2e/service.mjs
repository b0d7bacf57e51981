// The real binary on a free port with a data directory of its own.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const binary = process.env.HANABI_BIN ?? join(root, "target/debug/hanabi");
export const RECORDING = join(root, "fixtures/shop-small.jsonl.zst");

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export class Service {
  /** The administrator's token where one has to say who one is. */
  admin = "";

  /** With `set`, keys of the configuration as `key=value`. */
  static async begin({ set = [], authentication = false } = {}) {
    const service = new Service();
    service.folder = mkdtempSync(join(tmpdir(), "hanabi-console-"));
    service.url = `http://127.0.0.1:${await freePort()}`;
    service.set = set.flatMap((one) => ["--set", one]);
    if (authentication) {
      service.admin = `hnb_${"a1".repeat(24)}`;
      const file = join(service.folder, "admin");
      writeFileSync(file, service.admin, { mode: 0o600 });
      service.set.push("--set", "auth.mode=required", "--set", `auth.admin_token_file=${file}`);
    }
    await service.start();
    return service;
  }

  async start() {
    const log = openSync(join(this.folder, "service.log"), "a");
    const listen = new URL(this.url).host;
    const options = [
      "run",
      "--listen",
      listen,
      "--data-dir",
      join(this.folder, "data"),
      ...this.set,
    ];
    this.process = spawn(binary, options, { stdio: ["ignore", log, log] });
    for (const end = Date.now() + 30_000; Date.now() < end;) {
      const ready = await fetch(`${this.url}/readyz`).catch(() => null);
      if (ready?.ok) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`${binary} did not become ready: see ${this.folder}/service.log`);
  }

  async stop() {
    const gone = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGTERM");
    await gone;
  }

  async end() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What an administrator says of who asks. */
  get who() {
    return this.admin ? { authorization: `Bearer ${this.admin}` } : {};
  }

  /** Plays a recording so that it ends now, as fast as it goes. */
  send(recording) {
    const options = ["send", recording, "--to", this.url, "--speed", "max", "--shift", "end"];
    execFileSync(binary, options, { stdio: "ignore" });
  }

  async get(path) {
    return (await fetch(this.url + path, { headers: this.who })).json();
  }

  async post(path, body, media = "application/json") {
    const headers = { "content-type": media, ...this.who };
    const answer = await fetch(this.url + path, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }
}
