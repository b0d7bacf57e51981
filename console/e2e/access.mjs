// Who comes in sees what is theirs: a service that asks for tokens, and a person with a scope.
import assert from "node:assert/strict";
import { open, shot, violations } from "./browser.mjs";
import { many } from "./events.mjs";
import { Service } from "./service.mjs";

const CONTAINERS = [
  ["shop", "aaaaaaaaaaaa"],
  ["bank", "bbbbbbbbbbbb"],
];

export async function access(browser) {
  const service = await Service.begin({ authentication: true });
  try {
    for (const [name, id] of CONTAINERS)
      await service.post("/ingest/falco", many(name, id, 20).join("\n"), "application/x-ndjson");
    const page = await open(browser, service.url);
    const secret = await makeToken(page, service);
    await logOut(page);
    await scoped(page, secret);
    await revoked(page, service);
    await page.context().close();
  } finally {
    await service.end();
  }
}

async function logIn(page, token) {
  await page.getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

async function logOut(page) {
  await page.getByRole("button", { name: /^Log out/ }).click();
  await page.getByLabel("Token").waitFor();
  assert.equal(await page.getByRole("navigation", { name: "Pages" }).count(), 0);
}

/** An administrator makes a token for somebody who may look at one container. */
async function makeToken(page, service) {
  await page.goto(`${service.url}/system?part=tokens`);
  await page.getByLabel("Token").waitFor();
  assert.deepEqual(await violations(page), []);
  await shot(page, "login");
  await page.getByLabel("Token").fill("hnb_wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("The token is not taken.").waitFor();
  await logIn(page, service.admin);
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("vic");
  await dialog.getByLabel("Containers").fill("sh*");
  await shot(page, "new-token");
  assert.deepEqual(await violations(page), []);
  await dialog.getByRole("button", { name: "Make the token" }).click();
  const secret = await dialog.locator("pre").innerText();
  assert.match(secret, /^hnb_/);
  await dialog.getByRole("button", { name: "Close" }).click();
  await page.getByRole("cell", { name: "vic" }).waitFor();
  await shot(page, "tokens");
  return secret;
}

/** Lists, addresses and the system's pages hold nothing of others. */
async function scoped(page, secret) {
  await logIn(page, secret);
  await page.getByRole("link", { name: "Containers", exact: true }).click();
  await page.getByRole("link", { name: "shop" }).waitFor();
  assert.equal(await page.getByText("bank").count(), 0, "only theirs are listed");
  const origin = new URL(page.url()).origin;
  await page.goto(`${origin}/containers/bank/logs`);
  await page.getByRole("alert").getByText("HTTP 404").waitFor();
  await page.goto(`${origin}/system?part=audit`);
  await page.getByText("Not for this role").waitFor();
  await shot(page, "not-allowed");
  assert.deepEqual(await violations(page), []);
}

/** A token that is revoked ends the session that was begun with it. */
async function revoked(page, service) {
  const { tokens } = await service.get("/api/tokens");
  const { id } = tokens.find((one) => one.name === "vic");
  const headers = { "content-type": "application/json", ...service.who };
  const options = { method: "DELETE", headers, body: "{}" };
  const answer = await fetch(`${service.url}/api/tokens/${id}`, options);
  assert.equal(answer.status, 200);
  await page.goto(`${service.url}/containers`);
  await page.getByLabel("Token").waitFor();
}
