import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { client, type Session } from "../../src/api/client";
import { dropPrefetched, nextTask, prefetch } from "../../src/pages/taskLoading";

// The server's side of leases, as far as this code sees it.
let leases: { id: string; job_name: string; state: string }[] = [];
let calls: string[] = [];
let now = 0;
let deadline = "";
let answered: Promise<void> = Promise.resolve(); // the answers that tell of a new lease wait for it

beforeEach(() => {
  leases = [{ id: "shown", job_name: "turtles", state: "leased" }];
  calls = [];
  now = 0;
  answered = Promise.resolve();
  deadline = "2026-01-01T01:00:00Z";
  vi.spyOn(performance, "now").mockImplementation(() => now);
  client.adopt({ account: { id: "p" }, csrf: "c", expires: "" } as Session);
  vi.stubGlobal("fetch", async (target: string, request: RequestInit) => {
    const path = target.replace("/_/api/", "").replace(/\?.*/, "");
    if (path.endsWith("/content")) return new Response('{"code":"NotFound","message":""}', { status: 404 });
    calls.push(`${request.method} ${path} ${typeof request.body === "string" ? request.body : ""}`.trim());
    if (path.endsWith("/return")) {
      leases = leases.filter((one) => path !== `assignments/${one.id}/return`);
      return Response.json({});
    }
    if (request.method === "GET") return Response.json({ assignments: leases });
    const { prefetch: more } = JSON.parse(String(request.body)) as { prefetch?: boolean };
    const held = leases.find((one) => one.state === "leased");
    if (!more && held) return Response.json({ assignment: held });
    const made = { id: `lease-${calls.length}`, job_name: "turtles", state: "leased", accepted: "2026-01-01T00:00:00Z", deadline };
    leases.push(made);
    await answered;
    return Response.json({ assignment: made });
  });
});
afterEach(() => {
  dropPrefetched();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const submitShown = (): void => {
  leases = leases.filter((one) => one.id !== "shown");
};

it("goes on with what was loaded ahead", async () => {
  const id = await prefetch("turtles", "shown");
  submitShown();
  now = 30_000;
  expect((await nextTask("turtles"))?.id).toBe(id);
  expect(calls.filter((call) => call.includes("/return"))).toEqual([]);
});
it("takes a fresh lease where the time of the one loaded ahead has run for long", async () => {
  const id = await prefetch("turtles", "shown");
  submitShown();
  now = 20 * 60_000;
  const next = await nextTask("turtles");
  expect(calls).toContain(`POST assignments/${id}/return {}`);
  expect(next?.id).not.toBe(id);
});
it("gives back what it took when the worker leaves, once", async () => {
  const id = await prefetch("turtles", "shown");
  dropPrefetched();
  dropPrefetched();
  expect(calls.filter((call) => call.includes("/return"))).toEqual([`POST assignments/${id}/return {}`]);
});
it("takes a fresh lease sooner where the time for a photo is short", async () => {
  deadline = "2026-01-01T00:01:00Z";
  const id = await prefetch("turtles", "shown");
  submitShown();
  now = 14_000;
  expect((await nextTask("turtles"))?.id).toBe(id);
  now = 16_000;
  expect((await nextTask("turtles"))?.id).not.toBe(id);
});
it("gives back a lease that comes after the worker left", async () => {
  let answer = (): void => undefined;
  answered = new Promise((resolve) => (answer = resolve));
  const asked = prefetch("turtles", "shown");
  await vi.waitUntil(() => leases.length === 2); // the server has made it, the page does not know
  dropPrefetched();
  answer();
  expect(await asked).toBeNull();
  await client.leaving;
  expect(calls.filter((call) => call.includes("/return"))).toHaveLength(1);
  expect(leases.map(({ id }) => id)).toEqual(["shown"]);
});
it("takes no lease after the worker left", async () => {
  const asked = prefetch("turtles", "shown");
  dropPrefetched();
  expect(await asked).toBeNull();
  expect(leases.map(({ id }) => id)).toEqual(["shown"]);
});
it("leaves a task alone that was held before: it may be open in another tab", async () => {
  leases.push({ id: "other-tab", job_name: "turtles", state: "leased" });
  expect(await prefetch("turtles", "shown")).toBe("other-tab");
  dropPrefetched();
  now = 20 * 60_000;
  expect(calls.filter((call) => call.includes("/return"))).toEqual([]);
});
