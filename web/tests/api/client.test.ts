import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError, Client, address, type Session } from "../../src/api/client";
import { keyPath } from "../../src/api/facts";

const session: Session = {
  account: { id: "p", name: "ann", display_name: "", roles: ["worker"], groups: [], issuer: "", active: true, created: "" },
  csrf: "secret",
  expires: "",
};

function answering(status: number, body: string, headers: Record<string, string> = {}): { calls: [string, RequestInit][] } {
  const calls: [string, RequestInit][] = [];
  vi.stubGlobal("fetch", async (target: string, request: RequestInit) => {
    calls.push([target, request]);
    return new Response(body, { status, headers });
  });
  return { calls };
}

describe("Client", () => {
  afterEach(() => void vi.unstubAllGlobals());

  it("sends the session's token with changes only", async () => {
    const { calls } = answering(200, "{}");
    const client = new Client();
    client.adopt(session);
    await client.get("me");
    await client.post("sign-out");
    const headers = calls.map(([, request]) => request.headers as Record<string, string>);
    expect(headers[0]).not.toHaveProperty("X-CSRF-Token");
    expect(headers[1]).toMatchObject({ "X-CSRF-Token": "secret", "Content-Type": "application/json" });
  });
  it("posts with the session's token while the page goes, and not without a session", () => {
    const { calls } = answering(200, "{}");
    const client = new Client();
    client.postAndLeave("assignments/a/return");
    client.adopt(session);
    client.postAndLeave("assignments/a/return");
    expect(calls).toEqual([
      ["/_/api/assignments/a/return", expect.objectContaining({ method: "POST", keepalive: true, body: "{}", headers: expect.objectContaining({ "X-CSRF-Token": "secret" }) as unknown })],
    ]);
  });
  it("leaves out what is undefined in queries, and encodes the rest", () => {
    expect(address("a", { x: undefined, y: "ä &", z: false })).toBe("/_/api/a?y=%C3%A4+%26&z=false");
    expect(keyPath("b", "fo o/ä?.png")).toBe("b/fo%20o/%C3%A4%3F.png");
  });
  it("gives code, message and wait of a refusal", async () => {
    answering(429, '{"code":"TooManyRequests","message":"slower"}', { "Retry-After": "3" });
    const error = await new Client().get("me").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 429, code: "TooManyRequests", message: "slower", retryAfterSeconds: 3 });
  });
  it("says that the server was not reached", async () => {
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("network");
    });
    await expect(new Client().get("me")).rejects.toMatchObject({ status: 0, code: "Offline" });
  });
  it("passes an end asked for on as it is", async () => {
    const control = new AbortController();
    vi.stubGlobal("fetch", async () => {
      control.abort();
      throw new DOMException("", "AbortError");
    });
    await expect(new Client().get("me", {}, control.signal)).rejects.not.toBeInstanceOf(ApiError);
  });
  it("forgets an ended session and tells it once", async () => {
    answering(401, '{"code":"NotSignedIn","message":"sign in"}');
    const client = new Client();
    client.adopt(session);
    let told = 0;
    client.onSignedOut = () => void told++;
    await client.get("me").catch(() => undefined);
    await client.get("me").catch(() => undefined);
    expect(client.current).toBeNull();
    expect(told).toBe(1);
  });
  it("keeps the session when only a password was wrong", async () => {
    answering(401, '{"code":"WrongCredentials","message":"no"}');
    const client = new Client();
    client.adopt(session);
    await client.post("sign-in").catch(() => undefined);
    expect(client.current).toBe(session);
  });
});
