// What a requester has filled in of a new job, what is wrong with it, and the request it becomes. No page, no network.
import { defaultColors, kBackgroundColor } from "../../model/labels";
import { sentence } from "../../ui/words";
import { parsePrice } from "../price";

export interface DraftLabel {
  label: string;
  color: string; // "#2ca02c"
  void: boolean;
}

/** Numbers are kept as they were typed. */
export interface JobDraft {
  name: string;
  title: string;
  description: string;
  kind: "segmentation" | "adjustment" | "verification";
  inputKind: "folder" | "manifest";
  inputUri: string;
  outputUri: string;
  labelsKind: "list" | "file";
  labels: DraftLabel[];
  categoriesUri: string;
  templateKind: "instructions" | "html" | "uri";
  header: string;
  shortText: string;
  fullText: string;
  templateHtml: string;
  templateUri: string;
  teamKind: "private" | "vendor" | "public";
  workteamArn: string;
  price: string; // dollars
  workersPerObject: string;
  taskMinutes: string;
  availabilityHours: string;
  maxConcurrent: string;
  maxObjects: string;
  maxPercent: string;
  keywords: string[];
  labelAttribute: string;
  preFunctionArn: string;
  postFunctionArn: string;
  majorityVote: boolean;
  skipLabeled: boolean;
  classifiers: string[];
  tags: { key: string; value: string }[];
}

const kAttributes: Record<JobDraft["kind"], string> = { segmentation: "label-ref", adjustment: "adjusted-ref", verification: "verification" };

/** The label attribute after the choice of a kind: one that nobody has changed is the kind's own, so that no job writes over the masks it is about. */
export function attributeFor(kind: JobDraft["kind"], now: string): string {
  return Object.values(kAttributes).includes(now) ? kAttributes[kind] : now;
}

export function emptyDraft(): JobDraft {
  return {
    name: "",
    title: "",
    description: "",
    kind: "segmentation",
    inputKind: "folder",
    inputUri: "",
    outputUri: "",
    labelsKind: "list",
    labels: [{ label: "", color: defaultColors(1)[0]!, void: false }],
    categoriesUri: "",
    templateKind: "instructions",
    header: "",
    shortText: "",
    fullText: "",
    templateHtml: "",
    templateUri: "",
    teamKind: "private",
    workteamArn: "",
    price: "0.036",
    workersPerObject: "1",
    taskMinutes: "60",
    availabilityHours: "240",
    maxConcurrent: "1000",
    maxObjects: "",
    maxPercent: "",
    keywords: [],
    labelAttribute: kAttributes.segmentation,
    preFunctionArn: "",
    postFunctionArn: "",
    majorityVote: false,
    skipLabeled: false,
    classifiers: [],
    tags: [],
  };
}

export type StepId = "photos" | "labels" | "instructions" | "workers" | "more" | "review";

/** Which step shows which member of the request; a problem is told there. */
export const kSteps: { id: StepId; title: string; members: string[] }[] = [
  { id: "photos", title: "Photos", members: ["name", "title", "description", "kind", "input_uri", "output_uri"] },
  { id: "labels", title: "Labels", members: ["labels", "categories_uri"] },
  { id: "instructions", title: "Instructions", members: ["instructions", "template_html", "template_uri"] },
  {
    id: "workers",
    title: "Workers",
    members: [
      "workteam_arn",
      "price",
      "workers_per_object",
      "task_time_limit_s",
      "task_availability_s",
      "max_concurrent",
      "content_classifiers",
    ],
  },
  {
    id: "more",
    title: "More",
    members: [
      "keywords",
      "label_attribute",
      "max_human_labeled_objects",
      "max_percent_labeled",
      "pre_function_arn",
      "post_function_arn",
      "majority_vote",
      "skip_labeled",
      "tags",
    ],
  },
  { id: "review", title: "Review", members: [] },
];

/** What the pages call the members. */
export const kMemberWords: Record<string, string> = {
  name: "Job name",
  title: "Title",
  description: "Description",
  kind: "Task",
  input_uri: "Input",
  output_uri: "Where results go",
  labels: "Labels",
  categories_uri: "Label category file",
  instructions: "Instructions",
  template_html: "Template",
  template_uri: "Template",
  workteam_arn: "Work team",
  price: "Price",
  workers_per_object: "Workers for each photo",
  task_time_limit_s: "Minutes for a photo",
  task_availability_s: "Hours until a photo expires",
  max_concurrent: "Photos offered at once",
  content_classifiers: "Your word on the content",
  keywords: "Keywords",
  label_attribute: "Label attribute",
  max_human_labeled_objects: "Stop after so many photos",
  max_percent_labeled: "Stop after so many percent",
  pre_function_arn: "Function before each task",
  post_function_arn: "Function that makes one answer",
  majority_vote: "Plain majority vote",
  skip_labeled: "Leave out photos that have a mask",
  tags: "Tags",
};

export type Problems = Record<string, string>;

/** Values of masks from 1 on; 254 is kept free and 255 is void. */
const kMostValues = 253;

const kName = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/;
const kUri = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/.*)?$/;

/** What is wrong, by member of the request. */
export function problemsOf(draft: JobDraft): Problems {
  const problems: Problems = {};
  const check = (member: string, fine: boolean, text: string): void => {
    if (!fine) problems[member] ??= text;
  };
  const number = (member: string, text: string, least: number, most: number, optional = false): void => {
    if (optional && text.trim() === "") return;
    const value = Number(text);
    check(
      member,
      text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most,
      `A whole number of ${least} to ${most}.`,
    );
  };
  check("name", kName.test(draft.name) && draft.name.length <= 63, "1 to 63 letters, digits and hyphens inside.");
  check("title", bytes(draft.title) >= 1 && bytes(draft.title) <= 128, "1 to 128 characters: what workers see.");
  check("description", bytes(draft.description) <= 255, "At most 255 characters.");
  check(
    "input_uri",
    kUri.test(draft.inputUri),
    draft.inputKind === "folder" ? "Choose where the photos are." : "The address of a manifest: s3://bucket/key.",
  );
  check(
    "input_uri",
    draft.inputKind === "folder" || !draft.inputUri.endsWith("/"),
    "A manifest is a file: its address does not end in a slash.",
  );
  check("output_uri", kUri.test(draft.outputUri), "Where results go: s3://bucket/prefix.");
  if (draft.labelsKind === "file") check("categories_uri", kUri.test(draft.categoriesUri), "s3://bucket/key.");
  else check("labels", labelsProblem(draft.labels) === "", labelsProblem(draft.labels));
  if (draft.templateKind === "html")
    check("template_html", draft.templateHtml.trim() !== "", "Write the template, or use instructions.");
  if (draft.templateKind === "uri") check("template_uri", kUri.test(draft.templateUri), "s3://bucket/key.");
  check("workteam_arn", draft.workteamArn !== "", "Choose who labels.");
  if (draft.teamKind === "public") {
    const price = parsePrice(draft.price);
    check("price", price !== null && price.dollars <= 2, "Dollars with at most three decimals, up to 2.999.");
    check(
      "content_classifiers",
      draft.classifiers.includes("FreeOfPersonallyIdentifiableInformation"),
      "The public crowd needs your word that the photos show no personal information.",
    );
  }
  number("workers_per_object", draft.workersPerObject, 1, 9);
  number("task_time_limit_s", draft.taskMinutes, 1, 10_080);
  number("task_availability_s", draft.availabilityHours, 1, 720);
  number("max_concurrent", draft.maxConcurrent, 1, 5000);
  number("max_human_labeled_objects", draft.maxObjects, 1, Number.MAX_SAFE_INTEGER, true);
  number("max_percent_labeled", draft.maxPercent, 1, 100, true);
  check(
    "keywords",
    draft.keywords.length <= 5 && draft.keywords.every((one) => bytes(one) <= 30),
    "At most 5, each of at most 30 characters.",
  );
  check(
    "label_attribute",
    kName.test(draft.labelAttribute) && (draft.kind === "verification" || draft.labelAttribute.endsWith("-ref")),
    "Letters, digits and hyphens; it ends in -ref.",
  );
  const keys = draft.tags.map((tag) => tag.key.trim());
  check(
    "tags",
    keys.every((key) => key !== "") && new Set(keys).size === keys.length,
    "Each tag needs a key of its own.",
  );
  return problems;
}

/** Why these labels will not do, or "". */
export function labelsProblem(labels: DraftLabel[]): string {
  const names = labels.map((one) => one.label.trim());
  if (labels.length === 0) return "At least one label.";
  const empty = names.findIndex((name) => name === "");
  if (empty >= 0) return `Label ${empty + 1} has no name.`;
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return `"${twice}" is there twice.`;
  if (names.includes("BACKGROUND")) return "BACKGROUND is what nobody painted; it needs no label.";
  const long = names.find((name) => [...name].length > 256);
  if (long !== undefined) return "Names have at most 256 characters.";
  const colors = labels.map((one) => one.color.toLowerCase());
  const same = colors.findIndex((color, at) => colors.indexOf(color) !== at);
  if (same >= 0) return `"${names[same]}" has the colour of "${names[colors.indexOf(colors[same]!)]}".`;
  const white = colors.indexOf(kBackgroundColor);
  if (white >= 0) return `"${names[white]}" is white, the background's colour.`;
  if (labels.filter((one) => one.void).length > 1) return "Only one label can be void.";
  if (labels.filter((one) => !one.void).length > kMostValues) return `At most ${kMostValues} labels and a void one.`;
  if (labels.every((one) => one.void)) return "At least one label besides the void one.";
  return "";
}

/** A new label with a colour that none of `labels` has. */
export function nextLabel(labels: DraftLabel[]): DraftLabel {
  const used = new Set(labels.map((one) => one.color.toLowerCase()));
  // A single label's default is not the first of several: ask for enough to be sure of a free one.
  const free = defaultColors(Math.max(2, labels.length + 2)).find((color) => !used.has(color.toLowerCase()));
  return { label: "", color: free ?? "#000000", void: false };
}

/** Text with no markup as paragraphs; HTML stays as it is. */
export function htmlOf(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "" || /<[a-z!/]/i.test(trimmed)) return trimmed;
  return trimmed
    .split(/\n\s*\n/)
    .map((paragraph) => `<p>${escapeHtml(paragraph).replace(/\n/g, "<br />")}</p>`)
    .join("\n");
}
export function escapeHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

/** The body of `POST requester/jobs`, of a draft without problems. */
export function requestOf(draft: JobDraft): Record<string, unknown> {
  const body: Record<string, unknown> = {
    name: draft.name,
    title: draft.title.trim(),
    description: draft.description.trim() || draft.title.trim(),
    kind: draft.kind,
    label_attribute: draft.labelAttribute,
    // The server tells a folder by its last character.
    input_uri: draft.inputKind === "folder" && !draft.inputUri.endsWith("/") ? `${draft.inputUri}/` : draft.inputUri,
    output_uri: draft.outputUri,
    workteam_arn: draft.workteamArn,
    workers_per_object: Number(draft.workersPerObject),
    task_time_limit_s: Number(draft.taskMinutes) * 60,
    task_availability_s: Number(draft.availabilityHours) * 3600,
    max_concurrent: Number(draft.maxConcurrent),
  };
  if (draft.labelsKind === "file") body["categories_uri"] = draft.categoriesUri;
  else
    body["labels"] = draft.labels.map((one) => ({
      label: one.label.trim(),
      color: one.color,
      ...(one.void ? { void: true } : {}),
    }));
  if (draft.templateKind === "html") body["template_html"] = draft.templateHtml;
  else if (draft.templateKind === "uri") body["template_uri"] = draft.templateUri;
  else if (draft.header.trim() || draft.shortText.trim() || draft.fullText.trim())
    body["instructions"] = {
      header: draft.header.trim(),
      short_html: htmlOf(draft.shortText),
      full_html: htmlOf(draft.fullText),
    };
  if (draft.teamKind === "public") body["price"] = parsePrice(draft.price);
  if (draft.maxObjects.trim()) body["max_human_labeled_objects"] = Number(draft.maxObjects);
  if (draft.maxPercent.trim()) body["max_percent_labeled"] = Number(draft.maxPercent);
  if (draft.keywords.length > 0) body["keywords"] = draft.keywords;
  if (draft.preFunctionArn) body["pre_function_arn"] = draft.preFunctionArn;
  if (draft.postFunctionArn) body["post_function_arn"] = draft.postFunctionArn;
  if (draft.majorityVote) body["majority_vote"] = true;
  if (draft.skipLabeled) body["skip_labeled"] = true;
  if (draft.classifiers.length > 0) body["content_classifiers"] = draft.classifiers;
  if (draft.tags.length > 0)
    body["tags"] = Object.fromEntries(draft.tags.map((tag) => [tag.key.trim(), tag.value.trim()]));
  return body;
}

/** The member that a refusal of the server names, and what it says; "" if it names none that is asked for here. */
export function memberOf(message: string): string {
  const members = kSteps.flatMap((step) => step.members);
  for (const [, quoted] of message.matchAll(/'([a-z_]+)(?:\[\d+\]|\.[a-z_]+)*'/g))
    if (quoted && members.includes(quoted)) return quoted;
  return "";
}

/** A refusal without the name of the member that it stands beside: "'name': there is one" becomes "There is one." */
export function withoutMember(message: string): string {
  return sentence(message.replace(/^'[a-z_]+'(?: is '[^']*')?: /, ""));
}

/** A name for programs made from words: "Sea turtles, 2nd" becomes "sea-turtles-2nd". */
export function nameFrom(words: string): string {
  return words
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
}

/** A name for what follows `name`: its number at the end, if any, one higher. */
export function nextName(name: string): string {
  const match = /^(.*?)-?(\d+)$/.exec(name);
  const next = match?.[1] ? `${match[1]}-${Number(match[2]) + 1}` : `${name}-2`;
  return next.length <= 63 ? next : `${name.slice(0, 60)}-2`;
}

/** Kept over a reload; what is not understood any more starts anew. */
export function readDraft(kept: string | null): JobDraft {
  const fresh = emptyDraft();
  if (!kept) return fresh;
  try {
    const read = JSON.parse(kept) as Record<string, unknown>;
    for (const [name, value] of Object.entries(fresh))
      if (typeof read[name] !== typeof value || Array.isArray(read[name]) !== Array.isArray(value)) return fresh;
    return { ...fresh, ...(read as unknown as JobDraft) };
  } catch {
    return fresh;
  }
}

function bytes(text: string): number {
  return new TextEncoder().encode(text.trim()).length;
}
