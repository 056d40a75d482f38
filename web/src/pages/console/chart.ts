// Answers over time as a line.
import { html, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import type uPlot from "uplot";
import { countText } from "../../ui/words";
import { Plot, type Color } from "./plot";

const kLeastSeconds = 60;

class Chart extends Plot {
  @property({ attribute: false }) series: { time: string; answers: number }[] = [];

  protected get data(): uPlot.AlignedData {
    return [this.series.map((one) => Date.parse(one.time) / 1000), this.series.map((one) => one.answers)];
  }
  protected options(axis: uPlot.Axis, color: Color): Pick<uPlot.Options, "scales" | "axes" | "series"> {
    return {
      scales: {
        // A minute at least: a time axis of milliseconds tells nobody anything.
        x: { range: (_chart, least, most) => [least, Math.max(most, least + kLeastSeconds)] },
        y: { range: (_chart, _least, most) => [0, Math.max(1, most * 1.05)] },
      },
      axes: [axis, { ...axis, size: 56 }],
      series: [{}, { label: "Answers", stroke: color("--accent"), width: 2, fill: color("--accent-soft") }],
    };
  }
  override render(): TemplateResult {
    const last = this.series.at(-1);
    return html`<div role="img" aria-label="${countText(last?.answers ?? 0)} answers so far, as a line over time"></div>`;
  }
}
customElements.define("p-chart", Chart);
