// The worker that renders one template and is ended then.
import { render, type RenderedTemplate, type TemplateInput } from "./render";

export interface RenderOrder {
  input: TemplateInput;
  secret: string;
}
export type RenderReply = { rendered: RenderedTemplate } | { failed: string };

self.onmessage = (event: MessageEvent<RenderOrder>) => {
  render(event.data.input, event.data.secret).then(
    (rendered) => self.postMessage({ rendered } satisfies RenderReply),
    (error: unknown) =>
      self.postMessage({ failed: error instanceof Error ? error.message : String(error) } satisfies RenderReply),
  );
};
