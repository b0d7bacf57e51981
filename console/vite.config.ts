import { writeFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const service = process.env.HANABI ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [
    react(),
    {
      // Emptying the folder takes the file by which git keeps it.
      name: "keep-dist",
      apply: "build",
      closeBundle() {
        const text =
          "# What a build leaves here goes into the binary, and not into git.\n*\n!.gitignore\n";
        writeFileSync("dist/.gitignore", text);
      },
    },
  ],
  // The service puts a new nonce in its place in every answer.
  html: { cspNonce: "__NONCE__" },
  build: {
    target: "es2022",
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  server: { proxy: { "/api": { target: service, changeOrigin: true } } },
  test: {
    environment: "jsdom",
    setupFiles: "src/test/setup.ts",
    restoreMocks: true,
    testTimeout: 30_000,
    include: ["src/**/*.test.{ts,tsx}"],
  },
});
