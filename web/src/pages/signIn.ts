// Signing in, with a name and password or through the company's provider.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client, type Session } from "../api/client";
import { textField } from "../ui/field";
import { mark } from "../ui/icons";
import { sheet } from "../ui/style";
import { problemText } from "../ui/toast";

/** Heading of the pages that one sees before being signed in. */
export const entrance = css`
  .page {
    padding-top: 8vh;
  }
  .brand {
    align-items: center;
    display: flex;
    font-size: 1.3rem;
    font-weight: 700;
    gap: 10px;
    justify-content: center;
  }
`;
export const brand = html`<div class="brand">${mark} Terrapin</div>`;

/** Fires "signed-in" when the client has a session. */
class SignIn extends LitElement {
  static override styles = [sheet, entrance];
  @state() private name = "";
  @state() private password = "";
  @state() private problem = "";
  @state() private working = false;
  @state() private offered = { password: true, open_id: false };

  override connectedCallback(): void {
    super.connectedCallback();
    void client
      .get<{ password: boolean; open_id: boolean }>("sign-in")
      .then((offered) => (this.offered = offered))
      .catch((thrown: unknown) => (this.problem = problemText(thrown)));
  }
  protected override firstUpdated(): void {
    this.renderRoot.querySelector<HTMLInputElement>("#name")?.focus();
  }
  private async submit(event: Event): Promise<void> {
    event.preventDefault();
    if (this.working) return;
    this.working = true;
    this.problem = "";
    try {
      const session = await client.post<Session>("sign-in", { name: this.name.trim(), password: this.password });
      client.adopt(session);
      this.dispatchEvent(new Event("signed-in"));
    } catch (thrown) {
      this.problem = problemText(thrown);
      this.renderRoot.querySelector<HTMLInputElement>("#password")?.select();
    } finally {
      this.working = false;
    }
  }
  override render(): TemplateResult {
    return html`<div class="page narrow">
      ${brand}
      <div class="card">
        <h1>Sign in</h1>
        ${this.offered.password
          ? html`<form class="stack" @submit=${(event: Event) => void this.submit(event)}>
              ${textField({
                id: "name",
                label: "Name or e-mail address",
                value: this.name,
                autocomplete: "username",
                required: true,
                onInput: (value) => (this.name = value),
              })}
              ${textField({
                id: "password",
                label: "Password",
                type: "password",
                value: this.password,
                autocomplete: "current-password",
                required: true,
                onInput: (value) => (this.password = value),
              })}
              <p class="note bad" role="alert" ?hidden=${!this.problem}>${this.problem}</p>
              <button class="primary" aria-busy=${this.working ? "true" : "false"}>Sign in</button>
            </form>`
          : html`<p class="note bad" role="alert" ?hidden=${!this.problem}>${this.problem}</p>`}
        ${this.offered.open_id
          ? html`<a class="button" href="/_/api/open-id/start">Sign in with your organisation</a>`
          : nothing}
        <p class="hint">No account yet, or the password is lost? Ask who runs your labeling jobs for a link.</p>
      </div>
    </div>`;
  }
}
customElements.define("p-sign-in", SignIn);
