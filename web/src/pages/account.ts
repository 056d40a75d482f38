// One's own account: who one is, theme, password.
import { LitElement, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client, type Session } from "../api/client";
import { selectField, textField } from "../ui/field";
import { sheet } from "../ui/style";
import { chooseTheme, chosenTheme, type Theme } from "../ui/theme";
import { busy, toast } from "../ui/toast";
import { passwordProblem } from "./password";

class AccountPage extends LitElement {
  static override styles = sheet;
  @state() private oldPassword = "";
  @state() private newPassword = "";
  @state() private tried = false;

  private async change(): Promise<void> {
    const account = client.current!.account;
    this.tried = true;
    if (passwordProblem(this.newPassword, account.name)) return;
    const session = await client.post<Session>("password/change", {
      old_password: this.oldPassword,
      new_password: this.newPassword,
    });
    client.adopt(session);
    this.oldPassword = this.newPassword = "";
    this.tried = false;
    toast("The password is changed. You are signed out everywhere else.");
  }
  override render(): TemplateResult {
    const account = client.current?.account;
    if (!account) return html`${nothing}`;
    const problem = passwordProblem(this.newPassword, account.name);
    return html`<div class="page middle">
      <h1>Account</h1>
      <section class="card">
        <dl class="facts">
          <dt>Display name</dt>
          <dd>${account.display_name || "–"}</dd>
          <dt>Signs in as</dt>
          <dd>${account.name}</dd>
          <dt>Roles</dt>
          <dd>${account.roles.join(", ")}</dd>
          <dt>Groups</dt>
          <dd>${account.groups.join(", ") || "none"}</dd>
        </dl>
        ${selectField({
          id: "theme",
          label: "Theme",
          value: chosenTheme(),
          options: [
            { value: "system", label: "As the system" },
            { value: "light", label: "Light" },
            { value: "dark", label: "Dark" },
          ],
          onInput: (value) => {
            chooseTheme(value as Theme);
            this.requestUpdate();
          },
        })}
      </section>
      ${account.issuer === ""
        ? html`<form class="card" @submit=${busy(() => this.change())}>
            <h2>Change the password</h2>
            <input class="visually-hidden" autocomplete="username" readonly tabindex="-1" aria-hidden="true" .value=${account.name} />
            ${textField({
              id: "old-password",
              label: "Current password",
              type: "password",
              autocomplete: "current-password",
              required: true,
              value: this.oldPassword,
              onInput: (value) => (this.oldPassword = value),
            })}
            ${textField({
              id: "new-password",
              label: "New password",
              type: "password",
              autocomplete: "new-password",
              required: true,
              hint: "At least 10 characters; a few words do well.",
              value: this.newPassword,
              error: this.tried && problem ? problem : undefined,
              onInput: (value) => (this.newPassword = value),
            })}
            <div><button class="primary">Change password</button></div>
          </form>`
        : html`<p class="quiet">You sign in through ${account.issuer}; the password is kept there.</p>`}
    </div>`;
  }
}
customElements.define("p-account", AccountPage);
