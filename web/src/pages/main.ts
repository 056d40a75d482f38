// The one page behind every address of the portal and the console. Pages register themselves here; each is a chunk of its own.
import { LitElement, css, html, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client, type Session } from "../api/client";
import { navigate, onNavigate } from "./navigation";

/** What an address shows: `open` loads the page's code and gives its element. */
interface Route {
  pattern: RegExp;
  access: "anyone" | "signed in" | "requester" | "admin";
  open: (match: RegExpExecArray) => Promise<TemplateResult>;
}

// The first that fits counts.
const routes: Route[] = [
  // <pages>
  // </pages>
];

class App extends LitElement {
  static override styles = css`
    :host {
      display: block;
      min-height: 100vh;
    }
  `;
  @state() private shown: TemplateResult = html``;

  override connectedCallback(): void {
    super.connectedCallback();
    client.onSignedOut = () => void this.show();
    onNavigate(() => void this.show());
    void this.start();
  }

  private async start(): Promise<void> {
    client.adopt(await client.get<Session>("me").catch(() => null));
    await this.show();
  }

  private async show(): Promise<void> {
    const path = location.pathname;
    for (const route of routes) {
      const match = route.pattern.exec(path);
      if (!match) continue;
      if (route.access !== "anyone" && !client.current) {
        if (path !== "/_/sign-in") sessionStorage.setItem("after-sign-in", path);
        navigate("/_/sign-in", { replace: true });
        return;
      }
      this.shown = await route.open(match);
      return;
    }
    this.shown = html`<p>There is no page at ${path}.</p>`;
  }

  override render(): TemplateResult {
    return this.shown;
  }
}
customElements.define("terrapin-app", App);
