// What all elements of one template share: the bridge, the draft, and when everything stands.
import type { FromFrame, LabelFacts, ToFrame, ViewSettings } from "../bridge/protocol";
import type { AssistAnswer, Assistance, Prompt } from "../model/prompt";
import type { FrameBridge } from "./bridge";
import { canvasPayload, fieldPayload, readDraft, snapshotPayload } from "./payload";

/** An element that shows a photo. */
export interface ViewMember {
  /** Resolves when the photo, and on a canvas the draft, are shown, or cannot be. */
  readonly opened: Promise<void>;
  change(change: { readOnly?: boolean; saved?: boolean; settings?: ViewSettings }): void;
}

/** One that is painted on: it takes part in drafts. */
export interface CanvasMember extends ViewMember {
  canvasName: string;
  takeSnapshot(): Promise<{ data: string; deltas: number } | null>;
  takePrevious(answer: Record<string, unknown> | null): void;
}

export interface FormMember {
  attemptSubmit(): Promise<void>;
  restore(fields: ReadonlyMap<string, unknown>, answer: Record<string, unknown> | null): void;
  setReadOnly(readOnly: boolean): void;
  showProblem(message: string): void;
}

export class Runtime {
  readonly canvases = new Set<CanvasMember>();
  readonly viewers = new Set<ViewMember>(); // those that are not painted on
  form: FormMember | null = null;
  readonly fields: Map<string, unknown>;
  private readonly canvasTexts: Map<string, { texts: string[]; places: number[] }>;
  private items: number; // payloads that were ever in this draft, as far as this document knows
  private readonly waiting: Promise<unknown>[] = [];
  private standing: Promise<void> | null = null;
  private readonly questions = new Map<number, { resolve(answer: AssistAnswer): void; reject(error: Error): void }>();
  private asked = 0;
  readOnly: boolean;

  constructor(private readonly bridge: FrameBridge | null) {
    const draft = readDraft(bridge?.draft ?? []);
    this.fields = draft.fields;
    this.canvasTexts = draft.canvases;
    this.items = bridge?.draft.length ?? 0;
    this.readOnly = bridge?.readOnly ?? false;
    if (draft.unreadable > 0) this.send({ type: "problem", message: `${draft.unreadable} parts of the draft could not be read.` });
    bridge?.listen((message) => this.take(message));
  }

  get labels(): LabelFacts[] {
    return this.bridge?.labels ?? [];
  }
  get settings(): ViewSettings | null {
    return this.bridge?.settings ?? null;
  }
  get connected(): boolean {
    return this.bridge !== null;
  }
  /** The answer that is being corrected. */
  get answer(): Record<string, unknown> | null {
    try {
      const value: unknown = JSON.parse(this.bridge?.answer ?? "null");
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
    } catch {
      return null;
    }
  }

  send(message: FromFrame): void {
    this.bridge?.send(message);
  }

  /** The content of a photo; without a page it is fetched. */
  async file(address: string): Promise<Blob> {
    const known = this.bridge?.file(address);
    if (known) return known;
    if (this.bridge) throw new Error(`The photo ${address === "" ? "" : `${address.slice(0, 200)} `}is not one this task may show; use grant_read_access.`);
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`The photo could not be loaded: ${answer.status}.`);
    return await answer.blob();
  }

  /** Who answers questions; null: nobody. */
  get assistance(): Assistance | null {
    return this.bridge?.assistance ?? null;
  }
  /** The URI of a photo of the task; undefined for what else a template may show. */
  uri(address: string): string | undefined {
    return this.bridge?.uri(address);
  }
  /** Rejects with an Error for people. */
  ask(uri: string, prompt: Prompt): Promise<AssistAnswer> {
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      this.questions.set(id, { resolve, reject });
      this.send({ type: "assist", id, uri, prompt });
    });
  }

  /** What was painted before on the canvas of this name. */
  draftOf(name: string): string[] {
    return this.canvasTexts.get(name)?.texts ?? [];
  }

  canvasDelta(name: string, delta: string): void {
    const known = this.canvasTexts.get(name) ?? { texts: [], places: [] };
    known.places.push(++this.items);
    this.canvasTexts.set(name, known);
    this.send({ type: "delta", data: canvasPayload(name, delta) });
  }

  fieldChanged(name: string, value: unknown): void {
    const before = this.fields.get(name);
    if (this.readOnly || JSON.stringify(before) === JSON.stringify(value)) return;
    this.fields.set(name, value);
    ++this.items;
    this.send({ type: "delta", data: fieldPayload(name, value) });
  }

  /** An element that is not yet ready to be used by the template's scripts. */
  hold(until: Promise<unknown>): void {
    this.waiting.push(until.catch(() => undefined));
  }

  /** Called by every element when it is connected: fires all-crowd-elements-ready once the document and all elements stand. */
  stand(): Promise<void> {
    this.standing ??= this.whenAllStand();
    return this.standing;
  }

  private async whenAllStand(): Promise<void> {
    if (document.readyState === "loading")
      await new Promise<void>((resolve) => document.addEventListener("DOMContentLoaded", () => resolve(), { once: true }));
    for (let count = 0; count < this.waiting.length; ) {
      count = this.waiting.length;
      await Promise.all(this.waiting);
    }
    this.form?.restore(this.fields, this.answer);
    if (this.readOnly) this.form?.setReadOnly(true);
    document.dispatchEvent(new Event("all-crowd-elements-ready"));
    await Promise.all([...this.canvases, ...this.viewers].map((one) => one.opened));
    this.send({ type: "ready" });
  }

  private take(message: ToFrame): void {
    switch (message.type) {
      case "readOnly":
        this.readOnly = message.reason !== null;
        for (const canvas of this.canvases) canvas.change({ readOnly: this.readOnly });
        this.form?.setReadOnly(this.readOnly);
        break;
      case "saveState":
        for (const canvas of this.canvases) canvas.change({ saved: message.saved });
        break;
      case "settings":
        for (const one of [...this.canvases, ...this.viewers]) one.change({ settings: message.settings });
        break;
      case "previous": {
        let answer: unknown = null;
        try {
          answer = JSON.parse(message.answer ?? "null");
        } catch {
          // None.
        }
        for (const canvas of this.canvases) canvas.takePrevious(answer as Record<string, unknown> | null);
        break;
      }
      case "snapshot":
        void this.snapshot().catch(() => undefined);
        break;
      case "submit":
        void this.form?.attemptSubmit();
        break;
      case "assisted": {
        const question = this.questions.get(message.id);
        this.questions.delete(message.id);
        if ("answer" in message) question?.resolve(message.answer);
        else question?.reject(new Error(message.problem));
        break;
      }
      case "open":
        break;
    }
  }

  private async snapshot(): Promise<void> {
    const canvases: Record<string, string> = {};
    let uncovered = Infinity;
    const known = new Set<string>();
    for (const canvas of this.canvases) {
      const name = canvas.canvasName;
      const taken = await canvas.takeSnapshot();
      if (!taken) return; // it is not open; its deltas stay as they are
      known.add(name);
      canvases[name] = taken.data;
      uncovered = Math.min(uncovered, this.canvasTexts.get(name)?.places[taken.deltas] ?? Infinity);
    }
    for (const name of this.canvasTexts.keys()) if (!known.has(name)) return;
    const covered = Math.min(this.items, uncovered - 1);
    if (covered < 1) return;
    this.send({
      type: "snapshot",
      data: snapshotPayload({ canvases, fields: Object.fromEntries(this.fields) }),
      deltas: covered,
    });
  }
}

let current: Runtime | null = null;

/** Starts the one runtime of this document. */
export function startRuntime(bridge: FrameBridge | null): Runtime {
  current ??= new Runtime(bridge);
  return current;
}
export function runtime(): Runtime {
  return (current ??= new Runtime(null));
}
