// How the canvas and its dialogs look. The names are those of ui/theme.css; they are set here too, for a frame has no other styles.
import { css } from "lit";

const dark = css`
  color-scheme: dark;
  --ground: #101715;
  --surface: #18211e;
  --surface-sunken: #0b100f;
  --line: #35433e;
  --control-line: #71847d;
  --text: #e8efec;
  --text-quiet: #a9b8b2;
  --accent: #58c9ae;
  --accent-strong: #86dcc7;
  --on-accent: #06231c;
  --accent-soft: #173a32;
  --warning: #f3bd67;
  --success: #8ed79c;
  --focus: #8ab4ff;
  --shadow: 0 2px 6px rgb(0 0 0 / 50%), 0 8px 28px rgb(0 0 0 / 45%);
  --stage-ground: #0b100f;
`;

export const look = css`
  :host {
    color-scheme: light;
    --ground: #f6f8f7;
    --surface: #ffffff;
    --surface-sunken: #eaf0ee;
    --line: #c9d4d0;
    --control-line: #7a8b85;
    --text: #15211e;
    --text-quiet: #50605b;
    --accent: #0b6b58;
    --accent-strong: #07503f;
    --on-accent: #ffffff;
    --accent-soft: #d8efe8;
    --warning: #8a5300;
    --success: #1d6b2f;
    --focus: #1f5fd0;
    --shadow: 0 2px 6px rgb(0 0 0 / 12%), 0 8px 28px rgb(0 0 0 / 14%);
    --stage-ground: #d3dbd8;
    --font: system-ui, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
    --mono: ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace;
    color: var(--text);
    font: 14px/1.4 var(--font);
  }
  @media (prefers-color-scheme: dark) {
    :host(:not([data-theme="light"])) {
      ${dark}
    }
  }
  :host([data-theme="dark"]) {
    ${dark}
  }
  * {
    box-sizing: border-box;
  }
  .icon {
    display: block;
    flex: none;
  }
  button {
    font: inherit;
    color: inherit;
    background: none;
    border: 1px solid transparent;
    border-radius: 7px;
    padding: 0;
    cursor: pointer;
  }
  button:disabled {
    opacity: 0.4;
    cursor: default;
  }
  button:hover:not(:disabled) {
    background: var(--surface-sunken);
  }
  button[aria-pressed="true"] {
    background: var(--accent-soft);
    border-color: var(--accent);
    color: var(--accent-strong);
  }
  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 1px;
  }
  .plain {
    border-color: var(--control-line);
    padding: 5px 12px;
    min-height: 32px;
  }
  .strong {
    background: var(--accent);
    color: var(--on-accent);
    padding: 5px 16px;
    min-height: 34px;
  }
  .strong:hover:not(:disabled) {
    background: var(--accent-strong);
  }
  kbd {
    font: 11px/1 var(--mono);
    color: var(--text-quiet);
    background: var(--surface-sunken);
    border: 1px solid var(--line);
    border-radius: 4px;
    padding: 2px 4px;
    white-space: nowrap;
  }
  select,
  input[type="search"],
  input[type="number"] {
    font: inherit;
    color: inherit;
    background: var(--surface);
    border: 1px solid var(--control-line);
    border-radius: 6px;
    padding: 4px 6px;
    min-width: 0;
  }
  input[type="range"],
  input[type="checkbox"] {
    accent-color: var(--accent);
  }
  .hidden-text {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  dialog {
    color: inherit;
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: 12px;
    box-shadow: var(--shadow);
    padding: 0;
    width: min(760px, calc(100vw - 24px));
    max-height: calc(100dvh - 24px);
  }
  dialog[open] {
    display: flex;
    flex-direction: column;
  }
  dialog::backdrop {
    background: rgb(5 12 10 / 55%);
  }
  .dialog-head {
    display: flex;
    align-items: center;
    gap: 12px;
    padding: 12px 12px 12px 20px;
    border-bottom: 1px solid var(--line);
  }
  .dialog-head h2 {
    font-size: 17px;
    margin: 0;
    flex: 1;
  }
  .dialog-body {
    padding: 16px 20px;
    overflow: auto;
  }
  .square-button {
    width: 34px;
    height: 34px;
    display: inline-grid;
    place-items: center;
    flex: none;
  }
  @media (prefers-reduced-motion: no-preference) {
    button {
      transition: background-color 0.12s;
    }
  }
  @media (forced-colors: active) {
    button[aria-pressed="true"] {
      border: 2px solid Highlight;
    }
  }
`;
