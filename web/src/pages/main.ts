// The one page behind every address of the portal and the console. Pages register themselves here; each is a chunk of its own.
import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client, ApiError, type Account, type Session } from "../api/client";
import { mark } from "../ui/icons";
import "../ui/menu";
import { sheet } from "../ui/style";
import { applyTheme, chooseTheme, chosenTheme } from "../ui/theme";
import { problemText, toast } from "../ui/toast";
import { isHere, linksOf, may, type Access } from "./links";
import { navigate, onNavigate } from "./navigation";
import { signOut } from "./session";

/** What an address shows. */
interface Route {
  pattern: RegExp;
  title: string;
  access: Access;
  /** Without the header: the page uses the whole window. */
  bare?: boolean;
  /** The page's code, which knows its element. */
  load: () => Promise<unknown>;
  page: (parts: string[]) => TemplateResult;
}

// The first that fits counts. `parts`: the pattern's groups, decoded.
const routes: Route[] = [
  {
    pattern: /^\/_\/join$/, title: "Join", access: "anyone",
    load: () => import("./join"), page: () => html`<p-join></p-join>`,
  },
  {
    pattern: /^\/_\/reset$/, title: "New password", access: "anyone",
    load: () => import("./join"), page: () => html`<p-reset></p-reset>`,
  },
  {
    pattern: /^\/_\/(?:jobs)?$/, title: "Tasks", access: "worker",
    load: () => import("./jobs"), page: () => html`<p-jobs></p-jobs>`,
  },
  {
    pattern: /^\/_\/task\/([^/]+)$/, title: "Task", access: "signed in", bare: true,
    load: () => import("./taskPage"), page: ([id]) => html`<terrapin-task-page .assignmentId=${id}></terrapin-task-page>`,
  },
  {
    pattern: /^\/_\/history$/, title: "History", access: "worker",
    load: () => import("./history"), page: () => html`<p-history></p-history>`,
  },
  {
    pattern: /^\/_\/account$/, title: "Account", access: "signed in",
    load: () => import("./account"), page: () => html`<p-account></p-account>`,
  },
  {
    pattern: /^\/_\/console$/, title: "Labeling jobs", access: "requester",
    load: () => import("./console/jobList"), page: () => html`<p-job-list></p-job-list>`,
  },
  {
    pattern: /^\/_\/console\/new$/, title: "New labeling job", access: "requester",
    load: () => import("./console/newJob"), page: () => html`<p-new-job></p-new-job>`,
  },
  {
    pattern: /^\/_\/console\/jobs\/([^/]+)(?:\/(overview|gallery|workers|settings))?$/, title: "Labeling job", access: "requester",
    load: () => import("./console/job"), page: ([name, tab]) => html`<p-job .name=${name} .tab=${tab || "overview"}></p-job>`,
  },
  {
    pattern: /^\/_\/console\/jobs\/([^/]+)\/objects\/(\d+)$/, title: "Photo", access: "requester",
    load: () => import("./console/object"), page: ([name, index]) => html`<p-object .name=${name} .index=${Number(index)}></p-object>`,
  },
  {
    pattern: /^\/_\/console\/training$/, title: "Training jobs", access: "requester",
    load: () => import("./console/trainingList"), page: () => html`<p-training-list></p-training-list>`,
  },
  {
    pattern: /^\/_\/console\/new-training$/, title: "New training job", access: "requester",
    load: () => import("./console/newTraining"), page: () => html`<p-new-training></p-new-training>`,
  },
  {
    pattern: /^\/_\/console\/training\/([^/]+)$/, title: "Training job", access: "requester",
    load: () => import("./console/trainingJob"), page: ([name]) => html`<p-training-job .name=${name}></p-training-job>`,
  },
  {
    pattern: /^\/_\/console\/models$/, title: "Models", access: "requester",
    load: () => import("./console/models"), page: () => html`<p-model-list></p-model-list>`,
  },
  {
    pattern: /^\/_\/console\/models\/([^/]+)$/, title: "Model", access: "requester",
    load: () => import("./console/models"), page: ([name]) => html`<p-model .name=${name}></p-model>`,
  },
  {
    pattern: /^\/_\/console\/endpoints$/, title: "Endpoints", access: "requester",
    load: () => import("./console/endpointList"), page: () => html`<p-endpoint-list></p-endpoint-list>`,
  },
  {
    pattern: /^\/_\/console\/compare$/, title: "Compare", access: "requester",
    load: () => import("./console/endpoint"), page: () => html`<p-compare></p-compare>`,
  },
  {
    pattern: /^\/_\/console\/endpoints\/([^/]+)$/, title: "Endpoint", access: "requester",
    load: () => import("./console/endpoint"), page: ([name]) => html`<p-endpoint .name=${name}></p-endpoint>`,
  },
  {
    pattern: /^\/_\/console\/teams$/, title: "Work teams", access: "requester",
    load: () => import("./console/teams"), page: () => html`<p-teams></p-teams>`,
  },
  {
    pattern: /^\/_\/console\/people$/, title: "People", access: "admin",
    load: () => import("./console/people"), page: () => html`<p-people></p-people>`,
  },
  {
    pattern: /^\/_\/console\/keys$/, title: "Keys", access: "admin",
    load: () => import("./console/keys"), page: () => html`<p-keys></p-keys>`,
  },
];

const kRefusals: Record<Access, string> = {
  anyone: "",
  "signed in": "",
  worker: "This page is for workers",
  requester: "This page is for requesters",
  admin: "This page is for admins",
};

const kAfterSignIn = "terrapin-after-sign-in";

interface Shown {
  shown: TemplateResult;
  bare: boolean;
  title: string;
  route: Route | null; // null: something in its place
}

class App extends LitElement {
  static override styles = [
    sheet,
    css`
      :host {
        display: block;
        min-height: 100vh;
      }
      header {
        align-items: center;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
        display: flex;
        flex-wrap: wrap;
        gap: 0 20px;
        padding: 4px 20px;
        position: sticky;
        top: 0;
        z-index: 10;
      }
      .mark {
        align-items: center;
        color: var(--text);
        display: inline-flex;
        font-size: 1.1rem;
        font-weight: 700;
        gap: 8px;
        text-decoration: none;
      }
      nav {
        display: flex;
        flex: 1 1 auto;
        gap: 2px;
        overflow-x: auto;
      }
      nav a {
        border-bottom: 3px solid transparent;
        color: var(--text-quiet);
        font-weight: 600;
        padding: 11px 10px 8px;
        text-decoration: none;
        white-space: nowrap;
      }
      nav a:focus-visible {
        outline-offset: -3px;
      }
      nav a[aria-current] {
        border-bottom-color: var(--accent);
        color: var(--text);
      }
      .name {
        max-width: 180px;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .skip {
        background: var(--surface);
        left: 8px;
        padding: 8px;
        position: absolute;
        top: -60px;
        z-index: 30;
      }
      .skip:focus {
        top: 4px;
      }
      main:focus {
        outline: none;
      }
      @media (max-width: 720px) {
        header {
          padding: 4px 12px 0;
        }
        .mark {
          flex: 1;
        }
        nav {
          flex: 1 0 100%;
          order: 3;
        }
      }
    `,
  ];
  @state() private shown: TemplateResult = html``;
  @state() private bare = true;
  @state() private path = location.pathname;
  private turn = 0;
  private route: Route | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    applyTheme();
    client.onSignedOut = () => void this.show();
    onNavigate(() => void this.show());
    this.addEventListener("click", followLink);
    void this.start();
  }

  private async start(): Promise<void> {
    try {
      client.adopt(await client.get<Session>("me"));
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 0) {
        this.shown = html`<div class="page narrow">
          <h1>The server cannot be reached</h1>
          <p>Look at your network, then try again.</p>
          <button class="primary" @click=${() => void this.start()}>Try again</button>
        </div>`;
        return;
      }
    }
    const kept = client.current ? sessionStorage.getItem(kAfterSignIn) : null;
    if (kept) {
      sessionStorage.removeItem(kAfterSignIn);
      if (location.pathname === "/_/") history.replaceState(null, "", kept);
    }
    await this.show(false);
  }

  private async show(moved = true): Promise<void> {
    const turn = ++this.turn;
    const path = location.pathname;
    const { shown, bare, title, route } = await this.pageAt(path);
    if (turn !== this.turn) return;
    // Another part of the same page stays where it is looked at.
    const stays = route !== null && route === this.route;
    this.route = route;
    this.shown = shown;
    this.bare = bare;
    this.path = path;
    document.title = `${title} · Terrapin`;
    if (!moved || stays) return;
    window.scrollTo(0, 0);
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("main")?.focus({ preventScroll: true });
  }

  private async pageAt(path: string): Promise<Shown> {
    for (const route of routes) {
      const match = route.pattern.exec(path);
      if (!match) continue;
      const account = client.current?.account;
      if (route.access !== "anyone" && !account) {
        // For the way through an OpenID Connect provider; the address stays otherwise.
        sessionStorage.setItem(kAfterSignIn, path);
        await import("./signIn");
        const done = (): void => {
          sessionStorage.removeItem(kAfterSignIn);
          void this.show();
        };
        return { shown: html`<p-sign-in @signed-in=${done}></p-sign-in>`, bare: true, title: "Sign in", route: null };
      }
      if (account && path === "/_/" && !may(account, "worker")) {
        navigate("/_/console", { replace: true });
        return this.pageAt("/_/console");
      }
      if (account && !may(account, route.access))
        return { shown: refusal(kRefusals[route.access], "Your account does not have that role; an admin can give it."), bare: false, title: route.title, route: null };
      try {
        const parts = match.slice(1).map((text: string | undefined) => decodeURIComponent(text ?? ""));
        await route.load();
        return { shown: route.page(parts), bare: route.bare ?? !account, title: route.title, route };
      } catch (thrown) {
        return { shown: refusal("The page could not be loaded", problemText(thrown)), bare: !account, title: route.title, route: null };
      }
    }
    return { shown: refusal("There is no such page", path), bare: !client.current, title: "Not found", route: null };
  }

  // On a narrow window the bar of pages is wider than what is seen of it.
  protected override updated(changed: PropertyValues): void {
    const here = changed.has("shown") ? this.renderRoot.querySelector<HTMLElement>("nav a[aria-current]") : null;
    here?.parentElement?.scrollTo({ left: here.offsetLeft - here.offsetWidth });
  }

  private menu(account: Account): TemplateResult {
    const theme = chosenTheme();
    const themes = [
      ["system", "Theme of the system"],
      ["light", "Light"],
      ["dark", "Dark"],
    ] as const;
    const items = [
      { label: "Account and password", href: "/_/account" },
      ...themes.map(([value, label]) => ({
        label,
        checked: theme === value,
        perform: () => {
          chooseTheme(value);
          this.requestUpdate();
        },
      })),
      { label: "Sign out", perform: () => void leave() },
    ];
    return html`<t-menu label="Account of ${account.display_name || account.name}" .items=${items}>
      <span class="name">${account.display_name || account.name}</span> ▾
    </t-menu>`;
  }

  override render(): TemplateResult {
    const account = client.current?.account;
    const header =
      account && !this.bare
        ? html`<a class="skip" href="#main" @click=${(event: Event) => this.skip(event)}>Skip to the page</a>
            <header>
              <a class="mark" href="/_/">${mark} Terrapin</a>
              <nav aria-label="Pages">
                ${linksOf(account).map(
                  ({ href, label }) =>
                    html`<a href=${href} aria-current=${isHere(href, this.path) ? "page" : nothing}>${label}</a>`,
                )}
              </nav>
              ${this.menu(account)}
            </header>`
        : nothing;
    return html`${header}
      <main id="main" tabindex="-1">${this.shown}</main>`;
  }
  private skip(event: Event): void {
    event.preventDefault();
    event.stopPropagation();
    this.renderRoot.querySelector("main")?.focus();
  }
}

function refusal(heading: string, text: string): TemplateResult {
  return html`<div class="page narrow">
    <div class="card">
      <h1>${heading}</h1>
      <p>${text}</p>
      <p><a href="/_/">To the first page</a></p>
    </div>
  </div>`;
}

async function leave(): Promise<void> {
  try {
    await signOut();
  } catch (thrown) {
    toast(problemText(thrown), "problem");
  }
}

// Links within the portal change the page without loading it again.
function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement);
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!link.pathname.startsWith("/_/") || link.pathname.startsWith("/_/api/")) return;
  event.preventDefault();
  navigate(link.pathname + link.search + link.hash);
}

customElements.define("terrapin-app", App);
