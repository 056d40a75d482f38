// What a worker will see: the template in the same sandboxed frame, with the job's first photo. Nothing painted here is kept.
import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { keyed } from "lit/directives/keyed.js";
import type { FrameFile, FromFrame, LabelFacts, ToFrame, ViewSettings } from "../../bridge/protocol";
import { sheet } from "../../ui/style";
import { chosenTheme } from "../../ui/theme";
import { problemText } from "../../ui/toast";
import { loading } from "../../ui/waiting";
import { firstPhoto } from "./firstPhoto";

/** The pause after typing before the preview is made anew. */
const kPauseMs = 700;

function settings(): ViewSettings {
  return {
    keys: "terrapin",
    changedKeys: {},
    colorBlindPalette: false,
    theme: chosenTheme(),
    opacity: 0.6,
    outline: false,
    brushSize: 20,
  };
}

/** `<p-preview .template .labels .input .isManifest>` */
export class Preview extends LitElement {
  static override styles = [
    sheet,
    css`
      iframe {
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        display: block;
        height: 560px;
        width: 100%;
      }
    `,
  ];
  @property() template = "";
  @property({ attribute: false }) labels: LabelFacts[] = [];
  @property() input = "";
  @property({ type: Boolean }) isManifest = false;
  @state() private problem = "";
  @state() private shown = 0; // each try has a frame of its own
  private timer: ReturnType<typeof setTimeout> | undefined;
  private port: MessagePort | null = null;
  private order: ToFrame | null = null;
  private photo: { input: string; found: Awaited<ReturnType<typeof firstPhoto>> } | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("message", this.hello);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("message", this.hello);
    clearTimeout(this.timer);
    this.port?.close();
    this.port = null;
  }
  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("template") && !changed.has("labels") && !changed.has("input")) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.make(), this.order ? kPauseMs : 0);
  }
  private async make(): Promise<void> {
    const { template, labels, input } = this;
    try {
      if (this.photo?.input !== input) this.photo = { input, found: await firstPhoto(input, this.isManifest) };
      const photo = this.photo.found;
      if (!photo) {
        this.problem = "The preview needs a photo: choose where the photos are first.";
        this.order = null;
        return;
      }
      const { renderTemplate } = await import("../../template/template");
      const rendered = await renderTemplate({
        template,
        taskInput: { taskObject: photo.uri, labels: labels.map((one) => one.name) },
        images: { [photo.uri]: photo.uri },
      });
      if (template !== this.template) return;
      const files: FrameFile[] = rendered.files
        .filter((file) => file.uri === photo.uri)
        .map((file) => ({ placeholder: file.placeholder, uri: file.uri, content: photo.content }));
      this.problem = rendered.problems.join(" ");
      this.order = {
        type: "open",
        html: rendered.html,
        files,
        labels,
        draft: [],
        answer: null,
        readOnly: false,
        settings: settings(),
        assistance: null, // the photo is of no assignment
      };
      this.shown += 1;
    } catch (thrown) {
      this.problem = problemText(thrown);
    }
  }
  private readonly hello = (event: MessageEvent<{ terrapin?: unknown } | null>): void => {
    const frame = this.renderRoot.querySelector("iframe");
    if (!frame || event.source !== frame.contentWindow || event.data?.terrapin !== "hello" || !this.order) return;
    this.port?.close();
    const channel = new MessageChannel();
    this.port = channel.port1;
    this.port.onmessage = (message: MessageEvent<FromFrame>) => {
      if (message.data.type === "problem") this.problem = String(message.data.message).slice(0, 500);
    };
    // The frame has no origin of its own that could be named here.
    frame.contentWindow!.postMessage({ terrapin: "connect" }, "*", [channel.port2]);
    this.port.postMessage(this.order);
  };
  override render(): TemplateResult {
    return html`<div class="stack">
      ${this.problem ? html`<p class="note" role="status">${this.problem}</p>` : nothing}
      ${this.shown > 0
        ? keyed(
            this.shown,
            html`<iframe title="Preview of the task" src="/_/frame" sandbox="allow-scripts allow-forms" allow="fullscreen"></iframe>`,
          )
        : this.problem
          ? nothing
          : loading}
      <p class="hint">The first photo as a worker sees it. Try the tools; nothing is kept.</p>
    </div>`;
  }
}
customElements.define("p-preview", Preview);
