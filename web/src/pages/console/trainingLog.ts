// What a job has written, following its end; searchable.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { client } from "../../api/client";
import type { LogLine, LogPage } from "../../api/controlFacts";
import { textField } from "../../ui/field";
import { Poll } from "../../ui/poll";
import { sheet } from "../../ui/style";
import { pollNote } from "../../ui/waiting";
import { plural } from "../../ui/words";
import { linesWith } from "./logLines";

const kMostLines = 5000;
const kPagesAtOnce = 40;
const kEveryMs = 2000;

/** `<p-training-log path="console/training-jobs/…/log" ?ended>` */
class TrainingLog extends LitElement {
  static override styles = [
    sheet,
    css`
      .lines {
        background: var(--surface-sunken);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        font-family: var(--mono);
        font-size: 0.85rem;
        height: 320px;
        overflow: auto;
        overflow-anchor: none;
        padding: 10px 12px;
      }
      .line {
        overflow-wrap: anywhere;
        white-space: pre-wrap;
      }
      time {
        color: var(--text-quiet);
        margin-right: 10px;
      }
      .remark {
        color: var(--text-quiet);
        font-style: italic;
      }
      .tools {
        align-items: end;
        display: flex;
        flex-wrap: wrap;
        gap: 8px 18px;
      }
      .tools .field {
        flex: 1 1 220px;
        max-width: 380px;
      }
    `,
  ];
  @property() path = "";
  @property({ type: Boolean }) ended = false;
  @state() private lines: LogLine[] = [];
  @state() private dropped = false;
  @state() private search = "";
  private offset = 0;
  private whole = false; // after its end: there is nothing more to come
  private following = true;
  private readonly poll = new Poll(this, kEveryMs, (signal) => this.load(signal));

  private async load(signal: AbortSignal): Promise<void> {
    if (this.whole || !this.path) return;
    const ended = this.ended;
    for (let pages = 0; pages < kPagesAtOnce; pages++) {
      const page = await client.get<LogPage>(this.path, { offset: this.offset }, signal);
      const before = this.offset;
      this.offset = page.next;
      if (page.lines.length > 0) {
        this.dropped ||= this.lines.length + page.lines.length > kMostLines;
        this.lines = [...this.lines, ...page.lines].slice(-kMostLines);
      }
      if (page.next === before) {
        this.whole = ended;
        return;
      }
    }
  }
  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("path") && changed.get("path")) {
      this.lines = [];
      this.offset = 0;
      this.whole = false;
      this.poll.now();
    }
    if (changed.has("ended") && this.ended && changed.get("ended") === false) this.poll.now();
  }
  private get box(): HTMLElement | null {
    return this.renderRoot.querySelector<HTMLElement>(".lines");
  }
  private scrolled(): void {
    const box = this.box;
    if (box) this.following = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
  }
  protected override updated(): void {
    const box = this.box;
    if (box && this.following && this.search === "") box.scrollTop = box.scrollHeight;
  }
  override render(): TemplateResult {
    const shown = linesWith(this.lines, this.search);
    return html`<div class="stack">
      <div class="tools">
        ${textField({
          id: "search",
          label: "Search the log",
          type: "search",
          value: this.search,
          onInput: (value) => (this.search = value),
        })}
        <span class="quiet" role="status">${this.search.trim() ? `${plural(shown.length, "line")} of ${this.lines.length}` : plural(shown.length, "line")}</span>
      </div>
      ${pollNote(this.poll)}
      ${this.dropped ? html`<p class="quiet">Shown are the last ${plural(kMostLines, "line")}; all of them come with output.tar.gz and the logs' API.</p>` : nothing}
      <div class="lines" tabindex="0" role="log" aria-label="Log" aria-live="off" @scroll=${() => this.scrolled()}>
        ${shown.length === 0
          ? html`<span class="quiet">${this.lines.length > 0 ? "No line holds that text." : this.ended ? "It has written nothing." : "Nothing written yet."}</span>`
          : shown.map(
              (line) =>
                html`<div class="line ${line.stream === 0 ? "remark" : ""}"><time datetime=${line.time}>${line.time.slice(11, 19)}</time>${line.text}</div>`,
            )}
      </div>
    </div>`;
  }
}
customElements.define("p-training-log", TrainingLog);
