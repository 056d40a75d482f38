// The looks of the plain elements; templates are written for a light page.
import { css } from "lit";

export const plain = css`
  :host {
    color: #15211e;
    font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  }
  :host([hidden]) {
    display: none;
  }
  button {
    background: #fff;
    border: 1px solid #8fa39c;
    border-radius: 8px;
    color: #15211e;
    cursor: pointer;
    font: inherit;
    font-weight: 600;
    min-height: 40px;
    padding: 6px 18px;
  }
  button.primary {
    background: #0b6b58;
    border-color: #0b6b58;
    color: #fff;
  }
  button:disabled {
    cursor: default;
    opacity: 0.55;
  }
  input,
  textarea {
    box-sizing: border-box;
    font: inherit;
  }
  input:not([type="checkbox"], [type="radio"], [type="range"]),
  textarea {
    border: 1px solid #8fa39c;
    border-radius: 8px;
    padding: 8px 10px;
    width: 100%;
  }
  label.line {
    align-items: flex-start;
    cursor: pointer;
    display: inline-flex;
    gap: 8px;
    padding: 4px 0;
  }
  label.line input {
    accent-color: #0b6b58;
    flex: none;
    height: 18px;
    margin: 2px 0 0;
  }
  label.line input:not([type="range"]) {
    width: 18px;
  }
  label.line input[type="range"] {
    width: 260px;
  }
  label.above {
    display: block;
    margin-bottom: 4px;
  }
  .error {
    color: #b3261e;
  }
  :focus-visible {
    outline: 2px solid #1f5fd0;
    outline-offset: 2px;
  }
`;
