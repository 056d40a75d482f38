// Keys of programs: for the AWS SDKs and command line.
import { LitElement, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client } from "../../api/client";
import { part, type Key } from "../../api/facts";
import "../../ui/dialog";
import { ask } from "../../ui/dialog";
import { selectField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import "../../ui/small";
import type { Chips } from "../../ui/small";
import { sheet } from "../../ui/style";
import { tableOf, type Column } from "../../ui/table";
import { busy, problemText, toast } from "../../ui/toast";
import { timeText } from "../../ui/words";

interface NewKey {
  access_key_id: string;
  secret_access_key: string;
  scope: string;
}

const kScopes = [
  { value: "requester", label: "requester: jobs, teams, objects" },
  { value: "invoke", label: "invoke: endpoints only" },
  { value: "admin", label: "admin: everything" },
];

class Keys extends LitElement {
  static override styles = sheet;
  @state() private keys: Key[] | null = null;
  @state() private problem = "";
  @state() private making = false;
  @state() private made: NewKey | null = null;
  @state() private name = "";
  @state() private scope = "requester";
  @state() private buckets: string[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }
  private async load(): Promise<void> {
    try {
      this.keys = (await client.get<{ keys: Key[] }>("keys")).keys;
    } catch (thrown) {
      this.problem = problemText(thrown);
    }
  }
  private async make(): Promise<void> {
    this.made = await client.post<NewKey>("keys", {
      name: this.name.trim(),
      scope: this.scope,
      ...(this.buckets.length > 0 ? { buckets: this.buckets } : {}),
    });
    this.name = "";
    this.buckets = [];
    await this.load();
  }
  private close(): void {
    this.making = false;
    this.made = null;
  }
  private async revoke(key: Key): Promise<void> {
    await ask({
      heading: "Revoke this key?",
      text: `Programs that use ${key.access_key_id}${key.name ? ` (${key.name})` : ""} are refused from now on.`,
      action: "Revoke",
      danger: true,
      perform: async () => {
        await client.delete(`keys/${part(key.access_key_id)}`);
        toast("The key is revoked.");
        await this.load();
      },
    });
  }
  private readonly columns: Column<Key>[] = [
    { title: "Key", cell: (key) => html`<code>${key.access_key_id}</code>`, lead: true },
    { title: "Name", cell: (key) => key.name || "–" },
    { title: "Scope", cell: (key) => html`<span class="badge">${key.scope}</span>` },
    { title: "Buckets", cell: (key) => key.buckets.join(", ") || "all" },
    { title: "Created", cell: (key) => timeText(key.created) },
    {
      title: "",
      cell: (key) => html`<button class="small danger" @click=${() => void this.revoke(key)}>Revoke</button>`,
    },
  ];
  override render(): TemplateResult {
    return html`<div class="page">
      <div class="row between">
        <h1>Keys</h1>
        <button class="primary" @click=${() => (this.making = true)}>${icons.plus} New key</button>
      </div>
      <p class="quiet">Keys let programs in: the AWS command line and SDKs, pointed at this server.</p>
      ${this.problem ? html`<p class="note bad" role="alert">${this.problem}</p>` : nothing}
      ${tableOf(
        "Keys",
        this.columns,
        this.keys,
        html`<t-empty heading="No keys"><p>Make one for each program that talks to this server.</p></t-empty>`,
      )}
      <t-dialog
        heading=${this.made ? "The new key" : "New key"}
        .open=${this.making}
        @close=${() => this.close()}
      >
        ${this.made ? this.secret(this.made) : this.form()}
      </t-dialog>
    </div>`;
  }
  private form(): TemplateResult {
    return html`<form class="stack" @submit=${busy(() => this.make())}>
      ${textField({
        id: "key-name",
        label: "What it is for",
        value: this.name,
        placeholder: "nightly upload",
        required: true,
        onInput: (value) => (this.name = value),
      })}
      ${selectField({
        id: "key-scope",
        label: "What it may do",
        value: this.scope,
        options: kScopes,
        onInput: (value) => (this.scope = value),
      })}
      <t-chips
        label="Only these buckets (optional)"
        hint="Enter adds one; none: all."
        .values=${this.buckets}
        @change=${(event: Event) => (this.buckets = (event.target as Chips).values)}
      ></t-chips>
      <div><button class="primary">Make the key</button></div>
    </form>`;
  }
  private secret(made: NewKey): TemplateResult {
    return html`<div class="stack">
      <p class="note">The secret is shown now and never again. Keep it where only your program reads it.</p>
      <t-copy label="Access key id" .value=${made.access_key_id}></t-copy>
      <t-copy label="Secret access key" .value=${made.secret_access_key}></t-copy>
      <div><button class="primary" @click=${() => this.close()}>I have kept it</button></div>
    </div>`;
  }
}
customElements.define("p-keys", Keys);
