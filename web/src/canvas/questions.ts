// Questions whose answers take their time, while what is asked changes: the newest wins.
import type { Prompt } from "../model/prompt";

/** The least time from one followed question to the next: a dragged point moves more often than anybody looks. */
const kFollowEvery_ms = 50;

/** `send` asks and hands the answer to its second argument, always and once; `take` gets the answer to the newest question, and no other. */
export class Questions<Answer> {
  private turn = 0; // of the newest question
  private open = false; // it has no answer yet
  private underWay = 0; // older ones among them
  private waiting: Prompt | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly send: (prompt: Prompt, answered: (answer: Answer) => void) => void,
    private readonly take: (answer: Answer) => void,
  ) {}

  /** Whether an answer is still to come. */
  get expected(): boolean {
    return this.open || this.waiting !== null;
  }

  /** Asks at once. */
  ask(prompt: Prompt): void {
    this.waiting = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.askWaiting();
    }, kFollowEvery_ms);
    const turn = ++this.turn;
    this.open = true;
    ++this.underWay;
    this.send(prompt, (answer) => {
      --this.underWay;
      if (turn === this.turn) {
        this.open = false;
        this.take(answer);
      }
      this.askWaiting();
    });
  }

  /** Asks when no question is under way; of several that wait for that the newest alone. */
  follow(prompt: Prompt): void {
    this.waiting = prompt;
    this.askWaiting();
  }

  /** Whatever is still answered is not taken. */
  drop(): void {
    ++this.turn;
    this.open = false;
    this.waiting = null;
  }

  private askWaiting(): void {
    if (this.waiting && this.underWay === 0 && this.timer === null) this.ask(this.waiting);
  }
}
