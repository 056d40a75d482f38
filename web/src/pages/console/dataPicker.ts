// Where the photos are: buckets and folders to look through, photos to drop in, or a manifest to choose.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { address, client } from "../../api/client";
import { keyPath, type Listing } from "../../api/facts";
import { UploadQueue, sendFile } from "../../api/upload";
import { ask } from "../../ui/dialog";
import { selectField } from "../../ui/field";
import { icons } from "../../ui/icons";
import "../../ui/small";
import { sheet } from "../../ui/style";
import { problemText, toast } from "../../ui/toast";
import { loading } from "../../ui/waiting";
import { lastPart, plural, sizeText } from "../../ui/words";
import { photoDrop, photoDropStyle } from "./photoDrop";
import { placeOf } from "./place";

const kPhoto = /\.(jpe?g|png|webp)$/i;
const kManifest = /\.(manifest|jsonl|json)$/i;
/** Photos dropped on a bucket itself go here, so that results do not come to lie among them. */
const kFirstFolder = "photos/";

/** `<p-data-picker mode="folder|manifest" .value="s3://…">`; fires "change". */
export class DataPicker extends LitElement {
  static override styles = [
    sheet,
    photoDropStyle,
    css`
      .bar {
        align-items: end;
        display: flex;
        flex-wrap: wrap;
        gap: var(--gap);
      }
      .bar > .grow {
        max-width: 340px;
      }
      ul {
        border: 1px solid var(--line);
        border-radius: var(--radius);
        list-style: none;
        margin: 0;
        max-height: 260px;
        overflow: auto;
        padding: 4px;
      }
      li button {
        justify-content: flex-start;
        text-align: left;
        white-space: normal;
        width: 100%;
      }
      li > span.row {
        flex-wrap: nowrap;
        gap: 8px;
        padding: 3px 11px;
      }
      li button[aria-pressed="true"] {
        background: var(--accent-soft);
      }
      li span.quiet {
        margin-left: auto;
        white-space: nowrap;
      }
      .path {
        align-items: center;
        display: flex;
        flex-wrap: wrap;
        gap: 2px;
      }
    `,
  ];
  @property() mode: "folder" | "manifest" = "folder";
  @property() value = "";
  @property({ type: Number }) mostBytes = Infinity;
  @state() private buckets: { name: string }[] | null = null;
  @state() private bucket = "";
  @state() private folder = "";
  @state() private listing: Listing | null = null;
  @state() private problem = "";
  private uploads: UploadQueue | null = null;
  private turn = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.start();
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.uploads?.stop();
  }
  private async start(): Promise<void> {
    try {
      this.buckets = (await client.get<{ buckets: { name: string }[] }>("requester/buckets")).buckets;
    } catch (thrown) {
      this.problem = problemText(thrown);
      return;
    }
    const place = placeOf(this.value);
    const known = place && this.buckets.some((one) => one.name === place.bucket);
    const bucket = known ? place.bucket : this.buckets[0]?.name;
    if (bucket) await this.look(bucket, known ? place.key.slice(0, place.key.lastIndexOf("/") + 1) : "", !known);
  }
  private async look(bucket: string, prefix: string, choose = true): Promise<void> {
    const turn = ++this.turn;
    this.bucket = bucket;
    this.folder = prefix;
    if (choose && this.mode === "folder") this.choose(`s3://${bucket}/${prefix}`);
    try {
      const listing = await client.get<Listing>("requester/objects", { bucket, prefix, limit: 1000 });
      if (turn !== this.turn) return;
      this.listing = listing;
      this.problem = "";
    } catch (thrown) {
      if (turn === this.turn) this.problem = problemText(thrown);
    }
  }
  private async more(): Promise<void> {
    const before = this.listing;
    if (!before?.next) return;
    const next = await client.get<Listing>("requester/objects", {
      bucket: this.bucket,
      prefix: this.folder,
      after: before.next,
      limit: 1000,
    });
    this.listing = {
      folders: [...before.folders, ...next.folders],
      objects: [...before.objects, ...next.objects],
      next: next.next,
    };
  }
  private choose(uri: string): void {
    if (uri === this.value) return;
    this.value = uri;
    this.dispatchEvent(new Event("change"));
  }
  private async makeBucket(): Promise<void> {
    await ask({
      heading: "New bucket",
      input: {
        label: "Name",
        value: this.buckets?.some((one) => one.name === "photos") ? "" : "photos",
        hint: "3 to 63 lower-case letters, digits, points and hyphens.",
      },
      action: "Make it",
      perform: async (name) => {
        await client.post("requester/buckets", { name });
        this.buckets = [...(this.buckets ?? []), { name }].sort((a, b) => a.name.localeCompare(b.name));
        await this.look(name, "");
      },
    });
  }
  private send(files: File[]): void {
    const photos = files.filter((file) => kPhoto.test(file.name) || file.type.startsWith("image/"));
    const large = photos.filter((file) => file.size > this.mostBytes);
    if (photos.length < files.length)
      toast(`${plural(files.length - photos.length, "file")} left out: only JPEG, PNG and WebP are photos.`, "problem");
    if (large.length > 0)
      toast(`${large[0]!.name} is larger than ${sizeText(this.mostBytes)}; it is left out.`, "problem");
    const fine = photos.filter((file) => file.size <= this.mostBytes);
    if (fine.length === 0) return;
    if (this.folder === "") this.folder = kFirstFolder;
    const { bucket, folder } = this;
    this.choose(`s3://${bucket}/${folder}`);
    if (!this.uploads?.busy) {
      this.uploads?.stop();
      let done = false;
      const queue = new UploadQueue(
        (file, key, progress, signal) =>
          sendFile(address(`requester/objects/${keyPath(bucket, key)}`), client.current?.csrf ?? "", file, progress, signal),
        () => {
          this.requestUpdate();
          if (done || queue.busy) return;
          done = true;
          queueMicrotask(() => void this.look(this.bucket, this.folder));
        },
      );
      this.uploads = queue;
    }
    for (const file of fine) this.uploads.add(file, `${folder}${file.name}`);
  }
  override render(): TemplateResult {
    if (this.buckets === null)
      return this.problem
        ? html`<p class="note bad" role="alert">${this.problem}</p>`
        : loading;
    if (this.buckets.length === 0)
      return html`<t-empty heading="No bucket yet">
        <p>Photos are kept in buckets. Make one, then drop your photos in.</p>
        <button type="button" class="primary" @click=${() => void this.makeBucket()}>${icons.plus} New bucket</button>
      </t-empty>`;
    return html`<div class="stack">
      <div class="bar">
        <div class="grow">
          ${selectField({
            id: "bucket",
            label: "Bucket",
            value: this.bucket,
            options: this.buckets.map(({ name }) => ({ value: name, label: name })),
            onInput: (name) => void this.look(name, ""),
          })}
        </div>
        <button type="button" @click=${() => void this.makeBucket()}>${icons.plus} New bucket</button>
      </div>
      ${this.problem ? html`<p class="note bad" role="alert">${this.problem}</p>` : nothing} ${this.path()}
      ${this.listing ? this.list(this.listing) : nothing} ${this.mode === "folder" ? this.dropZone() : nothing}
      ${this.uploads && this.uploads.uploads.length > 0 ? this.progress(this.uploads) : nothing}
    </div>`;
  }
  private path(): TemplateResult {
    const parts = this.folder.split("/").filter(Boolean);
    return html`<nav class="path" aria-label="Folder">
      <button type="button" class="plain small" @click=${() => void this.look(this.bucket, "")}>${this.bucket}</button>
      ${parts.map(
        (part, at) =>
          html`/<button
              type="button"
              class="plain small"
              @click=${() => void this.look(this.bucket, `${parts.slice(0, at + 1).join("/")}/`)}
            >
              ${part}
            </button>`,
      )}
    </nav>`;
  }
  private list(listing: Listing): TemplateResult {
    const fits = this.mode === "folder" ? kPhoto : kManifest;
    const files = listing.objects.filter((object) => fits.test(object.key));
    const some = listing.next ? "at least " : "";
    const count =
      this.mode === "folder"
        ? `${some}${plural(files.length, "photo")} in this folder`
        : `${some}${plural(files.length, "manifest")} in this folder`;
    return html`${listing.folders.length + files.length > 0
        ? html`<ul>
            ${listing.folders.map(
              (folder) =>
                html`<li>
                  <button type="button" class="plain small" @click=${() => void this.look(this.bucket, folder)}>
                    ${icons.folder} ${lastPart(folder)}
                  </button>
                </li>`,
            )}
            ${this.mode === "manifest"
              ? files.map((file) => {
                  const uri = `s3://${this.bucket}/${file.key}`;
                  return html`<li>
                    <button
                      type="button"
                      class="plain small"
                      aria-pressed=${uri === this.value ? "true" : "false"}
                      @click=${() => this.choose(uri)}
                    >
                      ${icons.file} ${lastPart(file.key)} <span class="quiet">${sizeText(file.size)}</span>
                    </button>
                  </li>`;
                })
              : files
                  .slice(0, 50)
                  .map(
                    (file) =>
                      html`<li>
                        <span class="row">${icons.file} ${lastPart(file.key)} <span class="quiet">${sizeText(file.size)}</span></span>
                      </li>`,
                  )}
          </ul>`
        : nothing}
      <p role="status">
        <strong>${count}</strong>${this.mode === "folder" && listing.folders.length > 0
          ? html`<span class="quiet">; those in its folders are taken, too</span>`
          : nothing}
      </p>
      ${listing.next
        ? html`<div><button type="button" @click=${() => void this.more()}>List more</button></div>`
        : nothing}`;
  }
  private dropZone(): TemplateResult {
    const hint = `JPEG, PNG or WebP; into s3://${this.bucket}/${this.folder || kFirstFolder}`;
    return photoDrop({ heading: "Drop photos here, or click to choose them", hint }, (files) => this.send(files));
  }
  private progress(queue: UploadQueue): TemplateResult {
    const { uploads } = queue;
    const total = uploads.reduce((sum, one) => sum + one.file.size, 0);
    const sent = uploads.reduce((sum, one) => sum + Math.min(one.sent, one.file.size), 0);
    const failed = uploads.filter((one) => one.state === "failed");
    return html`<div class="stack" role="status">
      <t-progress label="Upload" .shares=${[{ value: sent, label: "bytes sent", kind: "good" as const }]} .total=${total}></t-progress>
      <p>
        ${queue.count("done")} of ${plural(uploads.length, "photo")} uploaded, ${sizeText(sent)} of ${sizeText(total)}
      </p>
      ${failed.length > 0
        ? html`<p class="note bad">
              ${plural(failed.length, "photo")} not uploaded: ${failed[0]!.file.name}: ${failed[0]!.problem}
            </p>
            <div><button type="button" @click=${() => queue.retry()}>Try them again</button></div>`
        : nothing}
    </div>`;
  }
}
customElements.define("p-data-picker", DataPicker);
