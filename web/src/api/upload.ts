// Sends files one after another, a few at once, each again after a failure of the network.
import { ApiError } from "./client";

export interface Upload {
  readonly file: File;
  readonly key: string;
  state: "waiting" | "sending" | "done" | "failed";
  sent: number; // bytes
  tries: number;
  problem: string;
}

/** Sends one file; tells how many bytes have gone. Rejects with ApiError. */
export type Send = (file: File, key: string, progress: (sent: number) => void, signal: AbortSignal) => Promise<void>;

export interface UploadOptions {
  atOnce: number;
  tries: number;
  /** Waits before try number `tries`. */
  pause: (tries: number, retryAfterSeconds: number | undefined) => Promise<void>;
}

const kOptions: UploadOptions = {
  atOnce: 3,
  tries: 5,
  pause: (tries, wait) =>
    new Promise((resolve) => setTimeout(resolve, wait ? wait * 1000 : Math.min(500 * 2 ** tries, 15_000))),
};

/** Whether the same call may do better later: the network, a busy server. */
export function worthAnotherTry(thrown: unknown): boolean {
  return thrown instanceof ApiError && (thrown.status === 0 || thrown.status === 429 || thrown.status === 503);
}

export class UploadQueue {
  readonly uploads: Upload[] = [];
  private readonly stopped = new AbortController();
  private running = 0;

  constructor(
    private readonly send: Send,
    private readonly changed: () => void,
    private readonly options: UploadOptions = kOptions,
  ) {}

  add(file: File, key: string): void {
    this.uploads.push({ file, key, state: "waiting", sent: 0, tries: 0, problem: "" });
    this.changed();
    this.next();
  }
  /** Failed ones go once more. */
  retry(): void {
    for (const upload of this.uploads)
      if (upload.state === "failed") Object.assign(upload, { state: "waiting", tries: 0, sent: 0, problem: "" });
    this.changed();
    this.next();
  }
  stop(): void {
    this.stopped.abort();
  }
  get busy(): boolean {
    return this.uploads.some((upload) => upload.state === "waiting" || upload.state === "sending");
  }
  count(state: Upload["state"]): number {
    return this.uploads.filter((upload) => upload.state === state).length;
  }

  private next(): void {
    while (this.running < this.options.atOnce && !this.stopped.signal.aborted) {
      const upload = this.uploads.find((one) => one.state === "waiting");
      if (!upload) return;
      upload.state = "sending";
      this.running += 1;
      void this.run(upload).finally(() => {
        this.running -= 1;
        this.changed();
        this.next();
      });
    }
  }
  private async run(upload: Upload): Promise<void> {
    for (;;) {
      try {
        upload.tries += 1;
        await this.send(
          upload.file,
          upload.key,
          (sent) => {
            upload.sent = sent;
            this.changed();
          },
          this.stopped.signal,
        );
        upload.state = "done";
        upload.sent = upload.file.size;
        return;
      } catch (thrown) {
        upload.problem = thrown instanceof Error ? thrown.message : String(thrown);
        if (this.stopped.signal.aborted || !worthAnotherTry(thrown) || upload.tries >= this.options.tries) {
          upload.state = "failed";
          return;
        }
        await this.options.pause(upload.tries, thrown instanceof ApiError ? thrown.retryAfterSeconds : undefined);
      }
    }
  }
}

/** Sends a file's bytes with progress, which fetch cannot tell. */
export function sendFile(
  target: string,
  csrf: string,
  file: File,
  progress: (sent: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", target);
    request.setRequestHeader("X-CSRF-Token", csrf);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onerror = () => reject(new ApiError(0, "Offline", "The server cannot be reached."));
    request.onabort = () => reject(new ApiError(0, "Stopped", "The upload was stopped."));
    request.onload = () => {
      if (request.status < 300) {
        resolve();
        return;
      }
      let told: { code?: string; message?: string } = {};
      try {
        told = JSON.parse(request.responseText) as typeof told;
      } catch {
        // Not from our server: the status alone counts.
      }
      const wait = Number(request.getResponseHeader("Retry-After"));
      reject(
        new ApiError(
          request.status,
          told.code ?? "Internal",
          told.message ?? `The server answered ${request.status}.`,
          wait > 0 ? wait : undefined,
        ),
      );
    };
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
