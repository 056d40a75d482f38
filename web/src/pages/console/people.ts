// Everybody who can sign in: roles, groups, removal, links; open invitations.
import { LitElement, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client, type Account } from "../../api/client";
import { part, type Invitation } from "../../api/facts";
import "../../ui/dialog";
import { ask } from "../../ui/dialog";
import { checkField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import "../../ui/menu";
import type { MenuItem } from "../../ui/menu";
import "../../ui/small";
import type { Chips } from "../../ui/small";
import { sheet } from "../../ui/style";
import "../../ui/table";
import type { Column } from "../../ui/table";
import { busy, problemText, toast } from "../../ui/toast";
import { loading } from "../../ui/waiting";
import { timeText } from "../../ui/words";
import { linkDialog, type MadeLink } from "./linkDialog";

const kPage = 100;
const kRoles = ["worker", "requester", "admin"] as const;

interface Edit {
  account: Account | null; // null: an invitation
  name: string;
  displayName: string;
  roles: string[];
  groups: string[];
  days: string;
}

class People extends LitElement {
  static override styles = sheet;
  @state() private accounts: Account[] | null = null;
  @state() private more = false;
  @state() private invitations: Invitation[] = [];
  @state() private problem = "";
  @state() private edit: Edit | null = null;
  @state() private link: MadeLink | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }
  private async load(): Promise<void> {
    try {
      const limit = Math.max(kPage, this.accounts?.length ?? 0);
      const [people, invitations] = await Promise.all([
        client.get<{ accounts: Account[] }>("accounts", { limit: Math.min(limit, 200) }),
        client.get<{ invitations: Invitation[] }>("invitations"),
      ]);
      this.accounts = people.accounts;
      this.more = people.accounts.length >= limit;
      this.invitations = invitations.invitations;
    } catch (thrown) {
      this.problem = problemText(thrown);
    }
  }
  private async loadMore(): Promise<void> {
    const before = this.accounts ?? [];
    const next = await client.get<{ accounts: Account[] }>("accounts", { offset: before.length, limit: kPage });
    this.accounts = [...before, ...next.accounts];
    this.more = next.accounts.length === kPage;
  }

  private async save(): Promise<void> {
    const edit = this.edit!;
    if (edit.account) {
      await client.put(`accounts/${part(edit.account.id)}`, {
        display_name: edit.displayName.trim(),
        roles: edit.roles,
        groups: edit.groups,
      });
      toast(`${edit.account.name}: saved.`);
    } else {
      const made = await client.post<{ invitation: Invitation; link: string }>("invitations", {
        ...(edit.name.trim() ? { name: edit.name.trim() } : {}),
        roles: edit.roles,
        groups: edit.groups,
        days: Number(edit.days) || 7,
      });
      this.link = { heading: "The invitation", link: made.link, expires: made.invitation.expires };
    }
    this.edit = null;
    await this.load();
  }
  private async removeAccount(account: Account): Promise<void> {
    await ask({
      heading: `Remove ${account.name}?`,
      text: "Their sessions end at once and their tasks go back. Their answers stay.",
      action: "Remove",
      danger: true,
      perform: async () => {
        await client.post(`accounts/${part(account.id)}/remove`);
        await this.load();
      },
    });
  }
  private async resetLink(account: Account): Promise<void> {
    try {
      const made = await client.post<{ link: string; expires: string }>(`accounts/${part(account.id)}/reset-link`);
      this.link = { heading: `New password for ${account.name}`, ...made };
    } catch (thrown) {
      toast(problemText(thrown), "problem");
    }
  }
  private async restore(account: Account): Promise<void> {
    try {
      await client.post(`accounts/${part(account.id)}/restore`);
      await this.load();
    } catch (thrown) {
      toast(problemText(thrown), "problem");
    }
  }
  private async take(invitation: Invitation): Promise<void> {
    await ask({
      heading: "Take the invitation back?",
      text: "Its link stops working.",
      action: "Take back",
      danger: true,
      perform: async () => {
        await client.delete(`invitations/${part(invitation.id)}`);
        await this.load();
      },
    });
  }
  private actions(account: Account): TemplateResult {
    const items: MenuItem[] = account.active
      ? [
          { label: "Roles and groups", perform: () => this.begin(account) },
          ...(account.issuer === ""
            ? [{ label: "Link for a new password", perform: () => void this.resetLink(account) }]
            : []),
          { label: "Remove", danger: true, perform: () => void this.removeAccount(account) },
        ]
      : [{ label: "Restore", perform: () => void this.restore(account) }];
    return html`<t-menu label="Actions for ${account.name}" .items=${items}></t-menu>`;
  }
  private begin(account: Account | null): void {
    this.edit = {
      account,
      name: "",
      displayName: account?.display_name ?? "",
      roles: account?.roles ?? ["worker"],
      groups: account?.groups ?? [],
      days: "7",
    };
  }
  private readonly columns: Column<Account>[] = [
    {
      title: "Name",
      lead: true,
      cell: (one) =>
        html`<span
          ><strong>${one.display_name || one.name}</strong>${one.display_name && one.display_name !== one.name
            ? html`<br /><span class="quiet">${one.name}</span>`
            : nothing}</span
        >`,
    },
    {
      title: "Roles",
      cell: (one) => (one.active ? one.roles.join(", ") : html`<span class="badge bad">removed</span>`),
    },
    { title: "Groups", cell: (one) => one.groups.join(", ") || "–" },
    { title: "Since", cell: (one) => timeText(one.created) },
    { title: "", cell: (one) => this.actions(one) },
  ];
  private readonly invitationColumns: Column<Invitation>[] = [
    { title: "For", lead: true, cell: (one) => one.name || html`<span class="quiet">whoever has the link</span>` },
    { title: "Roles", cell: (one) => one.roles.join(", ") },
    { title: "Groups", cell: (one) => one.groups.join(", ") || "–" },
    { title: "Good until", cell: (one) => timeText(one.expires) },
    {
      title: "",
      cell: (one) => html`<button class="small danger" @click=${() => void this.take(one)}>Take back</button>`,
    },
  ];
  override render(): TemplateResult {
    return html`<div class="page">
      <div class="row between">
        <h1>People</h1>
        <button class="primary" @click=${() => this.begin(null)}>${icons.plus} Invite</button>
      </div>
      ${this.problem ? html`<p class="note bad" role="alert">${this.problem}</p>` : nothing}
      ${this.accounts === null
        ? loading
        : html`<t-table caption="People" .columns=${this.columns} .rows=${this.accounts}></t-table>
            ${this.more ? html`<div><button @click=${busy(() => this.loadMore())}>Show more</button></div>` : nothing}`}
      <h2>Open invitations</h2>
      ${this.invitations.length === 0
        ? html`<t-empty heading="No open invitations">
            <p>Invite somebody: you get a link to send them, good for one person.</p>
          </t-empty>`
        : html`<t-table
            caption="Open invitations"
            .columns=${this.invitationColumns}
            .rows=${this.invitations}
          ></t-table>`}
      <t-dialog
        heading=${this.edit?.account ? this.edit.account.name : "Invite"}
        .open=${this.edit !== null}
        @close=${() => (this.edit = null)}
      >
        ${this.edit ? this.form(this.edit) : nothing}
      </t-dialog>
      ${linkDialog(this.link, () => (this.link = null))}
    </div>`;
  }
  private form(edit: Edit): TemplateResult {
    const set = (change: Partial<Edit>): void => {
      this.edit = { ...edit, ...change };
    };
    return html`<form class="stack" @submit=${busy(() => this.save())}>
      ${edit.account
        ? textField({
            id: "display-name",
            label: "Display name",
            value: edit.displayName,
            onInput: (displayName) => set({ displayName }),
          })
        : textField({
            id: "invited",
            label: "E-mail address or name (optional)",
            hint: "Only who knows the link can use it; with a name here they sign in as that.",
            value: edit.name,
            onInput: (name) => set({ name }),
          })}
      <fieldset>
        <legend>Roles</legend>
        ${kRoles.map((role) =>
          checkField({
            label: role,
            checked: edit.roles.includes(role),
            onInput: (checked) =>
              set({ roles: kRoles.filter((one) => (one === role ? checked : edit.roles.includes(one))) }),
          }),
        )}
      </fieldset>
      <t-chips
        label="Groups"
        hint="Work teams are made of groups. Enter adds one."
        .values=${edit.groups}
        @change=${(event: Event) => set({ groups: (event.target as Chips).values })}
      ></t-chips>
      ${edit.account
        ? nothing
        : textField({
            id: "days",
            label: "Good for how many days",
            type: "number",
            min: 1,
            max: 90,
            value: edit.days,
            onInput: (days) => set({ days }),
          })}
      <div><button class="primary">${edit.account ? "Save" : "Make the link"}</button></div>
    </form>`;
  }
}
customElements.define("p-people", People);
