// Asks again and again, while somebody looks.
import type { ReactiveController, ReactiveControllerHost } from "lit";

/** What the poll needs of the document, so that tests can hide it. */
export interface Visibility {
  readonly visibilityState: string;
  addEventListener(type: "visibilitychange", listener: () => void): void;
  removeEventListener(type: "visibilitychange", listener: () => void): void;
}

const kLongestMs = 30_000;

/**
 * Calls `load` at once and then `everyMs` after each answer, as long as the host is on the page and the page is visible;
 * after failures it waits twice as long each time, up to half a minute. `load` gets a signal that ends with the poll.
 */
export class Poll implements ReactiveController {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: AbortController | null = null;
  private failures = 0;
  private connected = false;
  /** Of the last try; null after a success. */
  problem: unknown = null;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly everyMs: number,
    private readonly load: (signal: AbortSignal) => Promise<void>,
    private readonly page: Visibility = document,
  ) {
    host.addController(this);
  }
  private readonly seen = (): void => {
    if (this.page.visibilityState === "visible") this.now();
    else this.stop();
  };
  hostConnected(): void {
    this.connected = true;
    this.page.addEventListener("visibilitychange", this.seen);
    this.now();
  }
  hostDisconnected(): void {
    this.connected = false;
    this.page.removeEventListener("visibilitychange", this.seen);
    this.stop();
  }
  private stop(): void {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = null;
  }
  /** Asks now, whatever the clock says; a question under way is dropped. */
  now(): void {
    this.stop();
    if (!this.connected || this.page.visibilityState !== "visible") return;
    void this.once();
  }
  private async once(): Promise<void> {
    const control = new AbortController();
    this.running = control;
    try {
      await this.load(control.signal);
      if (control.signal.aborted) return;
      this.failures = 0;
      this.problem = null;
    } catch (thrown) {
      if (control.signal.aborted) return;
      this.failures += 1;
      this.problem = thrown;
    }
    this.running = null;
    this.host.requestUpdate();
    this.timer = setTimeout(() => void this.once(), Math.min(this.everyMs * 2 ** this.failures, kLongestMs));
  }
}
