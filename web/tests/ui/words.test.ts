import { describe, expect, it } from "vitest";
import { durationText, lastPart, percentText, plural, sentence, sizeText, timeText } from "../../src/ui/words";

describe("words", () => {
  it("makes sentences of the server's messages, and leaves names and addresses as they are", () => {
    expect(["the name or the password is wrong", "'name' is missing", "s3://a/b: line 1: not valid JSON", "Done.", "sign in first!", ""].map(sentence)).toEqual([
      "The name or the password is wrong.",
      "'name' is missing.",
      "s3://a/b: line 1: not valid JSON.",
      "Done.",
      "Sign in first!",
      "",
    ]);
  });
  it("says durations in their two largest units", () => {
    expect([0, 59, 60, 3599, 3600, 3660, 7500, 172_800, 180_000, 864_000].map(durationText)).toEqual([
      "0 s",
      "59 s",
      "1 min",
      "1 h",
      "1 h",
      "1 h 1 min",
      "2 h 5 min",
      "2 days",
      "2 days 2 h",
      "10 days",
    ]);
  });
  it("says sizes with three digits", () => {
    expect([0, 999, 1000, 1_234_567, 5e9, 7e15].map(sizeText)).toEqual(["0 bytes", "999 bytes", "1.00 kB", "1.23 MB", "5.00 GB", "7.00e+3 TB"]);
  });
  it("counts", () => {
    expect(plural(1, "photo")).toBe("1 photo");
    expect(plural(0, "person", "people")).toBe("0 people");
    expect(percentText(0.1234)).toBe("12.3 %");
  });
  it("takes last parts of paths, also of folders", () => {
    expect(["s3://b/a/c.png", "a/b/", "plain", ""].map(lastPart)).toEqual(["c.png", "b", "plain", ""]);
  });
  it("has a sign for no time", () => {
    expect([null, undefined, "", "nonsense"].map(timeText)).toEqual(["–", "–", "–", "–"]);
  });
});
