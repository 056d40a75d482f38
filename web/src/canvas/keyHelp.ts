// The dialog behind "?": every action with its keys, which can be changed there.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";
import type { ViewSettings } from "../bridge/protocol";
import { actionsOf, type Action, type ActionGroup } from "./actions";
import { kDefaultSettings } from "./editor";
import { icon } from "./icons";
import { conflicts, keysOf, keyTexts, kPresets, type KeyPreset } from "./keys";
import { look } from "./look";

const groups: readonly ActionGroup[] = ["Tools", "Labels", "Painting", "View", "Keyboard cursor", "Task"];

/** What mouse and fingers do; these stay as they are. */
type Gestures = readonly (readonly [what: string, how: string])[];
const lookGestures: Gestures = [
  ["Zoom where the pointer is", "Wheel"],
  ["Move the view", "Middle button, or two fingers"],
];
const paintGestures: Gestures = [
  ["Change the brush", "Alt + wheel"],
  ["Straight line", "Shift + drag"],
  ["Erase for a moment", "Alt + drag"],
  ["Close a polygon", "Double click, or its first point"],
  ["Draw a polygon freehand", "Drag"],
];
const assistGestures: Gestures = [
  ["Four clicks: move a point", "Drag it"],
  ["Four clicks: remove", "Alt + click, or right button"],
];

/** Fires "change-keys" with detail {keys, changedKeys}. */
export class KeyHelp extends LitElement {
  @property({ attribute: false }) settings: ViewSettings = kDefaultSettings;
  @property({ type: Boolean }) assisted = false;
  @property({ type: Boolean }) viewing = false;
  @state() private learning: string | null = null;
  @query("dialog") private dialog!: HTMLDialogElement;

  show(): void {
    if (!this.dialog.open) this.dialog.showModal();
  }
  get isOpen(): boolean {
    return this.dialog?.open ?? false;
  }

  private change(keys: KeyPreset, changedKeys: Record<string, string>): void {
    this.dispatchEvent(new CustomEvent("change-keys", { detail: { keys, changedKeys } }));
  }

  private learn(event: KeyboardEvent): void {
    if (this.learning === null) return;
    event.preventDefault();
    event.stopPropagation();
    const [text] = keyTexts(event);
    if (!text) return; // only a modifier so far
    const id = this.learning;
    this.learning = null;
    if (text === "Esc") return;
    this.change(this.settings.keys, { ...this.settings.changedKeys, [id]: text });
  }

  private reset(id: string): void {
    const { [id]: _gone, ...rest } = this.settings.changedKeys;
    this.change(this.settings.keys, rest);
  }

  private row(action: Action): TemplateResult {
    const { keys, changedKeys } = this.settings;
    const changed = changedKeys[action.id] !== undefined;
    const texts = keysOf(action, keys, changedKeys);
    return html`<tr>
      <th scope="row">${action.title}</th>
      <td>${this.learning === action.id ? html`<em>Press a key, or Esc</em>` : texts.length ? texts.map((text) => html`<kbd>${text}</kbd> `) : "none"}</td>
      <td class="buttons">
        <button class="link" aria-label=${`Change the key of: ${action.title}`} @click=${() => (this.learning = action.id)}>Change</button>
        ${changed ? html`<button class="link" aria-label=${`Give back the key of: ${action.title}`} @click=${() => this.reset(action.id)}>Reset</button>` : nothing}
      </td>
    </tr>`;
  }

  override render(): TemplateResult {
    const { keys, changedKeys } = this.settings;
    const actions = actionsOf(this.assisted, this.viewing);
    const doubled = conflicts(actions, keys, changedKeys);
    const gestures = [...lookGestures, ...(this.viewing ? [] : paintGestures), ...(this.assisted && !this.viewing ? assistGestures : [])];
    return html`<dialog aria-labelledby="title" @keydown=${this.learn} @close=${() => (this.learning = null)}>
      <div class="dialog-head">
        <h2 id="title">Keys</h2>
        <label>Like <select @change=${(event: Event) => this.change((event.target as HTMLSelectElement).value as KeyPreset, changedKeys)}>
          ${kPresets.map(({ id, title }) => html`<option value=${id} ?selected=${id === keys}>${title}</option>`)}
        </select></label>
        <button class="square-button" aria-label="Close" @click=${() => this.dialog.close()}>${icon("close")}</button>
      </div>
      <div class="dialog-body" tabindex="0">
        <div role="status">
          ${doubled.map(({ key, titles }) => html`<p class="conflict"><kbd>${key}</kbd> stands for ${titles.length} actions: ${titles.join("; ")}. Only one of them will answer; change the others.</p>`)}
        </div>
        <div class="columns">
          <section>
            <h3>Mouse and touch</h3>
            <table>
              ${gestures.map(([what, how]) => html`<tr><th scope="row">${what}</th><td colspan="2">${how}</td></tr>`)}
            </table>
          </section>
          ${groups.filter((group) => actions.some((action) => action.group === group)).map(
            (group) => html`<section>
              <h3>${group}</h3>
              <table>
                ${actions.filter((action) => action.group === group).map((action) => this.row(action))}
              </table>
            </section>`,
          )}
        </div>
        ${Object.keys(changedKeys).length > 0 ? html`<button class="plain" @click=${() => this.change(keys, {})}>Give all keys back</button>` : nothing}
      </div>
    </dialog>`;
  }

  static override styles = [
    look,
    css`
      dialog {
        width: min(940px, calc(100vw - 24px));
      }
      .columns {
        columns: 2 340px;
        column-gap: 36px;
      }
      section {
        break-inside: avoid-column;
        margin: 0 0 18px;
      }
      section:nth-of-type(3) {
        break-inside: auto;
      }
      h3 {
        font-size: 12px;
        text-transform: uppercase;
        letter-spacing: 0.05em;
        color: var(--text-quiet);
        margin: 0 0 4px;
      }
      table {
        width: 100%;
        border-collapse: collapse;
      }
      th {
        font-weight: 400;
        text-align: left;
        padding: 3px 8px 3px 0;
      }
      td {
        padding: 3px 0;
        text-align: right;
        white-space: nowrap;
      }
      tr {
        border-bottom: 1px solid var(--line);
      }
      .buttons {
        width: 1%;
        white-space: nowrap;
        padding-left: 8px;
      }
      .link {
        color: var(--accent);
        font-size: 12px;
        padding: 2px 4px;
      }
      .conflict {
        color: var(--warning);
        margin: 0 0 8px;
      }
    `,
  ];
}
// The script may stand in a document twice: in the frame's own and in the template.
if (!customElements.get("terrapin-key-help")) customElements.define("terrapin-key-help", KeyHelp);
