// Who turns points on the photo into masks. The canvas knows no server: what holds it gives it one of these, or none.
import type { AssistAnswer, AssistMethod, Prompt } from "../model/prompt";

export interface Assistant {
  /** What may be asked for beside "auto". */
  readonly methods: readonly Exclude<AssistMethod, "auto">[];
  /** Questions about the photo are to be expected. */
  open(): void;
  /** Rejects with an Error whose message is for people. A newer question may end an older one so. */
  segment(prompt: Prompt): Promise<AssistAnswer>;
}
