// Undo and redo: what each step changed, both ways, as compact runs.

export interface Step {
  /** Runs of two-byte values (readRuns): the value before, then the value after. */
  readonly changes: Uint8Array;
}

/** Steps in a row with a place between them; the oldest are forgotten when together they need more than `mostBytes`. */
export class History {
  private steps: Step[] = [];
  private done = 0; // steps before it can be undone, the rest redone
  private bytes = 0;

  constructor(private readonly mostBytes: number) {}

  get canUndo(): boolean {
    return this.done > 0;
  }
  get canRedo(): boolean {
    return this.done < this.steps.length;
  }

  /** A new step; what could be redone cannot be any more. The newest step is kept however large it is. */
  push(step: Step): void {
    for (const lost of this.steps.splice(this.done)) this.bytes -= lost.changes.length;
    this.steps.push(step);
    this.bytes += step.changes.length;
    let forgotten = 0;
    while (this.bytes > this.mostBytes && forgotten < this.steps.length - 1)
      this.bytes -= this.steps[forgotten++]!.changes.length;
    this.steps.splice(0, forgotten);
    this.done = this.steps.length;
  }

  undo(): Step | null {
    return this.done > 0 ? this.steps[--this.done]! : null;
  }

  redo(): Step | null {
    return this.done < this.steps.length ? this.steps[this.done++]! : null;
  }

  clear(): void {
    this.steps = [];
    this.done = 0;
    this.bytes = 0;
  }
}
