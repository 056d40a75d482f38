// <crowd-form>: gathers the answers of all elements and plain fields in it, and submits them.
import type { FieldAnswer } from "./answers";
import { gather } from "./answers";
import { CrowdField } from "./fields";
import { runtime, type FormMember } from "./runtime";
import { CrowdSemanticSegmentation } from "./segmentation";

type PlainField = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const kNoAnswer = new Set(["submit", "button", "reset", "image", "file", "password"]);

function isPlain(element: Element): element is PlainField {
  return (
    (element instanceof HTMLInputElement && !kNoAnswer.has(element.type)) ||
    element instanceof HTMLTextAreaElement ||
    element instanceof HTMLSelectElement
  );
}

function isChoice(field: PlainField): field is HTMLInputElement {
  return field instanceof HTMLInputElement && (field.type === "checkbox" || field.type === "radio");
}

function plainValue(field: PlainField): unknown {
  if (field instanceof HTMLSelectElement && field.multiple) return [...field.selectedOptions].map((option) => option.value);
  return field.value;
}

function putValue(field: PlainField, value: unknown): void {
  if (field instanceof HTMLSelectElement && Array.isArray(value)) {
    for (const option of field.options) option.selected = value.includes(option.value);
  } else if (typeof value === "string") {
    field.value = value;
  }
}

export class CrowdForm extends HTMLElement implements FormMember {
  private busy = false;
  private problem: HTMLElement | null = null;
  private button: HTMLElement | null = null;
  private readonly disabledByUs = new Set<Element>();

  connectedCallback(): void {
    runtime().form = this;
    // What the document is about, unless the template says it itself.
    if (!this.hasAttribute("role") && !document.querySelector("main, [role='main']")) this.setAttribute("role", "main");
    void runtime().stand();
    this.addEventListener("input", this.edited);
    this.addEventListener("change", this.edited);
    this.addEventListener("submit", this.nestedSubmit, true);
    this.addEventListener("click", this.clicked);
    const finish = (): void => this.addButton();
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", finish, { once: true });
    else queueMicrotask(finish);
  }
  disconnectedCallback(): void {
    if (runtime().form === this) runtime().form = null;
    this.removeEventListener("input", this.edited);
    this.removeEventListener("change", this.edited);
    this.removeEventListener("submit", this.nestedSubmit, true);
    this.removeEventListener("click", this.clicked);
  }

  /** Submits what is there, without the event; as AWS's element does when a script calls it. */
  submit(): void {
    void this.run(false);
  }

  attemptSubmit(): Promise<void> {
    return this.run(true);
  }

  restore(fields: ReadonlyMap<string, unknown>, answer: Record<string, unknown> | null): void {
    for (const field of this.crowdFields()) {
      if (fields.has(field.draftKey)) field.restoreValue(fields.get(field.draftKey));
      else if (answer && field.name in answer) field.restoreAnswer(answer[field.name]);
    }
    for (const field of this.plainFields()) {
      const key = isChoice(field) ? `${field.name}=${field.value}` : field.name;
      const kept = fields.get(key);
      const told = answer?.[field.name];
      if (isChoice(field)) {
        const choice = kept ?? (told as Record<string, unknown> | null | undefined)?.[field.value];
        if (typeof choice === "boolean") field.checked = choice;
      } else {
        putValue(field, kept ?? told);
      }
    }
  }

  setReadOnly(readOnly: boolean): void {
    this.toggleAttribute("aria-disabled", readOnly);
    for (const field of this.querySelectorAll<HTMLElement & { disabled: boolean }>(
      "input, textarea, select, button, crowd-input, crowd-text-area, crowd-slider, crowd-checkbox, crowd-radio-button, crowd-button, crowd-image-classifier",
    )) {
      if (readOnly && !field.disabled) {
        field.disabled = true;
        this.disabledByUs.add(field);
      } else if (!readOnly && this.disabledByUs.delete(field)) {
        field.disabled = false;
      }
    }
  }

  showProblem(message: string): void {
    if (!this.problem) {
      this.problem = document.createElement("crowd-alert");
      this.problem.setAttribute("type", "error");
      this.problem.setAttribute("dismissible", "");
      this.prepend(this.problem);
    }
    this.problem.textContent = message;
    this.problem.hidden = message === "";
    if (message) this.problem.scrollIntoView({ block: "nearest" });
  }

  private async run(withEvent: boolean): Promise<void> {
    if (this.busy || runtime().readOnly) return;
    for (const field of [...this.crowdFields(), ...this.plainFields()]) if (!field.reportValidity()) return;
    this.busy = true;
    this.showProblem("");
    this.setAttribute("aria-busy", "true");
    try {
      const answers = await this.answers();
      if (withEvent && !this.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }))) return;
      const canvases = [...this.querySelectorAll<CrowdSemanticSegmentation>("crowd-semantic-segmentation")];
      const unpainted = canvases.length > 0 && canvases.every((canvas) => canvas.unpainted);
      runtime().send({ type: "submit", answer: JSON.stringify(answers), unpainted });
    } catch (error) {
      this.showProblem(error instanceof Error ? error.message : String(error));
    } finally {
      this.busy = false;
      this.removeAttribute("aria-busy");
    }
  }

  private async answers(): Promise<Record<string, unknown>> {
    const list: FieldAnswer[] = [];
    for (const element of this.querySelectorAll("*")) {
      if (element instanceof CrowdField) list.push(...element.answers);
      else if (element instanceof CrowdSemanticSegmentation) list.push({ name: element.canvasName, value: await element.takeAnswer() });
      else if (isPlain(element) && element.name !== "" && !element.disabled)
        list.push(
          isChoice(element)
            ? { name: element.name, choice: element.value, checked: element.checked }
            : { name: element.name, value: plainValue(element) },
        );
    }
    return gather(list);
  }

  private crowdFields(): CrowdField[] {
    return [...this.querySelectorAll("*")].filter((element) => element instanceof CrowdField);
  }
  private plainFields(): PlainField[] {
    return [...this.querySelectorAll("input, textarea, select")].filter((element) => isPlain(element) && element.name !== "") as PlainField[];
  }

  // A button of our own where the template has none.
  private addButton(): void {
    if (this.button || this.querySelector("crowd-button[form-action='submit'], button[type='submit'], input[type='submit']")) return;
    this.button = document.createElement("crowd-button");
    this.button.setAttribute("form-action", "submit");
    this.button.setAttribute("variant", "primary");
    this.button.textContent = "Submit";
    // The task's page has a submit button in sight; beside the canvas a second one would only take its place.
    if (runtime().connected && this.querySelector("crowd-semantic-segmentation, crowd-image-classifier")) this.button.hidden = true;
    this.append(this.button);
  }

  private readonly edited = (event: Event): void => {
    const target = event.target;
    if (target instanceof CrowdField) {
      runtime().fieldChanged(target.draftKey, target.draftValue);
      // Those that went out with it.
      const group = target.closest("crowd-radio-group");
      if (group && target.draftValue === true)
        for (const other of group.querySelectorAll("crowd-radio-button"))
          if (other instanceof CrowdField && other !== target) runtime().fieldChanged(other.draftKey, false);
      return;
    }
    if (!(target instanceof Element) || !isPlain(target) || target.name === "") return;
    if (!isChoice(target)) {
      runtime().fieldChanged(target.name, plainValue(target));
      return;
    }
    for (const one of this.plainFields())
      if (isChoice(one) && one.name === target.name) runtime().fieldChanged(`${one.name}=${one.value}`, one.checked);
  };

  // A <form> within would leave the page.
  private readonly nestedSubmit = (event: Event): void => {
    if (event.target === this) return;
    event.preventDefault();
    event.stopPropagation();
  };

  private readonly clicked = (event: Event): void => {
    const target = event.target;
    if (event.defaultPrevented || !(target instanceof Element)) return;
    const button = target.closest("button, input[type='submit'], input[type='image']");
    if (button && (button as HTMLButtonElement | HTMLInputElement).type === "submit") {
      event.preventDefault();
      void this.attemptSubmit();
    }
  };
}
