import type { ReactiveController, ReactiveControllerHost } from "lit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Poll } from "../../src/ui/poll";

class Host implements ReactiveControllerHost {
  updates = 0;
  readonly updateComplete = Promise.resolve(true);
  addController(_controller: ReactiveController): void {}
  removeController(_controller: ReactiveController): void {}
  requestUpdate(): void {
    this.updates += 1;
  }
}

class Page {
  visibilityState = "visible";
  private readonly listeners = new Set<() => void>();
  addEventListener(_type: "visibilitychange", listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: "visibilitychange", listener: () => void): void {
    this.listeners.delete(listener);
  }
  show(state: "visible" | "hidden"): void {
    this.visibilityState = state;
    for (const listener of this.listeners) listener();
  }
  get watched(): boolean {
    return this.listeners.size > 0;
  }
}

describe("Poll", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function made(load: (signal: AbortSignal) => Promise<void>): { poll: Poll; page: Page; host: Host } {
    const page = new Page();
    const host = new Host();
    return { poll: new Poll(host, 1000, load, page), page, host };
  }

  it("asks at once and again after each answer", async () => {
    let asked = 0;
    const { poll, host } = made(async () => void asked++);
    expect(asked).toBe(0);
    poll.hostConnected();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(3000);
    expect(asked).toBe(4);
    expect(host.updates).toBe(4);
  });

  it("never has two questions under way", async () => {
    let running = 0;
    let most = 0;
    const { poll } = made(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5000));
      running--;
    });
    poll.hostConnected();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(most).toBe(1);
  });

  it("is silent while the page is hidden, and asks as soon as it is seen again", async () => {
    let asked = 0;
    const { poll, page } = made(async () => void asked++);
    poll.hostConnected();
    await vi.advanceTimersByTimeAsync(0);
    page.show("hidden");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toBe(1);
    page.show("visible");
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toBe(2);
  });

  it("waits longer after each failure, at most half a minute, and recovers", async () => {
    let asked = 0;
    let fails = true;
    const { poll } = made(async () => {
      asked++;
      if (fails) throw new Error("no");
    });
    poll.hostConnected();
    await vi.advanceTimersByTimeAsync(0);
    expect(poll.problem).toBeInstanceOf(Error);
    await vi.advanceTimersByTimeAsync(1999);
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toBe(2);
    await vi.advanceTimersByTimeAsync(600_000);
    const before = asked;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(asked).toBe(before + 1);
    fails = false;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(poll.problem).toBeNull();
  });

  it("ends what is under way when the host goes, and does not count it as a failure", async () => {
    let signal: AbortSignal | undefined;
    const { poll, page, host } = made((given) => {
      signal = given;
      return new Promise((_resolve, reject) => given.addEventListener("abort", () => reject(new Error("aborted"))));
    });
    poll.hostConnected();
    poll.hostDisconnected();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(signal?.aborted).toBe(true);
    expect(poll.problem).toBeNull();
    expect(host.updates).toBe(0);
    expect(page.watched).toBe(false);
  });
});
