// The template that the server makes of instructions (src/labeling/tasks/template.cpp), for the preview.
import { escapeHtml } from "./jobDraft";

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

/** Empty members are as the server's own. */
export function defaultTemplate(instructions: Instructions): string {
  const header = instructions.header || "Paint every object with the colour of its label.";
  const full =
    instructions.full_html ||
    "<p>Choose a label, then paint all pixels that belong to it. What nobody paints is background.</p>";
  const short = instructions.short_html || "<p>Choose a label and paint what belongs to it.</p>";
  return `<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation
    name="crowd-semantic-segmentation"
    src="{{ task.input.taskObject | grant_read_access }}"
    header="${plain(header)}"
    labels="{{ task.input.labels | to_json | escape }}"
  >
    <full-instructions header="Instructions">
      ${markup(full)}
    </full-instructions>
    <short-instructions>${markup(short)}</short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>
`;
}
