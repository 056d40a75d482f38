// The few signs that pages use; each takes the colour of the text around it.
import { html, svg, type SVGTemplateResult, type TemplateResult } from "lit";

function icon(path: SVGTemplateResult): TemplateResult {
  return html`<svg
    aria-hidden="true"
    viewBox="0 0 24 24"
    width="18"
    height="18"
    fill="none"
    stroke="currentColor"
    stroke-width="2"
    stroke-linecap="round"
    stroke-linejoin="round"
  >
    ${path}
  </svg>`;
}

export const icons = {
  plus: icon(svg`<path d="M12 5v14M5 12h14"/>`),
  up: icon(svg`<path d="M6 15l6-6 6 6"/>`),
  down: icon(svg`<path d="M6 9l6 6 6-6"/>`),
  left: icon(svg`<path d="M15 6l-6 6 6 6"/>`),
  right: icon(svg`<path d="M9 6l6 6-6 6"/>`),
  close: icon(svg`<path d="M6 6l12 12M18 6L6 18"/>`),
  copy: icon(svg`<rect x="9" y="9" width="11" height="11" rx="2"/><path d="M5 15V6a2 2 0 0 1 2-2h8"/>`),
  folder: icon(svg`<path d="M3 7a2 2 0 0 1 2-2h4l2 3h8a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z"/>`),
  file: icon(svg`<path d="M6 3h8l5 5v13H6zM14 3v5h5"/>`),
  upload: icon(svg`<path d="M12 16V4M7 9l5-5 5 5M4 20h16"/>`),
  download: icon(svg`<path d="M12 4v12M7 11l5 5 5-5M4 20h16"/>`),
  more: icon(svg`<path stroke-width="3.5" d="M5 12h.01M12 12h.01M19 12h.01"/>`),
  person: icon(svg`<circle cx="12" cy="8" r="4"/><path d="M4 21c1-5 4-7 8-7s7 2 8 7"/>`),
};

/** Terrapin's mark. */
export const mark = html`<svg aria-hidden="true" viewBox="0 0 32 32" width="30" height="30">
  <path d="M4 20a12 9 0 0 1 24 0z" fill="#1b7f6b" />
  <path d="M10 20l3-8h6l3 8z" fill="#0f5a4c" />
  <path d="M27 19q4-3 4 1t-4 2z" fill="#1b7f6b" />
  <path d="M7 20h5v4H8zM20 20h5l-1 4h-4z" fill="#1b7f6b" />
  <circle cx="29.2" cy="19.6" r=".7" fill="#fff" />
</svg>`;
