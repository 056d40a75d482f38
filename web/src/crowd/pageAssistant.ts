// Questions of a canvas about its photo, as messages to the task's page.
import type { Assistant } from "../canvas/assistant";
import type { AssistAnswer, Prompt } from "../model/prompt";
import type { Runtime } from "./runtime";

class PageAssistant implements Assistant {
  constructor(
    private readonly shared: Runtime,
    private readonly uri: string,
    readonly methods: Assistant["methods"],
  ) {}

  open(): void {
    this.shared.send({ type: "assistOpen", uri: this.uri });
  }
  segment(prompt: Prompt): Promise<AssistAnswer> {
    return this.shared.ask(this.uri, prompt);
  }
}

/** For the photo behind an address; null where nobody answers, and for what is no photo of the task. */
export function assistantFor(shared: Runtime, address: string): Assistant | null {
  const uri = shared.uri(address);
  const offered = shared.assistance;
  if (uri === undefined || !offered) return null;
  const methods = (["network", "classical"] as const).filter((method) => offered[method]);
  return methods.length > 0 ? new PageAssistant(shared, uri, methods) : null;
}
