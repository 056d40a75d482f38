// Icons of 20 x 20, drawn with the colour of the text around them.
import { svg, type SVGTemplateResult, type TemplateResult, html } from "lit";

const shapes = {
  brush: svg`<path d="M16.6 2.4c-.8-.8-2-.7-2.8.1L7 9.6l3.4 3.4 7.1-6.8c.8-.8.9-2 .1-2.8zM6 11c-1.7.1-2.6 1.4-2.8 2.9-.1 1-.5 1.8-1.4 2.3 1.1.9 2.9 1.2 4.3.8 1.6-.4 2.8-1.7 2.8-3.2z"/>`,
  eraser: svg`<path d="M11.5 3.3 3 11.8c-.7.7-.7 1.8 0 2.5l2.7 2.7h10.8M7.3 7.6l5.8 5.8M11.5 3.3c.7-.7 1.8-.7 2.5 0l3 3c.7.7.7 1.8 0 2.5L8.9 17"/>`,
  polygon: svg`<path d="m4 6.5 7-3.5 5.5 5-2 8.5H5.5z"/><g fill="currentColor" stroke="none"><circle cx="4" cy="6.5" r="1.6"/><circle cx="11" cy="3" r="1.6"/><circle cx="16.5" cy="8" r="1.6"/><circle cx="14.5" cy="16.5" r="1.6"/><circle cx="5.5" cy="16.5" r="1.6"/></g>`,
  polygonSubtract: svg`<path d="m4 6.5 7-3.5 5.5 5-2 8.5H5.5z" stroke-dasharray="2.5 2"/><path d="M7 10.3h6" stroke-width="2"/>`,
  fill: svg`<path d="m9 3 6.5 6.5-5.6 5.6c-.6.6-1.5.6-2.1 0L3.4 10.7c-.6-.6-.6-1.5 0-2.1zM7 5 5 3M3 9.6h12.3"/><path d="M17 12.5c-.9 1.3-1.4 2.1-1.4 2.9a1.4 1.4 0 0 0 2.8 0c0-.8-.5-1.6-1.4-2.9z" fill="currentColor" stroke="none"/>`,
  wand: svg`<path d="m3 17 8.5-8.5M10 10l-1-1"/><path d="M13.5 2v3M13.5 9v3M10 7H8.5M18.5 7H16M16.8 3.7l-1.5 1.5M10.3 3.7l1.5 1.5M16.8 10.3l-1.5-1.5"/>`,
  assist: svg`<path d="M10 4c3.4 0 5 2.2 5.6 5.4.5 3-1.6 6.6-5.6 6.6s-6-3-5.6-6.2C4.8 6.4 6.6 4 10 4z" stroke-dasharray="2 2.4"/><g fill="currentColor" stroke="none"><circle cx="10" cy="3.6" r="1.9"/><circle cx="4" cy="10.4" r="1.9"/><circle cx="10" cy="16.4" r="1.9"/><circle cx="16" cy="9.8" r="1.9"/></g>`,
  pan: svg`<path d="M10 2v16M2 10h16M10 2 7.8 4.2M10 2l2.2 2.2M10 18l-2.2-2.2M10 18l2.2-2.2M2 10l2.2-2.2M2 10l2.2 2.2M18 10l-2.2-2.2M18 10l-2.2 2.2"/>`,
  undo: svg`<path d="M7 4 3.5 7.5 7 11M4 7.5h8a4.5 4.5 0 0 1 0 9H8"/>`,
  redo: svg`<path d="M13 4l3.5 3.5L13 11M16 7.5H8a4.5 4.5 0 0 0 0 9h4"/>`,
  zoomIn: svg`<circle cx="8.5" cy="8.5" r="5.5"/><path d="m17.5 17.5-5-5M8.5 6v5M6 8.5h5"/>`,
  zoomOut: svg`<circle cx="8.5" cy="8.5" r="5.5"/><path d="m17.5 17.5-5-5M6 8.5h5"/>`,
  fit: svg`<path d="M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4"/><rect x="6.5" y="6.5" width="7" height="7" rx="1"/>`,
  eye: svg`<path d="M1.8 10S4.8 4.5 10 4.5 18.2 10 18.2 10 15.2 15.5 10 15.5 1.8 10 1.8 10z"/><circle cx="10" cy="10" r="2.5"/>`,
  eyeOff: svg`<path d="M3.5 7.5C2.4 8.7 1.8 10 1.8 10S4.8 15.5 10 15.5c1.3 0 2.4-.3 3.4-.8M7.5 4.9c.8-.3 1.6-.4 2.5-.4 5.2 0 8.2 5.5 8.2 5.5s-.7 1.2-2 2.5M3 3l14 14"/>`,
  lock: svg`<rect x="4" y="9" width="12" height="8.5" rx="1.5"/><path d="M6.5 9V6.5a3.5 3.5 0 0 1 7 0V9"/>`,
  unlock: svg`<rect x="4" y="9" width="12" height="8.5" rx="1.5"/><path d="M6.5 9V5.5a3.5 3.5 0 0 1 6.8-1.2"/>`,
  outline: svg`<path d="M10 3c4 0 6.5 2.5 6.5 6.5S14.5 17 10 17s-6.5-2.5-6.5-6S6 3 10 3z"/>`,
  onlyBackground: svg`<path d="M3 3h14v14H3z"/><circle cx="10" cy="10" r="3.5" fill="currentColor" stroke="none"/><path d="M3 8l5-5M3 13l2.5-2.5M12 3l-1.5 1.5M17 7l-2.5 2.5M17 12l-5 5M8 17l1.5-1.5" stroke-width="1"/>`,
  enclosed: svg`<circle cx="10" cy="10" r="7"/><circle cx="10" cy="10" r="3" fill="currentColor" stroke="none"/><path d="M10 5.5v.01M14.5 10v.01M10 14.5v.01M5.5 10v.01" stroke-width="1.8"/>`,
  copy: svg`<rect x="7" y="7" width="10" height="10" rx="1.5"/><path d="M13 7V4.5A1.5 1.5 0 0 0 11.5 3h-7A1.5 1.5 0 0 0 3 4.5v7A1.5 1.5 0 0 0 4.5 13H7"/>`,
  contrast: svg`<circle cx="10" cy="10" r="7"/><path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor" stroke="none"/>`,
  fullscreen: svg`<path d="M3 7.5V3h4.5M12.5 3H17v4.5M17 12.5V17h-4.5M7.5 17H3v-4.5"/>`,
  help: svg`<circle cx="10" cy="10" r="7.5"/><path d="M7.8 7.8A2.2 2.2 0 1 1 10.9 10c-.7.3-.9.7-.9 1.4"/><path d="M10 14v.01" stroke-width="2"/>`,
  book: svg`<path d="M10 5C8 3.5 5.5 3.3 3 3.5v12c2.5-.2 5 0 7 1.5 2-1.5 4.5-1.7 7-1.5v-12c-2.5-.2-5 0-7 1.5zM10 5v12"/>`,
  check: svg`<path d="m4 10.5 4 4L16.5 6"/>`,
  close: svg`<path d="m5 5 10 10M15 5 5 15"/>`,
  classes: svg`<circle cx="5" cy="5.5" r="1.8" fill="currentColor" stroke="none"/><circle cx="5" cy="10" r="1.8" fill="currentColor" stroke="none"/><circle cx="5" cy="14.5" r="1.8" fill="currentColor" stroke="none"/><path d="M9 5.5h8M9 10h8M9 14.5h8"/>`,
} satisfies Record<string, SVGTemplateResult>;

export type IconName = keyof typeof shapes;

/** The icon as decoration: what it means is told by the text or label beside it. */
export function icon(name: IconName): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${shapes[name]}</svg>`;
}
