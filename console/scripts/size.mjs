// Fails when what the first screen needs is larger than agreed: the entry with all it imports, its
// styles, one language and the overview's page, as gzip. Lazy parts (charts, dialogs) are not in it.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 300 * 1024;
const manifest = JSON.parse(readFileSync("dist/.vite/manifest.json", "utf8"));
const seen = new Set();
function add(key) {
  const part = manifest[key];
  if (!part || seen.has(key)) return;
  seen.add(key);
  (part.imports ?? []).forEach(add);
}
["index.html", "src/i18n/zh.json", "src/pages/overview.tsx"].forEach(add);
const files = new Set(["index.html", "boot.js", "icon.svg"]);
for (const key of seen) {
  files.add(manifest[key].file);
  (manifest[key].css ?? []).forEach((file) => files.add(file));
}
const sizes = [...files].map((file) => [gzipSync(readFileSync(`dist/${file}`)).length, file]);
const total = sizes.reduce((sum, [size]) => sum + size, 0);
for (const [size, file] of sizes.sort((a, b) => b[0] - a[0]).slice(0, 8)) {
  console.log(`${(size / 1024).toFixed(1).padStart(8)} KB  ${file}`);
}
console.log(`first screen: ${(total / 1024).toFixed(1)} KB gzip of ${LIMIT / 1024} KB`);
if (total > LIMIT) {
  console.error("the first screen is too large: load more of it lazily");
  process.exit(1);
}
