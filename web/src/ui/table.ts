// Rows and columns; on a narrow page each row becomes a card.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { sheet } from "./style";
import { loading } from "./waiting";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => unknown;
  /** Name to sort by, given back in the "sort" event. */
  sort?: string;
  number?: boolean;
  /** Takes a card's whole width without its title. */
  lead?: boolean;
}

export interface Sort {
  by: string;
  descending: boolean;
}

/** `<t-table caption="…" .columns .rows .sort>`; fires "sort" (CustomEvent<Sort>). */
export class Table<Row = unknown> extends LitElement {
  static override styles = [
    sheet,
    css`
      :host {
        display: block;
      }
      table {
        border-collapse: collapse;
        width: 100%;
      }
      th {
        color: var(--text-quiet);
        font-size: 0.92em;
        font-weight: 600;
        text-align: left;
        white-space: nowrap;
      }
      th,
      td {
        border-bottom: 1px solid var(--line);
        padding: 9px 10px;
        vertical-align: middle;
      }
      tbody tr:last-child td {
        border-bottom: 0;
      }
      th:first-child,
      td:first-child {
        padding-left: 0;
      }
      th:last-child,
      td:last-child {
        padding-right: 0;
      }
      td[data-title=""] {
        text-align: right;
      }
      .number {
        font-variant-numeric: tabular-nums;
        text-align: right;
      }
      th button {
        background: none;
        border: 0;
        color: inherit;
        min-height: 24px;
        padding: 0;
      }
      @media (max-width: 720px) {
        table,
        tbody,
        tr,
        td {
          display: block;
        }
        thead {
          clip-path: inset(50%);
          height: 1px;
          overflow: hidden;
          position: absolute;
          width: 1px;
        }
        tr {
          background: var(--surface);
          border: 1px solid var(--line);
          border-radius: 10px;
          margin-bottom: 10px;
          padding: 6px 12px;
          position: relative;
        }
        td:has(> t-menu) {
          position: absolute;
          right: 4px;
          top: 2px;
        }
        td,
        td.number {
          align-items: center;
          border: 0;
          display: flex;
          gap: 14px;
          justify-content: space-between;
          padding: 5px 0;
          text-align: right;
        }
        td::before {
          color: var(--text-quiet);
          content: attr(data-title);
          flex: none;
        }
        td.lead {
          justify-content: flex-start;
          text-align: left;
        }
        td.lead::before {
          content: none;
        }
        td > * {
          min-width: 0;
        }
      }
    `,
  ];
  @property() caption = "";
  @property({ attribute: false }) columns: Column<Row>[] = [];
  @property({ attribute: false }) rows: Row[] = [];
  @property({ attribute: false }) sort: Sort | null = null;

  private choose(by: string): void {
    const descending = this.sort?.by === by ? !this.sort.descending : false;
    this.dispatchEvent(new CustomEvent<Sort>("sort", { detail: { by, descending } }));
  }
  private heading(column: Column<Row>): TemplateResult {
    const sorted = column.sort !== undefined && this.sort?.by === column.sort;
    const order = sorted ? (this.sort!.descending ? "descending" : "ascending") : nothing;
    return html`<th scope="col" class=${column.number ? "number" : ""} aria-sort=${order}>
      ${column.sort
        ? html`<button @click=${() => this.choose(column.sort!)}>
            ${column.title} ${sorted ? (this.sort!.descending ? "↓" : "↑") : ""}
          </button>`
        : column.title}
    </th>`;
  }
  override render(): TemplateResult {
    return html`<table role="table">
      <caption class="visually-hidden">
        ${this.caption}
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          ${this.columns.map((column) => this.heading(column))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${this.rows.map(
          (row) =>
            html`<tr role="row">
              ${this.columns.map(
                (column) =>
                  html`<td
                    role="cell"
                    data-title=${column.title}
                    class="${column.number ? "number" : ""} ${column.lead ? "lead" : ""}"
                  >
                    ${column.cell(row)}
                  </td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>`;
  }
}
customElements.define("t-table", Table);

/** All rows in a table; `none` in its place where there is no row. They are null while they are loading. */
export function tableOf<Row>(caption: string, columns: Column<Row>[], rows: Row[] | null, none: TemplateResult): TemplateResult {
  if (rows === null) return loading;
  return rows.length === 0 ? none : html`<t-table caption=${caption} .columns=${columns} .rows=${rows}></t-table>`;
}
