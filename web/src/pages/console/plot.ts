// What the charts share: uPlot in an element of ours, in the theme's colours, as wide as its place.
import { LitElement, css, unsafeCSS } from "lit";
import uPlot from "uplot";
import uPlotStyle from "uplot/dist/uPlot.min.css?inline";

export type Color = (name: string) => string;

export abstract class Plot extends LitElement {
  static override styles = [
    unsafeCSS(uPlotStyle),
    css`
      :host {
        display: block;
        min-width: 0;
      }
    `,
  ];
  private chart: uPlot | null = null;
  private readonly resized = new ResizeObserver(() => {
    this.chart?.setSize(this.size);
  });
  private readonly darkness = matchMedia("(prefers-color-scheme: dark)");
  private readonly repaint = (): void => this.make();
  private readonly themed = new MutationObserver(this.repaint);

  /** What this chart shows, of axes like `axis`; `color` gives a name of theme.css as it is now. */
  protected abstract options(axis: uPlot.Axis, color: Color): Pick<uPlot.Options, "scales" | "axes" | "series">;
  protected abstract get data(): uPlot.AlignedData;
  protected readonly height: number = 240;

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
    return { width: Math.max(200, this.clientWidth), height: this.height };
  }
  private make(): void {
    this.chart?.destroy();
    const style = getComputedStyle(this);
    const color: Color = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: color("--text-quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line") } };
    this.chart = new uPlot(
      { legend: { show: false }, cursor: { y: false }, ...this.options(axis, color), ...this.size },
      this.data,
      this.renderRoot.querySelector<HTMLElement>("div")!,
    );
  }
  protected override updated(): void {
    if (this.chart) this.chart.setData(this.data);
    else this.make();
  }
}
