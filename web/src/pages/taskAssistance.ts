// Questions of the frame's canvas on their way to the server, and its answers back. Of many questions at once the newest counts.
import { ApiError, type Client } from "../api/client";
import type { ToFrame } from "../bridge/protocol";
import type { AssistAnswer, Assistance, Prompt } from "../model/prompt";

/** The newest question and the one whose place it takes; the server ends that at once. */
const kMostUnderWay = 2;
/** A large photo is decoded for its first question. */
const kPatienceMs = 30_000;

type Reply = Extract<ToFrame, { type: "assisted" }>;

interface Question {
  id: number;
  uri: string;
  prompt: Prompt;
}

export interface TaskAssistanceOptions {
  assignment: string;
  /** What the server offers; nothing is asked of one that offers none. */
  offered: Assistance | null | undefined;
  /** URIs of the task's own files: questions about others are not carried. */
  photos: readonly string[];
  client: Pick<Client, "post">;
  reply: (message: Reply) => void;
}

/** Why there is no answer, for people. */
export function assistProblem(error: unknown): string {
  const status = error instanceof ApiError ? error.status : 500;
  if (status === 0) return "Assistance needs the server; paint by hand or try again.";
  if (status === 401) return "You were signed out. Sign in for assistance, or paint by hand.";
  if (status === 429) return "The server takes no more questions for a moment; paint by hand or try again.";
  if (status >= 500) return "The server cannot answer now; paint by hand or try again.";
  return (error as ApiError).message;
}

export class TaskAssistance {
  readonly offered: Assistance | null;
  private readonly path: string;
  private readonly opened = new Set<string>();
  private readonly underWay = new Set<AbortController>();
  private waiting: Question | null = null;
  private newest = 0; // the last question's id
  private closed = false;

  constructor(private readonly options: TaskAssistanceOptions) {
    const { offered, assignment } = options;
    this.offered = offered && (offered.network || offered.classical) ? { network: offered.network, classical: offered.classical } : null;
    this.path = `assignments/${encodeURIComponent(assignment)}/assist`;
  }

  /** Lets the server make the photo ready, once. */
  open(uri: string): void {
    if (!this.mayAsk(uri) || this.opened.has(uri)) return;
    this.opened.add(uri);
    this.options.client.post(`${this.path}/open`, { image: uri }).catch(() => undefined); // the first question tells what is wrong
  }

  /** Replies once, whatever happens, unless it is closed before. */
  async ask(id: number, uri: string, prompt: Prompt): Promise<void> {
    if (!this.mayAsk(uri)) {
      this.reply({ type: "assisted", id, problem: "Assistance is not offered for this photo; paint by hand." });
      return;
    }
    const question = { id, uri, prompt };
    this.newest = id;
    if (this.underWay.size < kMostUnderWay) {
      await this.carry(question);
      return;
    }
    if (this.waiting) this.reply({ type: "assisted", id: this.waiting.id, problem: "A newer question took the place of this one." });
    this.waiting = question;
  }

  /** Ends all that is under way; nothing is replied any more. */
  close(): void {
    this.closed = true;
    this.waiting = null;
    for (const one of this.underWay) one.abort();
  }

  private mayAsk(uri: string): boolean {
    return this.offered !== null && !this.closed && this.options.photos.includes(uri);
  }

  private async carry({ id, uri, prompt }: Question): Promise<void> {
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), kPatienceMs);
    this.underWay.add(ending);
    try {
      const ask = (): Promise<AssistAnswer> => this.options.client.post<AssistAnswer>(this.path, { image: uri, ...prompt }, ending.signal);
      const { box, runs, method } = await ask().catch((error: unknown) => {
        // An older one came to the server after it.
        if (error instanceof ApiError && error.code === "superseded" && id === this.newest) return ask();
        throw error;
      });
      this.reply({ type: "assisted", id, answer: { box, runs, method } });
    } catch (error) {
      const late = `The server has not answered for ${kPatienceMs / 1000} seconds; paint by hand or try again.`;
      this.reply({ type: "assisted", id, problem: ending.signal.aborted ? late : assistProblem(error) });
    } finally {
      clearTimeout(timer);
      this.underWay.delete(ending);
      const next = this.waiting;
      this.waiting = null;
      if (next && !this.closed) void this.carry(next);
    }
  }

  private reply(message: Reply): void {
    if (!this.closed) this.options.reply(message);
  }
}
