import { describe, expect, it } from "vitest";
import type { Job } from "../../src/api/facts";
import { passwordProblem } from "../../src/pages/password";
import { secondsLeft } from "../../src/pages/console/jobFigures";

describe("time left", () => {
  const job = { objects: 100, spec: { workers_per_object: 3 } } as Job;
  it("follows the last hour's speed", () => {
    expect(secondsLeft(job, 200, 50)).toBe(7200);
    expect(secondsLeft(job, 300, 50)).toBe(0);
    expect(secondsLeft(job, 0, 0)).toBeNull();
  });
});

describe("passwords", () => {
  it("are refused as the server refuses them", () => {
    expect(["short", "ann@example.org", "aaaaaaaaaaaa", "ä".repeat(129)].map((text) => passwordProblem(text, "Ann@Example.org") !== "")).toEqual([true, true, true, true]);
    expect(passwordProblem("correct horse battery", "ann")).toBe("");
    expect(passwordProblem("ääääöööö", "ann")).toBe(""); // 16 bytes
  });
});
