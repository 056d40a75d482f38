// The pages behind links: an invitation (/_/join#token) and a new password (/_/reset#token).
import { LitElement, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { ApiError, client, type Session } from "../api/client";
import { textField } from "../ui/field";
import { sheet } from "../ui/style";
import { problemText } from "../ui/toast";
import { timeText } from "../ui/words";
import { navigate } from "./navigation";
import { passwordProblem } from "./password";
import { brand, entrance } from "./signIn";

// Read once and taken out of the address, so that it does not stay in the history.
function takeToken(): string {
  const token = location.hash.slice(1);
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}

abstract class LinkPage extends LitElement {
  static override styles = [sheet, entrance];
  protected readonly token = takeToken();
  @state() protected name = "";
  @state() protected password = "";
  @state() protected problem = "";
  @state() protected tried = false;
  @state() protected working = false;

  /** Does what the link is for. */
  protected abstract use(): Promise<Session>;

  protected async submit(event: Event): Promise<void> {
    event.preventDefault();
    this.tried = true;
    if (this.working || passwordProblem(this.password, this.name)) return;
    this.working = true;
    this.problem = "";
    try {
      client.adopt(await this.use());
      navigate("/_/", { replace: true });
    } catch (thrown) {
      this.problem =
        thrown instanceof ApiError && thrown.status === 404
          ? "This link was used already or has ended. Ask for a new one."
          : problemText(thrown);
    } finally {
      this.working = false;
    }
  }
  protected passwordField(): TemplateResult {
    const problem = passwordProblem(this.password, this.name);
    return textField({
      id: "password",
      label: "New password",
      type: "password",
      value: this.password,
      autocomplete: "new-password",
      hint: "At least 10 characters; a few words do well.",
      error: this.tried && problem ? problem : undefined,
      onInput: (value) => (this.password = value),
    });
  }
  protected end(action: string): TemplateResult {
    return html`<p class="note bad" role="alert" ?hidden=${!this.problem}>${this.problem}</p>
      <button class="primary" aria-busy=${this.working ? "true" : "false"}>${action}</button>`;
  }
  protected noLink(): TemplateResult {
    return html`<div class="page narrow">
      ${brand}
      <div class="card">
        <h1>This link does not lead anywhere</h1>
        <p>It was used already, has ended, or was not copied whole. Ask who sent it for a new one.</p>
        <p><a href="/_/">To the sign-in</a></p>
      </div>
    </div>`;
  }
}

class Join extends LinkPage {
  @state() private displayName = "";
  @state() private link: { name: string; expires: string } | null | undefined = undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.look();
  }
  private async look(): Promise<void> {
    if (!this.token) {
      this.link = null;
      return;
    }
    try {
      this.link = await client.post<{ name: string; expires: string }>("invitation/look", { token: this.token });
      if (this.link.name) this.name = this.link.name; // else it may be typed already
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 404) this.link = null;
      else this.problem = problemText(thrown);
    }
  }
  protected use(): Promise<Session> {
    return client.post<Session>("invitation/accept", {
      token: this.token,
      password: this.password,
      ...(this.link?.name ? {} : { name: this.name.trim() }),
      ...(this.displayName.trim() ? { display_name: this.displayName.trim() } : {}),
    });
  }
  override render(): TemplateResult {
    if (this.link === null) return this.noLink();
    return html`<div class="page narrow">
      ${brand}
      <form class="card" @submit=${(event: Event) => void this.submit(event)}>
        <h1>You are invited to label photos</h1>
        <p class="quiet">Choose a password, and the first task is one click away.</p>
        ${this.link?.name
          ? html`<p>Your name for signing in is <strong>${this.link.name}</strong>.</p>
              <input class="visually-hidden" autocomplete="username" readonly tabindex="-1" aria-hidden="true" .value=${this.link.name} />`
          : textField({
              id: "name",
              label: "Name or e-mail address, for signing in",
              value: this.name,
              autocomplete: "username",
              required: true,
              onInput: (value) => (this.name = value),
            })}
        ${textField({
          id: "display-name",
          label: "What others call you (optional)",
          value: this.displayName,
          autocomplete: "name",
          onInput: (value) => (this.displayName = value),
        })}
        ${this.passwordField()} ${this.end("Join")}
        ${this.link ? html`<p class="hint">The invitation is good until ${timeText(this.link.expires)}.</p>` : nothing}
      </form>
    </div>`;
  }
}
customElements.define("p-join", Join);

class Reset extends LinkPage {
  protected use(): Promise<Session> {
    return client.post<Session>("password/reset", { token: this.token, password: this.password });
  }
  override render(): TemplateResult {
    if (!this.token) return this.noLink();
    return html`<div class="page narrow">
      ${brand}
      <form class="card" @submit=${(event: Event) => void this.submit(event)}>
        <h1>Choose a new password</h1>
        ${this.passwordField()} ${this.end("Keep it and sign in")}
      </form>
    </div>`;
  }
}
customElements.define("p-reset", Reset);
