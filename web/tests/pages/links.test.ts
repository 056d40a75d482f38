import { describe, expect, it } from "vitest";
import { isHere, linksOf, may } from "../../src/pages/links";

const labels = (...roles: ("admin" | "requester" | "worker")[]): string[] => linksOf({ roles }).map((link) => link.label);

describe("the header's links", () => {
  it("are those of the account's roles", () => {
    expect(labels("worker")).toEqual(["Tasks", "History"]);
    expect(labels("requester")).toEqual(["Console", "Training", "Models", "Endpoints", "Teams"]);
    expect(labels("admin")).toEqual(["Console", "Training", "Models", "Endpoints", "Teams", "People", "Keys"]);
    expect(labels("worker", "requester", "admin")).toEqual(["Tasks", "History", "Console", "Training", "Models", "Endpoints", "Teams", "People", "Keys"]);
    expect(labels()).toEqual([]);
  });
  it("show where one is, once", () => {
    const here = (path: string): string[] =>
      linksOf({ roles: ["worker", "admin"] }).filter((link) => isHere(link.href, path)).map((link) => link.label);
    expect(here("/_/")).toEqual(["Tasks"]);
    expect(here("/_/jobs")).toEqual(["Tasks"]);
    expect(here("/_/console/new")).toEqual(["Console"]);
    expect(here("/_/console/jobs/turtles/objects/3")).toEqual(["Console"]);
    expect(here("/_/console/training")).toEqual(["Training"]);
    expect(here("/_/console/new-training")).toEqual(["Training"]);
    expect(here("/_/console/models/turtles")).toEqual(["Models"]);
    expect(here("/_/console/compare")).toEqual(["Endpoints"]);
    expect(here("/_/console/teams")).toEqual(["Teams"]);
    expect(here("/_/account")).toEqual([]);
  });
});

describe("pages", () => {
  it("are shown to whom the server answers", () => {
    expect(may({ roles: ["admin"] }, "requester")).toBe(true);
    expect(may({ roles: ["admin"] }, "worker")).toBe(false);
    expect(may({ roles: ["requester"] }, "admin")).toBe(false);
    expect(may({ roles: [] }, "signed in")).toBe(true);
  });
});
