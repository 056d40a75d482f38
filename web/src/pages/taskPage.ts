// <terrapin-task-page>: one task from opening to submitting. The template runs in a sandboxed frame; session, network and drafts
// stay here.
import { LitElement, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { keyed } from "lit/directives/keyed.js";
import { ApiError, address, client } from "../api/client";
import type { Assignment } from "../api/facts";
import { readFromFrame } from "../bridge/untrusted";
import type { FromFrame, LabelFacts, ToFrame, ViewSettings } from "../bridge/protocol";
import { draftServer } from "../drafts/server";
import { DraftStore, type DraftKey } from "../drafts/store";
import { DraftSync, type DraftStatus } from "../drafts/sync";
import { ask } from "../ui/dialog";
import { icons } from "../ui/icons";
import { sheet } from "../ui/style";
import { chooseTheme, chosenTheme } from "../ui/theme";
import { problemText, toast } from "../ui/toast";
import { navigate } from "./navigation";
import "./signIn";
import { dropPrefetched, nextTask, prefetch, takeTask, type LoadedTask } from "./taskLoading";
import { TaskAssistance } from "./taskAssistance";
import { keepSettings, readSettings } from "./taskSettings";
import { taskStyles } from "./taskStyles";
import { clockText, saveSign } from "./taskWords";

export { prefetch } from "./taskLoading";

const kHeartbeatMs = 30_000;
const kWarningSeconds = 120;

/** What the page shows in place of, or above, the frame. */
type Phase =
  | { name: "loading" }
  | { name: "failed"; text: string; retry: () => void }
  | { name: "working" }
  | { name: "correcting" }
  | { name: "looking" } // submitted, and no longer to be changed
  | { name: "ended"; heading: string; text: string; again: boolean }
  | { name: "done" };

export class TaskPage extends LitElement {
  static override styles = [sheet, taskStyles];
  @property() assignmentId = "";

  @state() private phase: Phase = { name: "loading" };
  @state() private task: LoadedTask | null = null;
  @state() private status: DraftStatus = { mode: "editing", unsent: 0, unkept: 0, waiting: "nothing" };
  @state() private remaining: number | null = null;
  @state() private submitting: "" | "sending" | "waiting" = "";
  @state() private problem = "";
  @state() private signingIn = false;
  @state() private frameTurn = 0;
  @state() private frameReady = false;

  private account = "";
  private settings!: ViewSettings;
  private store: DraftStore | null = null;
  private sync: DraftSync | null = null;
  private port: MessagePort | null = null;
  private assistance: TaskAssistance | null = null;
  private toOpen: Extract<ToFrame, { type: "open" }> | null = null;
  private deadline = 0; // by performance.now()
  private timers: ReturnType<typeof setInterval>[] = [];
  private turn = 0;
  private toldSaved: boolean | null = null;
  private retrySubmit: (() => void) | null = null;
  private movingOn = false;
  private asking = false;
  private previousSignedOut: (() => void) | null = null;
  private channel: BroadcastChannel | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.previousSignedOut = client.onSignedOut;
    client.onSignedOut = () => (this.signingIn = true);
    window.addEventListener("message", this.heard);
    window.addEventListener("beforeunload", this.beforeUnload);
    window.addEventListener("pagehide", dropPrefetched);
    window.addEventListener("online", this.resume);
    document.addEventListener("visibilitychange", this.resume);
    this.timers = [setInterval(() => this.tick(), 1000), setInterval(() => void this.heartbeat(), kHeartbeatMs)];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    client.onSignedOut = this.previousSignedOut;
    window.removeEventListener("message", this.heard);
    window.removeEventListener("beforeunload", this.beforeUnload);
    window.removeEventListener("pagehide", dropPrefetched);
    window.removeEventListener("online", this.resume);
    document.removeEventListener("visibilitychange", this.resume);
    for (const timer of this.timers) clearInterval(timer);
    this.leaveTask();
    if (!this.movingOn) dropPrefetched();
    this.store?.close();
    this.store = null;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("assignmentId") && this.assignmentId !== "") void this.load();
  }

  // The browser's own dialog keeps the focus inside; browsers close it at the second Escape all the same.
  protected override updated(): void {
    const over = this.renderRoot.querySelector<HTMLDialogElement>("dialog.over");
    if (over && !over.open) over.showModal();
  }

  private leaveTask(): void {
    ++this.turn;
    this.sync?.close();
    this.sync = null;
    this.port?.close();
    this.port = null;
    this.assistance?.close();
    this.assistance = null;
    this.channel?.close();
    this.channel = null;
    this.toOpen = null;
    this.retrySubmit = null;
    this.remaining = null;
    this.submitting = "";
    this.problem = "";
    this.frameReady = false;
    this.toldSaved = null;
  }

  // -- opening

  private async load(): Promise<void> {
    this.leaveTask();
    const turn = this.turn;
    this.phase = { name: "loading" };
    this.movingOn = false;
    this.account = client.current?.account.id ?? "";
    this.settings = { ...readSettings(this.account), theme: chosenTheme() };
    try {
      const task = await takeTask(this.assignmentId);
      if (turn !== this.turn) return;
      this.task = task;
      this.problem = task.problems.join(" ");
      const { assignment } = task.content;
      if (assignment.state === "submitted") await this.openSubmitted(assignment);
      else if (assignment.state === "leased") await this.openLease(assignment);
      else this.end(assignment.state);
    } catch (error) {
      if (turn === this.turn) this.failed(error);
    }
  }

  private readonly loadAgain = (): void => void this.load();

  private failed(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) {
      this.signingIn = true;
      this.phase = { name: "failed", text: "You were signed out.", retry: this.loadAgain };
    } else if (error instanceof ApiError && error.status === 404) {
      this.phase = { name: "ended", heading: "There is no such task", text: "It is not yours, or it is gone.", again: false };
    } else {
      this.phase = { name: "failed", text: problemText(error), retry: this.loadAgain };
    }
  }

  private key(assignment: Assignment): DraftKey {
    return { account: this.account, job: assignment.job_name, object: assignment.object_index, correction: assignment.state === "submitted" };
  }

  private async openLease(assignment: Assignment): Promise<void> {
    const turn = this.turn;
    this.setRemaining(assignment.remaining_seconds);
    await this.startSync(assignment, true);
    const draft = await this.sync!.open().catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 409) return null;
      throw error;
    });
    if (turn !== this.turn) return;
    if (!draft) return this.end("expired");
    this.announce(assignment);
    this.phase = { name: "working" };
    this.showFrame(draft, null, false);
  }

  private async openSubmitted(assignment: Assignment): Promise<void> {
    const turn = this.turn;
    const answer = JSON.stringify(await client.get<unknown>(`assignments/${encodeURIComponent(assignment.id)}/answer`));
    if (turn !== this.turn) return;
    if (!assignment.correctable) {
      this.phase = { name: "looking" };
      this.showFrame([], answer, true);
      return;
    }
    await this.startSync(assignment, false);
    const draft = await this.sync!.open();
    if (turn !== this.turn) return;
    this.phase = { name: "correcting" };
    this.showFrame(draft, answer, false);
  }

  private async startSync(assignment: Assignment, withServer: boolean): Promise<void> {
    this.store ??= await DraftStore.open().catch(() => null);
    this.sync = new DraftSync({
      key: this.key(assignment),
      server: withServer ? draftServer(client, assignment.id) : null,
      store: this.store,
      onStatus: (status) => this.draftChanged(status),
      onWantSnapshot: () => this.post({ type: "snapshot" }),
    });
    this.status = this.sync.status;
  }

  // Other tabs of this browser hear at once that this one has the draft.
  private announce(assignment: Assignment): void {
    if (typeof BroadcastChannel === "undefined") return;
    this.channel?.close();
    this.channel = new BroadcastChannel("terrapin-drafts");
    const name = JSON.stringify(this.key(assignment));
    this.channel.onmessage = (event: MessageEvent<unknown>) => {
      if (event.data === name) this.sync?.yieldTo();
    };
    this.channel.postMessage(name);
  }

  private get labels(): LabelFacts[] {
    const { labels, colors, voids } = this.task!.content;
    return labels.map((name, index) => ({ name, color: colors[index]!, isVoid: voids?.[index] ?? false }));
  }

  private showFrame(draft: string[], answer: string | null, readOnly: boolean): void {
    const { html: text, files, content } = this.task!;
    this.port?.close();
    this.port = null;
    this.assistance?.close();
    this.assistance = new TaskAssistance({
      assignment: this.assignmentId,
      offered: readOnly ? null : content.assistance,
      photos: files.map((file) => file.uri),
      client,
      reply: (message) => this.post(message),
    });
    this.toOpen = { type: "open", html: text, files, labels: this.labels, draft, answer, readOnly, settings: this.settings, assistance: this.assistance.offered };
    this.frameReady = false;
    this.toldSaved = null;
    ++this.frameTurn;
  }

  // -- the frame

  private readonly heard = (event: MessageEvent<unknown>): void => {
    const frame = this.renderRoot.querySelector("iframe")?.contentWindow;
    if (!frame || event.source !== frame || (event.data as { terrapin?: unknown } | null)?.terrapin !== "hello") return;
    if (!this.toOpen) {
      // It went to another document by itself: what that is, is not shown the task.
      this.problem = "The task's template left its page. Load this page again to go on.";
      return;
    }
    const channel = new MessageChannel();
    this.port = channel.port1;
    this.port.onmessage = (message: MessageEvent<unknown>) => this.take(readFromFrame(message.data, this.settings));
    frame.postMessage({ terrapin: "connect" }, "*", [channel.port2]);
    this.post(this.toOpen);
    this.toOpen = null;
  };

  private post(message: ToFrame): void {
    this.port?.postMessage(message);
  }

  private take(message: FromFrame | null): void {
    switch (message?.type) {
      case undefined:
        this.problem = "The task's template sent something that is not allowed.";
        break;
      case "ready":
        this.frameReady = true;
        this.tellSaved();
        this.focusFrame();
        if (this.phase.name === "working") void this.loadAhead();
        break;
      case "delta":
        if (this.sync) void this.sync.add(message.data);
        break;
      case "snapshot":
        this.sync?.offerSnapshot(message.data, message.deltas);
        break;
      case "submit":
        if (message.unpainted) void this.askUnpainted(message.answer);
        else void this.submit(message.answer);
        break;
      case "skip":
        if (this.phase.name === "working") void this.decline();
        break;
      case "askPrevious":
        void this.givePrevious();
        break;
      case "settings":
        if (message.settings.theme !== this.settings.theme) chooseTheme(message.settings.theme);
        this.settings = message.settings;
        keepSettings(this.account, message.settings);
        break;
      case "assistOpen":
        this.assistance?.open(message.uri);
        break;
      case "assist":
        void this.assistance?.ask(message.id, message.uri, message.prompt);
        break;
      case "problem":
        this.problem = message.message;
        break;
    }
  }

  // The keys are the canvas's at once, unless the worker is somewhere else in the page already.
  private focusFrame(): void {
    if (document.activeElement === null || document.activeElement === document.body) this.renderRoot.querySelector("iframe")?.focus();
  }

  private async loadAhead(): Promise<void> {
    const { job_name, id } = this.task!.content.assignment;
    await prefetch(job_name, id).catch(() => undefined); // asked for again when it is needed
  }

  private async givePrevious(): Promise<void> {
    const { id, job_name } = this.task!.content.assignment;
    try {
      const { assignment_id } = await client.get<{ assignment_id: string | null }>("assignments/previous", { job: job_name, before: id });
      if (!assignment_id) return toast("There is no earlier answer of yours in this job.");
      const answer = await client.get<unknown>(`assignments/${encodeURIComponent(assignment_id)}/answer`);
      this.post({ type: "previous", answer: JSON.stringify(answer) });
    } catch (error) {
      toast(problemText(error), "problem");
    }
  }

  // -- the draft

  private draftChanged(status: DraftStatus): void {
    const before = this.status.mode;
    this.status = status;
    if (status.waiting === "signedOut") this.signingIn = true;
    if (before === "editing" && status.mode !== "editing") {
      this.post({ type: "readOnly", reason: status.mode });
      if (status.mode === "leaseOver") void this.heartbeat();
    }
    this.tellSaved();
  }

  private tellSaved(): void {
    // A correction is sent only with its submission.
    const saved = this.status.unkept === 0 && (this.status.unsent === 0 || this.phase.name === "correcting");
    if (saved === this.toldSaved || !this.port) return;
    this.toldSaved = saved;
    this.post({ type: "saveState", saved });
  }

  private async takeOver(): Promise<void> {
    try {
      const draft = await this.sync!.open();
      this.announce(this.task!.content.assignment);
      this.showFrame(draft, null, false);
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) await this.heartbeat();
      else toast(problemText(error), "problem");
    }
  }

  // -- time

  private setRemaining(seconds: number): void {
    this.deadline = performance.now() + seconds * 1000;
    this.remaining = seconds;
  }

  private tick(): void {
    if (this.phase.name !== "working" || this.remaining === null) return;
    const before = this.remaining;
    this.remaining = (this.deadline - performance.now()) / 1000;
    if (before > 0 && this.remaining <= 0) void this.heartbeat();
  }

  private async heartbeat(): Promise<void> {
    if (this.phase.name !== "working" || this.signingIn) return;
    const turn = this.turn;
    try {
      const { state: now, remaining_seconds } = await client.post<{ state: string; remaining_seconds: number }>(
        `assignments/${encodeURIComponent(this.assignmentId)}/heartbeat`,
      );
      if (turn !== this.turn) return;
      if (now !== "leased" || remaining_seconds <= 0) {
        this.sync?.endLease();
        if (this.submitting === "") this.end(now === "leased" ? "expired" : now);
      } else {
        this.setRemaining(remaining_seconds);
      }
    } catch {
      // Told by the sign of the draft.
    }
  }

  private end(why: string): void {
    const kept = "What you painted is kept: if you get this photo again, it is there.";
    const texts: Record<string, [string, string, boolean]> = {
      expired: ["Your time for this photo is over", kept, true],
      returned: ["You gave this photo back", kept, true],
      declined: ["You declined this photo", "It will not come again.", false],
      withdrawn: ["Your answer was taken out", "The requester withdrew it.", false],
      submitted: ["This photo is submitted", "It was submitted in another tab or on another computer.", false],
    };
    const [heading, text, again] = texts[why] ?? ["This task has ended", "", false];
    this.phase = { name: "ended", heading, text, again };
  }

  // -- what the worker does

  private readonly resume = (): void => {
    if (document.visibilityState === "hidden") return;
    this.sync?.resume();
    this.retrySubmit?.();
    void this.heartbeat();
  };

  private readonly beforeUnload = (event: BeforeUnloadEvent): void => {
    if (this.status.unkept > 0 || this.submitting !== "") event.preventDefault();
  };

  private async askUnpainted(answer: string): Promise<void> {
    if (this.submitting !== "" || this.asking) return;
    this.asking = true;
    await ask({
      heading: "Nothing is painted",
      text: "Submit this photo without a label? Do so if none of the labels is in it.",
      action: "Submit without labels",
      perform: async () => void this.submit(answer),
    });
    this.asking = false;
  }

  private async submit(answer: string): Promise<void> {
    if (this.submitting !== "" || (this.phase.name !== "working" && this.phase.name !== "correcting")) return;
    const correcting = this.phase.name === "correcting";
    const turn = this.turn;
    const body = new Blob([answer], { type: "application/json" });
    const path = `assignments/${encodeURIComponent(this.assignmentId)}/${correcting ? "answer" : "submit"}`;
    this.problem = "";
    this.submitting = "sending";
    for (let wait = 1000; ; wait = Math.min(wait * 2, 30_000)) {
      try {
        await (await client.send(correcting ? "PUT" : "POST", address(path), body)).text();
        break;
      } catch (error) {
        if (turn !== this.turn) return;
        const status = error instanceof ApiError ? error.status : 500;
        if (status !== 0 && status !== 401 && status !== 429 && status < 500) {
          if (status === 409 && (await this.wasSubmitted())) break;
          this.submitting = "";
          this.problem = problemText(error);
          if (status === 409) await this.heartbeat();
          return;
        }
        this.submitting = "waiting";
        if (status === 401) this.signingIn = true;
        await this.pause(wait, status !== 401);
        if (turn !== this.turn) return;
        this.submitting = "sending";
      }
    }
    if (turn !== this.turn) return;
    await this.sync?.discard().catch(() => undefined);
    this.sync = null;
    this.status = { mode: "editing", unsent: 0, unkept: 0, waiting: "nothing" };
    this.submitting = "";
    if (correcting) {
      toast("Your correction is saved.");
      navigate("/_/history");
    } else {
      await this.next();
    }
  }

  // Until it is time, or the network or the session is back.
  private pause(ms: number, byItself: boolean): Promise<void> {
    return new Promise((resolve) => {
      const timer = byItself ? setTimeout(resolve, ms) : undefined;
      this.retrySubmit = () => {
        clearTimeout(timer);
        this.retrySubmit = null;
        resolve();
      };
    });
  }

  // Whether an answer whose receipt was lost arrived.
  private async wasSubmitted(): Promise<boolean> {
    try {
      const { assignment } = await client.get<{ assignment: Assignment }>(`assignments/${encodeURIComponent(this.assignmentId)}`);
      return this.phase.name === "working" && assignment.state === "submitted";
    } catch {
      return false;
    }
  }

  private async next(): Promise<void> {
    const job = this.task!.content.assignment.job_name;
    this.phase = { name: "loading" };
    try {
      const assignment = await nextTask(job);
      if (assignment?.id === this.assignmentId) {
        await this.load(); // its time was not over after all
      } else if (assignment) {
        this.movingOn = true;
        navigate(`/_/task/${assignment.id}`, { replace: true });
      } else {
        this.phase = { name: "done" };
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.phase = { name: "done" };
      else this.phase = { name: "failed", text: problemText(error), retry: () => void this.next() };
    }
  }

  private async decline(): Promise<void> {
    await ask({
      heading: "Decline this photo",
      text: "It goes to someone else, and what you painted on it is dropped. Why can it not be labelled?",
      input: { label: "Reason", value: "", hint: "For example: the photo is black, or none of the labels fits." },
      action: "Decline",
      danger: true,
      perform: async (reason) => {
        if (reason === "") throw new Error("Please give a reason.");
        await client.post(`assignments/${encodeURIComponent(this.assignmentId)}/decline`, { reason });
        await this.sync?.discard().catch(() => undefined);
        this.sync = null;
        void this.next();
      },
    });
  }

  private async giveBack(): Promise<void> {
    await ask({
      heading: "Give this photo back",
      text: "Others may then label it. What you painted is kept for you in case you get it again.",
      action: "Give back",
      perform: async () => {
        await client.post(`assignments/${encodeURIComponent(this.assignmentId)}/return`);
        navigate("/_/jobs");
      },
    });
  }

  private signedIn(): void {
    this.signingIn = false;
    if (client.current?.account.id !== this.account && this.account !== "") {
      // Someone else: nothing of the first one's work is for their eyes.
      location.assign("/_/");
      return;
    }
    if (this.phase.name === "failed") this.phase.retry();
    this.resume();
  }

  // -- what is seen

  // The last two minutes, or the last quarter of a shorter time.
  private get isLow(): boolean {
    const { accepted, deadline } = this.task!.content.assignment;
    const limit = (Date.parse(deadline) - Date.parse(accepted)) / 1000;
    return this.remaining !== null && this.remaining < Math.min(kWarningSeconds, limit / 4);
  }

  private bar(): TemplateResult {
    const { content } = this.task!;
    const working = this.phase.name === "working";
    const open = working || this.phase.name === "correcting";
    const editing = open && this.status.mode === "editing";
    const sign = saveSign(this.status, this.phase.name === "correcting");
    const low = working && this.isLow;
    return html`<header>
      <a class="back" href="/_/jobs" title="To the tasks" aria-label="To the tasks">${icons.left}</a>
      <div class="what">
        <h1 title=${content.description || content.title}>${content.title || content.assignment.job_name}</h1>
        <span class="quiet">Photo ${content.assignment.object_index + 1}</span>
      </div>
      ${open ? html`<span class="sign ${sign.kind}" role="status">${sign.text}</span>` : nothing}
      ${working && this.remaining !== null
        ? html`<span class=${low ? "clock low" : "clock"} title="Time left for this photo">${clockText(this.remaining)}</span>`
        : nothing}
      ${working
        ? html`<button class="plain small" @click=${() => void this.giveBack()}>Give back</button>
            <button class="small" @click=${() => void this.decline()}>Decline</button>`
        : nothing}
      ${open
        ? html`<button
            class="primary small"
            title="Submit (Ctrl+Enter)"
            ?disabled=${!editing || !this.frameReady || this.submitting !== ""}
            aria-busy=${this.submitting !== "" ? "true" : "false"}
            @click=${() => this.post({ type: "submit" })}
          >
            ${this.phase.name === "correcting" ? "Save correction" : "Submit"}
          </button>`
        : nothing}
    </header>`;
  }

  private notices(): TemplateResult {
    const low = this.phase.name === "working" && this.isLow;
    return html`${this.status.mode === "takenOver" && this.phase.name === "working"
      ? html`<p class="notice warning" role="alert">
          This photo is open in another tab or on another computer, so nothing can be painted here.
          <button class="small" @click=${() => void this.takeOver()}>Take over</button>
        </p>`
      : nothing}
    ${this.submitting === "waiting"
      ? html`<p class="notice warning" role="alert">
          The answer has not reached the server yet; it is sent again until it does. Keep this page open.
          <button class="small" @click=${() => this.retrySubmit?.()}>Send now</button>
        </p>`
      : nothing}
    ${low && this.submitting === ""
      ? html`<p class="notice warning" role="alert">Your time for this photo is nearly over. Submit what you have, or it goes back.</p>`
      : nothing}
    ${this.phase.name === "looking"
      ? html`<p class="notice">This answer was used already and can no longer be changed.</p>`
      : nothing}
    ${this.problem
      ? html`<p class="notice danger" role="alert">
          ${this.problem} <button class="plain small" aria-label="Close" @click=${() => (this.problem = "")}>${icons.close}</button>
        </p>`
      : nothing}`;
  }

  private message(heading: string, text: string, action: TemplateResult): TemplateResult {
    return html`<div class="page narrow message">
      <h1>${heading}</h1>
      <p>${text}</p>
      <div class="row">${action}<a class="button" href="/_/jobs">To the tasks</a></div>
    </div>`;
  }

  private content(): TemplateResult {
    switch (this.phase.name) {
      case "loading":
        return html`<div class="loading" role="status"><span class="spinner"></span> Opening the photo</div>`;
      case "failed":
        return this.message(
          "The task could not be opened",
          this.phase.text,
          html`<button class="primary" @click=${this.phase.retry}>Try again</button>`,
        );
      case "ended":
        return this.message(
          this.phase.heading,
          this.phase.text,
          this.phase.again ? html`<button class="primary" @click=${() => void this.next()}>Go on</button>` : html``,
        );
      case "done":
        return this.message("All done", "There is nothing more to label in this job right now. Thank you.", html`<a class="button" href="/_/history">Look at your answers</a>`);
      case "working":
      case "correcting":
      case "looking":
        return html`${this.bar()}${this.notices()}
          <div class="frame">
            ${keyed(
              this.frameTurn,
              html`<iframe title="The task" sandbox="allow-scripts allow-forms" allow="fullscreen" src="/_/frame"></iframe>`,
            )}
            ${this.frameReady ? nothing : html`<div class="loading cover" role="status"><span class="spinner"></span> Opening the photo</div>`}
          </div>`;
    }
  }

  override render(): TemplateResult {
    return html`${this.content()}
    ${this.signingIn
      ? html`<dialog class="over" aria-label="Sign in" @cancel=${(event: Event) => event.preventDefault()} @close=${() => this.requestUpdate()}>
          <p class="quiet">Your session ended. Sign in to go on; nothing is lost.</p>
          <p-sign-in @signed-in=${() => this.signedIn()}></p-sign-in>
        </dialog>`
      : nothing}`;
  }
}
customElements.define("terrapin-task-page", TaskPage);
