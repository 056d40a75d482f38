// Answers over time as a line.
import { LitElement, css, html, unsafeCSS, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import uPlot from "uplot";
import uPlotStyle from "uplot/dist/uPlot.min.css?inline";
import { countText } from "../../ui/words";

const kLeastSeconds = 60;

class Chart extends LitElement {
  static override styles = [
    unsafeCSS(uPlotStyle),
    css`
      :host {
        display: block;
        min-width: 0;
      }
    `,
  ];
  @property({ attribute: false }) series: { time: string; answers: number }[] = [];
  private chart: uPlot | null = null;
  private readonly resized = new ResizeObserver(() => {
    this.chart?.setSize(this.size);
  });
  private readonly darkness = matchMedia("(prefers-color-scheme: dark)");
  private readonly repaint = (): void => this.make();
  private readonly themed = new MutationObserver(this.repaint);

  override connectedCallback(): void {
    super.connectedCallback();
    this.resized.observe(this);
    this.darkness.addEventListener("change", this.repaint);
    this.themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resized.disconnect();
    this.darkness.removeEventListener("change", this.repaint);
    this.themed.disconnect();
    this.chart?.destroy();
    this.chart = null;
  }
  private get size(): { width: number; height: number } {
    return { width: Math.max(200, this.clientWidth), height: 240 };
  }
  private get data(): uPlot.AlignedData {
    return [this.series.map((one) => Date.parse(one.time) / 1000), this.series.map((one) => one.answers)];
  }
  private make(): void {
    this.chart?.destroy();
    const style = getComputedStyle(this);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    const axis = { stroke: color("--text-quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line") } };
    this.chart = new uPlot(
      {
        ...this.size,
        legend: { show: false },
        cursor: { y: false },
        scales: {
          // A minute at least: a time axis of milliseconds tells nobody anything.
          x: { range: (_chart, least, most) => [least, Math.max(most, least + kLeastSeconds)] },
          y: { range: (_chart, _least, most) => [0, Math.max(1, most * 1.05)] },
        },
        axes: [axis, { ...axis, size: 56 }],
        series: [{}, { label: "Answers", stroke: color("--accent"), width: 2, fill: color("--accent-soft") }],
      },
      this.data,
      this.renderRoot.querySelector<HTMLElement>("div")!,
    );
  }
  protected override updated(): void {
    if (this.chart) this.chart.setData(this.data);
    else this.make();
  }
  override render(): TemplateResult {
    const last = this.series.at(-1);
    return html`<div role="img" aria-label="${countText(last?.answers ?? 0)} answers so far, as a line over time"></div>`;
  }
}
customElements.define("p-chart", Chart);
