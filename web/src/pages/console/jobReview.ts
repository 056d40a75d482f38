// A job that is about to be made, at a glance.
import { html, nothing, type TemplateResult } from "lit";
import { durationText, lastPart } from "../../ui/words";
import type { JobDraft } from "./jobDraft";
import "./swatch";

const kKinds: Record<JobDraft["kind"], string> = {
  segmentation: "Paint: semantic segmentation",
  adjustment: "Correct the masks of an earlier job",
  verification: "Judge the masks of an earlier job",
};

export function reviewOf(draft: JobDraft): TemplateResult {
  const number = (text: string): number => Number(text) || 0;
  const rows: [string, unknown][] = [
    ["Title", draft.title],
    ["Job name", draft.name],
    ["Description", draft.description],
    ["Task", kKinds[draft.kind]],
    ["Input", html`<code>${draft.inputUri}</code>`],
    ["Output", html`<code>${draft.outputUri}</code>`],
    [
      "Labels",
      draft.labelsKind === "file"
        ? html`<code>${draft.categoriesUri}</code>`
        : html`<span class="row">${draft.labels.map((label) => html`<p-swatch .category=${label}></p-swatch>`)}</span>`,
    ],
    [
      "Instructions",
      draft.templateKind === "html"
        ? "a template of your own"
        : draft.templateKind === "uri"
          ? html`<code>${draft.templateUri}</code>`
          : draft.header || "Terrapin's own",
    ],
    ["Work team", lastPart(draft.workteamArn)],
    ["Price for each answer", draft.teamKind === "public" ? `$${draft.price}` : ""],
    ["Workers for each photo", draft.workersPerObject],
    ["Time for a photo", durationText(number(draft.taskMinutes) * 60)],
    ["A photo expires after", durationText(number(draft.availabilityHours) * 3600)],
    ["Photos offered at once", draft.maxConcurrent],
    ["Stops after", [draft.maxObjects && `${draft.maxObjects} photos`, draft.maxPercent && `${draft.maxPercent} %`].filter(Boolean).join(" or ")],
    ["Keywords", draft.keywords.join(", ")],
    ["Label attribute", html`<code>${draft.labelAttribute}</code>`],
    ["One answer of several", draft.majorityVote ? "by plain majority" : ""],
    ["Tags", draft.tags.map((tag) => `${tag.key}=${tag.value}`).join(", ")],
  ];
  return html`<dl class="facts">
    ${rows.map(([title, value]) => (value === "" ? nothing : html`<dt>${title}</dt><dd>${value}</dd>`))}
  </dl>`;
}
