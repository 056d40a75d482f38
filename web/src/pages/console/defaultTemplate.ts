// The template that the server makes of instructions (src/labeling/tasks/template.cpp), for the preview.
import { escapeHtml, type JobDraft } from "./jobDraft";

export interface Instructions {
  header: string;
  short_html: string;
  full_html: string;
}

// Braces that would begin something in Liquid become character references.
function plain(text: string): string {
  return escapeHtml(text).replace(/\{/g, "&#123;");
}
function markup(text: string): string {
  return text.replace(/\{(?=[{%])/g, "&#123;");
}

/** What the template says where the requester says nothing. */
export const kWords = {
  paint: {
    header: "Paint every object with the colour of its label.",
    full: "<p>Choose a label, then paint all pixels that belong to it. What nobody paints is background.</p>",
    short: "<p>Choose a label and paint what belongs to it.</p>",
  },
  judge: {
    header: "Does the mask fit the photo?",
    full: "<p>Look at the mask over the photo, closely where it ends, and choose the answer that fits it best.</p>",
    short: "<p>Zoom in on the outlines, then choose an answer.</p>",
  },
};

// The newest of the masks that the manifest's line names, as `mask`, its metadata as `newest`.
const kNewest = `
    {%- for entry in task.input.manifestLine %}
      {%- assign ending = entry[0] | slice: -4, 4 %}
      {%- if ending == "-ref" and entry[0] != "source-ref" %}
        {%- assign metadata = entry[0] | append: "-metadata" %}
        {%- assign candidate = task.input.manifestLine[metadata] %}
        {%- if candidate.internal-color-map %}
          {%- if newest == nil or candidate.creation-date > newest.creation-date %}
            {%- assign newest = candidate %}
            {%- assign mask = entry[1] %}
          {%- endif %}
        {%- endif %}
      {%- endif %}
    {%- endfor %}`;
const kMask = `{"src": "{{ mask | grant_read_access }}", "labelMappings": {
      {%- for color in newest.internal-color-map %}
        {%- if color[0] != "0" %}{{ color[1].class-name | to_json }}: {"color": "{{ color[1].hex-color }}"}, {% endif %}
      {%- endfor %}}}`;

/** Empty members are as the server's own. */
export function defaultTemplate(kind: JobDraft["kind"], instructions: Instructions): string {
  const judge = kind === "verification";
  const words = judge ? kWords.judge : kWords.paint;
  const element = judge ? "crowd-image-classifier" : "crowd-semantic-segmentation";
  return `<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <${element}
    name="${element}"
    src="{{ task.input.taskObject | grant_read_access }}"
    header="${plain(instructions.header || words.header)}"
    ${judge ? "categories" : "labels"}="{{ task.input.labels | to_json | escape }}"${kNewest}
    {%- if mask %}
    ${judge ? "overlay" : "initial-value"}='${judge ? '{"semanticSegmentation": ' : ""}${kMask}${judge ? "}" : ""}'
    {%- endif %}
  >
    <full-instructions header="Instructions">
      ${markup(instructions.full_html || words.full)}
    </full-instructions>
    <short-instructions>${markup(instructions.short_html || words.short)}</short-instructions>
${judge ? '    <worker-comment header="What is wrong?"></worker-comment>\n' : ""}  </${element}>
</crowd-form>
`;
}
