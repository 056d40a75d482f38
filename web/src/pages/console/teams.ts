// Work teams and outside companies' teams: who is in them, invitations.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client } from "../../api/client";
import { part, type Invitation, type Person, type Vendor, type WorkTeam } from "../../api/facts";
import "../../ui/dialog";
import { ask } from "../../ui/dialog";
import { selectField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import "../../ui/menu";
import type { MenuItem } from "../../ui/menu";
import "../../ui/small";
import type { Chips } from "../../ui/small";
import { sheet } from "../../ui/style";
import { busy, problemText, toast } from "../../ui/toast";
import { loading } from "../../ui/waiting";
import { plural } from "../../ui/words";
import { linkDialog, type MadeLink } from "./linkDialog";
import { kNameHint } from "./names";

interface Edit {
  kind: "new" | "change" | "vendor";
  name: string;
  title: string;
  description: string;
  groups: string[];
}

class Teams extends LitElement {
  static override styles = [
    sheet,
    css`
      .teams {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fill, minmax(min(360px, 100%), 1fr));
      }
      .card {
        align-content: start;
      }
      .member {
        align-items: center;
        display: inline-flex;
        gap: 2px;
      }
      .member button {
        min-height: 26px;
        padding: 2px;
      }
    `,
  ];
  @state() private teams: WorkTeam[] | null = null;
  @state() private vendors: Vendor[] = [];
  @state() private people: Person[] = [];
  @state() private problem = "";
  @state() private edit: Edit | null = null;
  @state() private adding: { team: WorkTeam; person: string } | null = null;
  @state() private link: MadeLink | null = null;

  private get admin(): boolean {
    return client.current?.account.roles.includes("admin") ?? false;
  }
  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }
  private async load(): Promise<void> {
    try {
      const [teams, people, vendors] = await Promise.all([
        client.get<{ workteams: WorkTeam[] }>("requester/workteams"),
        client.get<{ people: Person[] }>("requester/people", { limit: 1000 }),
        this.admin ? client.get<{ vendors: Vendor[] }>("vendors") : Promise.resolve({ vendors: [] }),
      ]);
      this.teams = teams.workteams;
      this.people = people.people;
      this.vendors = vendors.vendors;
    } catch (thrown) {
      this.problem = problemText(thrown);
    }
  }
  private async save(): Promise<void> {
    const { kind, name, title, description, groups } = this.edit!;
    if (kind === "vendor")
      await client.post("vendors", { name: name.trim(), title: title.trim() || name.trim(), description });
    else if (kind === "new")
      await client.post("requester/workteams", {
        name: name.trim(),
        description: description.trim() || name.trim(),
        ...(groups.length > 0 ? { groups } : {}),
      });
    else await client.put(`requester/workteams/${part(name)}`, { description: description.trim(), groups });
    this.edit = null;
    toast(`${name}: saved.`);
    await this.load();
  }
  private async invite(team: WorkTeam): Promise<void> {
    await ask({
      heading: `Invite into ${team.name}`,
      text: "You get a link to send; who opens it chooses a password and finds the team's tasks.",
      input: { label: "E-mail address or name (optional)", value: "" },
      action: "Make the link",
      perform: async (name) => {
        const made = await client.post<{ invitation: Invitation; link: string }>(
          team.kind === "vendor" ? `vendors/${part(team.name)}/invitations` : "requester/invitations",
          { ...(team.kind === "vendor" ? {} : { workteam: team.name }), ...(name ? { name } : {}) },
        );
        this.link = { heading: `Invitation into ${team.name}`, link: made.link, expires: made.invitation.expires };
      },
    });
  }
  private async add(): Promise<void> {
    const { team, person } = this.adding!;
    if (!person) return;
    await client.post(`requester/workteams/${part(team.name)}/members`, { account_id: person });
    this.adding = null;
    await this.load();
  }
  private async drop(team: WorkTeam, member: WorkTeam["members"][number]): Promise<void> {
    await ask({
      heading: `Take ${member.display_name || member.name} out of ${team.name}?`,
      text: "They no longer see the team's tasks. Their answers stay.",
      action: "Take out",
      danger: true,
      perform: async () => {
        await client.delete(`requester/workteams/${part(team.name)}/members/${part(member.id)}`);
        await this.load();
      },
    });
  }
  private async removeTeam(team: WorkTeam): Promise<void> {
    await ask({
      heading: `Delete the team ${team.name}?`,
      text: "The people in it stay.",
      action: "Delete",
      danger: true,
      perform: async () => {
        await client.delete(`requester/workteams/${part(team.name)}`);
        await this.load();
      },
    });
  }
  private team(team: WorkTeam): TemplateResult {
    const items: MenuItem[] = [
      {
        label: "Change",
        perform: () => (this.edit = { ...team, kind: "change", title: "" }),
      },
      ...(team.in_use ? [] : [{ label: "Delete", danger: true, perform: () => void this.removeTeam(team) }]),
    ];
    const own = team.kind === "private";
    const vendor = this.vendors.find((one) => one.arn === team.arn);
    const groups = team.groups.filter((group) => group !== team.name);
    return html`<article class="card">
      <div class="row between">
        <h3>${vendor?.title || team.name} ${team.in_use ? html`<span class="badge live">has a job</span>` : nothing}</h3>
        ${own ? html`<t-menu label="Actions for ${team.name}" .items=${items}></t-menu>` : nothing}
      </div>
      <p class="quiet">${team.description}</p>
      ${own
        ? html`<p>
              ${plural(team.members.length, "person", "people")}${groups.length > 0
                ? html` · ${groups.length === 1 ? "group" : "groups"} ${groups.join(", ")}`
                : nothing}
            </p>
            ${team.members.length > 0
              ? html`<div class="row">
                  ${team.members.map(
                    (member) =>
                      html`<span class="badge member"
                        >${member.display_name || member.name}${own
                          ? html` <button
                              class="plain small"
                              aria-label="Take ${member.name} out of ${team.name}"
                              @click=${() => void this.drop(team, member)}
                            >
                              ${icons.close}
                            </button>`
                          : nothing}</span
                      >`,
                  )}
                </div>`
              : html`<p class="quiet">Nobody is in it yet: invite somebody, or its tasks stay undone.</p>`}`
        : html`<p class="quiet">Who is in it is the vendor's own affair; they see the jobs that you send them, and no others.</p>`}
      ${own || this.admin
        ? html`<div class="row">
            <button class="small" @click=${() => void this.invite(team)}>Invite</button>
            ${own
              ? html`<button class="small" @click=${() => (this.adding = { team, person: "" })}>Add a person</button>`
              : nothing}
          </div>`
        : nothing}
    </article>`;
  }
  override render(): TemplateResult {
    const own = this.teams?.filter((team) => team.kind === "private") ?? [];
    const vendors = this.teams?.filter((team) => team.kind === "vendor") ?? [];
    const outside = this.teams?.filter((team) => team.kind === "public") ?? [];
    const fresh = { name: "", title: "", description: "", groups: [] };
    return html`<div class="page">
      <div class="row between">
        <h1>Work teams</h1>
        <div class="row">
          ${this.admin
            ? html`<button @click=${() => (this.edit = { kind: "vendor", ...fresh })}>${icons.plus} New vendor</button>`
            : nothing}
          <button class="primary" @click=${() => (this.edit = { kind: "new", ...fresh })}>${icons.plus} New team</button>
        </div>
      </div>
      ${this.problem ? html`<p class="note bad" role="alert">${this.problem}</p>` : nothing}
      ${this.teams === null
        ? loading
        : own.length === 0
          ? html`<t-empty heading="No work team yet">
              <p>A job is sent to a team. Make one, then invite people into it.</p>
              <button class="primary" @click=${() => (this.edit = { kind: "new", ...fresh })}>
                ${icons.plus} New team
              </button>
            </t-empty>`
          : html`<section class="teams" aria-label="Own teams">${own.map((team) => this.team(team))}</section>`}
      ${vendors.length > 0
        ? html`<h2>Vendors</h2>
            <section class="teams" aria-label="Vendors">${vendors.map((team) => this.team(team))}</section>`
        : nothing}
      ${this.vendorsWithoutTeam(vendors)}
      ${outside.length > 0
        ? html`<h2>Public crowd</h2>
            <p class="quiet">
              Everybody with an account of the public crowd; a job for it names a price for each answer. Choose it in the form
              of a new job.
            </p>`
        : nothing}
      <t-dialog
        heading=${this.edit?.kind === "vendor" ? "New vendor" : this.edit?.kind === "new" ? "New team" : this.edit?.name ?? ""}
        .open=${this.edit !== null}
        @close=${() => (this.edit = null)}
        >${this.edit ? this.form(this.edit) : nothing}</t-dialog
      >
      <t-dialog
        heading="Add a person to ${this.adding?.team.name ?? ""}"
        .open=${this.adding !== null}
        @close=${() => (this.adding = null)}
        >${this.adding ? this.addForm(this.adding) : nothing}</t-dialog
      >
      ${linkDialog(this.link, () => (this.link = null))}
    </div>`;
  }
  private vendorsWithoutTeam(teams: WorkTeam[]): unknown {
    const left = this.vendors.filter((vendor) => !teams.some((team) => team.arn === vendor.arn));
    return left.length === 0
      ? nothing
      : html`<h2>Vendors without a subscription</h2>
          <ul>
            ${left.map((vendor) => html`<li>${vendor.title} <span class="quiet">${vendor.description}</span></li>`)}
          </ul>`;
  }
  private addForm(adding: { team: WorkTeam; person: string }): TemplateResult {
    const left = this.people.filter(
      (person) => person.active && !adding.team.members.some((member) => member.id === person.id),
    );
    if (left.length === 0) return html`<p>Everybody is in this team already. Invite somebody new instead.</p>`;
    return html`<form class="stack" @submit=${busy(() => this.add())}>
      ${selectField({
        id: "person",
        label: "Person",
        value: adding.person,
        options: [
          { value: "", label: "Choose …" },
          ...left.map((person) => ({
            value: person.id,
            label: person.display_name && person.display_name !== person.name ? `${person.display_name} (${person.name})` : person.name,
          })),
        ],
        onInput: (person) => (this.adding = { ...adding, person }),
      })}
      <div><button class="primary" ?disabled=${!adding.person}>Add</button></div>
    </form>`;
  }
  private form(edit: Edit): TemplateResult {
    const set = (change: Partial<Edit>): void => {
      this.edit = { ...edit, ...change };
    };
    return html`<form class="stack" @submit=${busy(() => this.save())}>
      ${edit.kind === "change"
        ? nothing
        : textField({
            id: "team-name",
            label: "Name",
            hint: kNameHint,
            value: edit.name,
            maxLength: 63,
            required: true,
            onInput: (name) => set({ name }),
          })}
      ${edit.kind === "vendor"
        ? textField({ id: "title", label: "Title", value: edit.title, onInput: (title) => set({ title }) })
        : nothing}
      ${textField({
        id: "description",
        label: "Description",
        value: edit.description,
        maxLength: 200,
        onInput: (description) => set({ description }),
      })}
      ${edit.kind === "vendor"
        ? nothing
        : html`<t-chips
            label="Groups"
            hint="Everybody in one of these groups is in the team. Empty: a group of the team's name."
            .values=${edit.groups}
            @change=${(event: Event) => set({ groups: (event.target as Chips).values })}
          ></t-chips>`}
      <div><button class="primary">Save</button></div>
    </form>`;
  }
}
customElements.define("p-teams", Teams);
