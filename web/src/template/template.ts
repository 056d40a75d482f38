// Renders task templates off the page's thread, within a time.
import type { RenderOrder, RenderReply } from "./liquidWorker";
import type { RenderedTemplate, TemplateInput } from "./render";

export type { RenderedTemplate, TemplateInput, WantedFile } from "./render";

/** A template that could not be rendered; the message names the line or the limit. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TemplateError";
  }
}

function randomText(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function startWorker(): Worker {
  return new Worker(new URL("./liquidWorker.ts", import.meta.url), { type: "module" });
}

/** Renders in a worker of its own, which is ended after `limitMs`, its start on a busy machine included (then, and for a wrong template: TemplateError). */
export function renderTemplate(input: TemplateInput, limitMs = 20_000, start: () => Worker = startWorker): Promise<RenderedTemplate> {
  return new Promise((resolve, reject) => {
    const worker = start();
    const end = (): void => {
      clearTimeout(timer);
      worker.terminate();
    };
    const timer = setTimeout(() => {
      end();
      reject(new TemplateError(`The task's template was not rendered within ${limitMs / 1000} seconds.`));
    }, limitMs);
    worker.onmessage = (event: MessageEvent<RenderReply>) => {
      end();
      if ("rendered" in event.data) resolve(event.data.rendered);
      else reject(new TemplateError(`The task's template: ${event.data.failed}`));
    };
    worker.onerror = (event) => {
      end();
      reject(new TemplateError(`The task's template could not be rendered${event.message ? `: ${event.message}` : ""}.`));
    };
    worker.postMessage({ input, secret: randomText() } satisfies RenderOrder);
  });
}
