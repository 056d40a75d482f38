import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    setupFiles: ["tests/webCrypto.ts"],
    testTimeout: 120_000, // a busy machine is no failure
  },
});
