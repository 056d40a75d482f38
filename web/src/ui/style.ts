// What every page and element looks like alike. Components add `sheet` to their styles and little of their own.
import { css } from "lit";

export const sheet = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3 {
    line-height: 1.2;
    margin: 0;
    overflow-wrap: anywhere;
  }
  h1 {
    font-size: 1.6rem;
  }
  h2 {
    font-size: 1.15rem;
  }
  h3 {
    font-size: 1rem;
  }
  h1:focus {
    outline: none;
  }
  p {
    margin: 0;
  }
  a {
    color: var(--accent);
  }
  a:hover {
    color: var(--accent-strong);
  }
  code,
  .mono {
    font-family: var(--mono);
    font-size: 0.92em;
    overflow-wrap: anywhere;
  }
  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 2px;
  }
  button,
  .button {
    align-items: center;
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    color: var(--text);
    cursor: pointer;
    display: inline-flex;
    font: inherit;
    font-weight: 600;
    gap: 8px;
    justify-content: center;
    min-height: 40px;
    padding: 6px 14px;
    text-decoration: none;
    white-space: nowrap;
  }
  button:hover,
  .button:hover {
    border-color: var(--accent);
    color: var(--text);
  }
  button.primary,
  .button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  button.primary:hover,
  .button.primary:hover {
    background: var(--accent-strong);
    border-color: var(--accent-strong);
    color: var(--on-accent);
  }
  button.danger {
    border-color: var(--danger);
    color: var(--danger);
  }
  button.danger:hover {
    background: var(--danger-soft);
  }
  button.plain {
    background: none;
    border-color: transparent;
    padding: 6px 8px;
  }
  button.plain:hover {
    background: var(--surface-sunken);
  }
  button.small,
  .button.small {
    font-size: 0.92em;
    min-height: 32px;
    padding: 3px 10px;
  }
  button:disabled {
    cursor: default;
    opacity: 0.6;
  }
  button[aria-busy="true"]::before {
    animation: turn 0.8s linear infinite;
    border: 2px solid currentcolor;
    border-radius: 50%;
    border-top-color: transparent;
    content: "";
    height: 14px;
    width: 14px;
  }
  @keyframes turn {
    to {
      transform: rotate(1turn);
    }
  }
  @media (prefers-reduced-motion: reduce) {
    * {
      animation-duration: 0s !important;
      transition: none !important;
    }
  }
  input,
  select,
  textarea {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    color: var(--text);
    font: inherit;
    max-width: 100%;
    min-height: 40px;
    padding: 7px 10px;
    width: 100%;
  }
  input::placeholder,
  textarea::placeholder {
    color: var(--text-quiet);
    opacity: 1;
  }
  input[type="checkbox"],
  input[type="radio"] {
    accent-color: var(--accent);
    height: 18px;
    margin: 0;
    min-height: 0;
    width: 18px;
  }
  input[type="range"] {
    accent-color: var(--accent);
    border: 0;
    min-height: 24px;
    padding: 0;
  }
  input[type="color"] {
    min-height: 40px;
    padding: 3px;
    width: 48px;
  }
  textarea {
    min-height: 96px;
    resize: vertical;
  }
  [aria-invalid="true"] {
    border-color: var(--danger);
  }
  .field {
    align-content: start;
    display: grid;
    gap: 4px;
    min-width: 0;
  }
  .filters {
    align-items: end;
    display: grid;
    gap: var(--gap);
  }
  .field > label,
  .legend {
    font-weight: 600;
  }
  .hint,
  .quiet {
    color: var(--text-quiet);
  }
  .hint {
    font-size: 0.92em;
  }
  .error {
    color: var(--danger);
    font-size: 0.92em;
  }
  .check {
    align-items: flex-start;
    display: flex;
    gap: 8px;
  }
  .check input {
    flex: none;
    margin-top: 2px;
  }
  fieldset {
    border: 0;
    display: grid;
    gap: var(--gap);
    margin: 0;
    min-width: 0;
    padding: 0;
  }
  legend {
    font-weight: 600;
    margin-bottom: 6px;
    padding: 0;
  }
  .page {
    display: grid;
    gap: 20px;
    grid-template-columns: minmax(0, 1fr);
    margin: 0 auto;
    max-width: 1240px;
    padding: 24px 20px 64px;
  }
  .narrow {
    max-width: 460px;
  }
  .middle {
    max-width: 860px;
  }
  .card {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: 12px;
    box-shadow: var(--shadow);
    display: grid;
    gap: 14px;
    grid-template-columns: minmax(0, 1fr);
    padding: 18px;
  }
  .row {
    align-items: center;
    display: flex;
    flex-wrap: wrap;
    gap: var(--gap);
  }
  .between {
    justify-content: space-between;
  }
  .grow {
    flex: 1 1 200px;
    min-width: 0;
  }
  .stack {
    display: grid;
    gap: 14px;
    grid-template-columns: minmax(0, 1fr);
  }
  .columns {
    display: grid;
    gap: 14px;
    grid-template-columns: repeat(auto-fit, minmax(min(240px, 100%), 1fr));
  }
  .badge {
    background: var(--surface-sunken);
    border-radius: 99px;
    color: var(--text);
    display: inline-block;
    font-size: 0.86em;
    font-weight: 600;
    padding: 2px 10px;
    white-space: nowrap;
  }
  .badge.good {
    background: var(--success-soft);
    color: var(--success);
  }
  .badge.bad {
    background: var(--danger-soft);
    color: var(--danger);
  }
  .badge.warn {
    background: var(--warning-soft);
    color: var(--warning);
  }
  .badge.live {
    background: var(--accent-soft);
    color: var(--accent-strong);
  }
  .note {
    background: var(--warning-soft);
    border-radius: var(--radius);
    color: var(--warning);
    padding: 10px 12px;
  }
  .note.bad {
    background: var(--danger-soft);
    color: var(--danger);
  }
  .visually-hidden {
    clip-path: inset(50%);
    height: 1px;
    margin: -1px;
    overflow: hidden;
    position: absolute;
    white-space: nowrap;
    width: 1px;
  }
  .facts {
    display: grid;
    gap: 6px 18px;
    grid-template-columns: minmax(120px, max-content) minmax(0, 1fr);
    margin: 0;
  }
  .facts dt {
    color: var(--text-quiet);
  }
  .facts dd {
    margin: 0;
    overflow-wrap: anywhere;
  }
  @media (max-width: 640px) {
    .page {
      padding: 16px 14px 48px;
    }
    .card {
      padding: 14px;
    }
    .facts {
      gap: 2px;
      grid-template-columns: minmax(0, 1fr);
    }
    .facts dd {
      margin-bottom: 6px;
    }
  }
`;
