// A task template (Liquid with AWS's filters) made into HTML. Pure: no network, no files, no page. The template is not trusted:
// liquidWorker.ts runs this in a worker that can be ended.
import { Liquid } from "liquidjs";
import { pointToOwnElements } from "./scripts";

export interface TemplateInput {
  template: string;
  taskInput: unknown; // `task.input`
  /** What `grant_read_access` may give: URI -> link, null where the job's owner may not read it. */
  images: Record<string, string | null>;
}

/** A file that the HTML shows; `placeholder` stands in the HTML where its address goes. */
export interface WantedFile {
  placeholder: string;
  uri: string;
}

export interface RenderedTemplate {
  html: string;
  files: WantedFile[];
  /** What a requester should know: files that could not be given. */
  problems: string[];
}

export interface RenderLimits {
  templateCharacters: number;
  renderMilliseconds: number;
  /** liquidjs' own count of characters and list members made. */
  memory: number;
  htmlCharacters: number;
}

export const kDefaultLimits: RenderLimits = {
  templateCharacters: 4 << 20,
  renderMilliseconds: 4000,
  memory: 64 << 20,
  htmlCharacters: 16 << 20,
};

// Text that is HTML already: it is not escaped again.
class Markup {
  constructor(private readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

const kEscapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(textOf).join("");
  return String(value);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => kEscapes[character]!);
}

function escapeOnce(text: string): string {
  return text.replace(/&(?:[a-zA-Z][a-zA-Z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});|[&<>"']/g, (found) => kEscapes[found] ?? found);
}

/**
 * Renders `input`. `secret` makes placeholders that no text of the input can contain by chance; a fresh random one each time.
 * Throws an Error whose message names the line, if the template is wrong or goes beyond `limits`.
 */
export async function render(input: TemplateInput, secret: string, limits: RenderLimits = kDefaultLimits): Promise<RenderedTemplate> {
  const files = new Map<string, WantedFile>();
  const problems = new Set<string>();
  const engine = new Liquid({
    templates: {}, // nothing to include, neither files nor addresses
    ownPropertyOnly: true,
    strictFilters: true,
    parseLimit: limits.templateCharacters,
    renderLimit: limits.renderMilliseconds,
    memoryLimit: limits.memory,
    outputEscape: (value: unknown) => (value instanceof Markup ? value.toString() : escapeHtml(textOf(value))),
  });
  engine.registerFilter("escape", (value: unknown) => (value instanceof Markup ? value : new Markup(escapeHtml(textOf(value)))));
  engine.registerFilter("escape_once", (value: unknown) => (value instanceof Markup ? value : new Markup(escapeOnce(textOf(value)))));
  engine.registerFilter("skip_autoescape", (value: unknown) => new Markup(textOf(value)));
  engine.registerFilter("to_json", (value: unknown) => JSON.stringify(value instanceof Markup ? value.toString() : (value ?? null)));
  engine.registerFilter("grant_read_access", (value: unknown) => {
    const uri = textOf(value);
    if (!Object.hasOwn(input.images, uri)) {
      problems.add(
        uri.startsWith("s3://")
          ? `grant_read_access: ${uri} is named neither in the task's input nor in the template as it stands`
          : `grant_read_access: '${uri.slice(0, 200)}' is no s3:// address`,
      );
      return "";
    }
    if (input.images[uri] === null) {
      problems.add(`grant_read_access: the job's owner may not read ${uri}`);
      return "";
    }
    let file = files.get(uri);
    if (!file) {
      file = { placeholder: `terrapin-file-${secret}-${files.size}-`, uri };
      files.set(uri, file);
    }
    return file.placeholder;
  });
  const html = String(await engine.parseAndRender(input.template, { task: { input: input.taskInput } }));
  if (html.length > limits.htmlCharacters)
    throw new Error(`the rendered template has ${html.length} characters; ${limits.htmlCharacters} are allowed`);
  return { html: pointToOwnElements(html), files: [...files.values()], problems: [...problems] };
}
