// Numbers of a training over its epochs as lines.
import { css, html, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import type uPlot from "uplot";
import { aligned, type Curve } from "./curveData";
import { Plot, type Color } from "./plot";

const kColors = ["--accent", "--warning", "--focus"];

/** `<p-curves .curves .digits .most>`: with `most`, the upper end is never lower than that. */
export class Curves extends Plot {
  static override styles = [
    ...Plot.styles,
    css`
      ul {
        color: var(--text-quiet);
        display: flex;
        flex-wrap: wrap;
        gap: 4px 18px;
        list-style: none;
        margin: 0 0 6px;
        padding: 0;
      }
      strong {
        color: var(--text);
        font-variant-numeric: tabular-nums;
      }
      i {
        border-radius: 2px;
        display: inline-block;
        height: 4px;
        margin-right: 6px;
        vertical-align: middle;
        width: 18px;
      }
      .c0 {
        background: var(--accent);
      }
      .c1 {
        background: var(--warning);
      }
      .c2 {
        background: var(--focus);
      }
    `,
  ];
  @property({ attribute: false }) curves: Curve[] = [];
  @property({ type: Number }) digits = 3;
  @property({ type: Number }) most = 0;
  protected override readonly height = 200;

  protected get data(): uPlot.AlignedData {
    return aligned(this.curves);
  }
  protected options(axis: uPlot.Axis, color: Color): Pick<uPlot.Options, "scales" | "axes" | "series"> {
    return {
      scales: {
        x: { time: false, range: (_chart, least, most) => [Math.min(least, 1), Math.max(most, least + 1)] },
        y: { range: (_chart, _least, most) => [0, Math.max(this.most, most * 1.05, 1e-6)] },
      },
      axes: [
        // Epochs are whole.
        { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
        { ...axis, size: 52 },
      ],
      series: [
        {},
        ...this.curves.map(({ label }, at) => ({
          label,
          stroke: color(kColors[at % kColors.length]!),
          width: 2,
          spanGaps: true, // not every epoch is validated
          points: { show: true, size: 5 },
        })),
      ],
    };
  }
  override render(): TemplateResult {
    const said = this.curves.map(({ label, points }) => {
      const last = points.at(-1);
      return `${label} ${last ? `${last[1].toFixed(this.digits)} after epoch ${last[0]}` : "not said yet"}`;
    });
    return html`<ul>
        ${this.curves.map(({ label, points }, at) => {
          const last = points.at(-1);
          return html`<li><i class="c${at % kColors.length}"></i>${label} <strong>${last ? last[1].toFixed(this.digits) : "–"}</strong></li>`;
        })}
      </ul>
      <div role="img" aria-label="Lines over the epochs: ${said.join("; ")}"></div>`;
  }
}
customElements.define("p-curves", Curves);
