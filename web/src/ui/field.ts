// A labelled form control with hint and error, tied together for screen readers.
import { html, nothing, type TemplateResult } from "lit";

export interface FieldFacts {
  id: string;
  label: string;
  hint?: string | TemplateResult;
  error?: string | undefined;
}

/** What `control` puts on its element: ids of hint and error, and whether the value is refused. */
export interface Ties {
  id: string;
  describedBy: string;
  invalid: "true" | "false";
}

export function field(facts: FieldFacts, control: (ties: Ties) => TemplateResult): TemplateResult {
  const hintId = `${facts.id}-hint`;
  const errorId = `${facts.id}-error`;
  return html`<div class="field">
    <label for=${facts.id}>${facts.label}</label>
    ${control({ id: facts.id, describedBy: `${hintId} ${errorId}`, invalid: facts.error ? "true" : "false" })}
    <span class="error" id=${errorId} role=${facts.error ? "alert" : nothing} ?hidden=${!facts.error}
      >${facts.error}</span
    >
    <span class="hint" id=${hintId} ?hidden=${!facts.hint || Boolean(facts.error)}>${facts.hint}</span>
  </div>`;
}

export interface TextFacts extends FieldFacts {
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "password" | "email" | "number" | "search";
  autocomplete?: string;
  placeholder?: string;
  required?: boolean;
  rows?: number;
  min?: number;
  max?: number;
  maxLength?: number;
}

/** A field of one line, or of several if `rows` is given. */
export function textField(facts: TextFacts): TemplateResult {
  const input = (event: Event): void => facts.onInput((event.target as HTMLInputElement).value);
  return field(facts, (ties) =>
    facts.rows
      ? html`<textarea
          id=${ties.id}
          aria-describedby=${ties.describedBy}
          aria-invalid=${ties.invalid}
          rows=${facts.rows}
          placeholder=${facts.placeholder ?? nothing}
          maxlength=${facts.maxLength ?? nothing}
          .value=${facts.value}
          @input=${input}
        ></textarea>`
      : html`<input
          id=${ties.id}
          name=${ties.id}
          type=${facts.type ?? "text"}
          aria-describedby=${ties.describedBy}
          aria-invalid=${ties.invalid}
          autocomplete=${(facts.autocomplete ?? "off") as "off"}
          placeholder=${facts.placeholder ?? nothing}
          min=${facts.min ?? nothing}
          max=${facts.max ?? nothing}
          maxlength=${facts.maxLength ?? nothing}
          ?required=${facts.required ?? false}
          .value=${facts.value}
          @input=${input}
        />`,
  );
}

export interface SelectFacts extends FieldFacts {
  value: string;
  options: { value: string; label: string }[];
  onInput: (value: string) => void;
}

export function selectField(facts: SelectFacts): TemplateResult {
  return field(
    facts,
    (ties) =>
      html`<select
        id=${ties.id}
        aria-describedby=${ties.describedBy}
        aria-invalid=${ties.invalid}
        @change=${(event: Event) => facts.onInput((event.target as HTMLSelectElement).value)}
      >
        ${facts.options.map(
          (option) =>
            html`<option value=${option.value} ?selected=${option.value === facts.value}>${option.label}</option>`,
        )}
      </select>`,
  );
}

export function checkField(facts: {
  label: string | TemplateResult;
  hint?: string;
  checked: boolean;
  onInput: (checked: boolean) => void;
}): TemplateResult {
  return html`<label class="check">
    <input
      type="checkbox"
      .checked=${facts.checked}
      @change=${(event: Event) => facts.onInput((event.target as HTMLInputElement).checked)}
    />
    <span>${facts.label}${facts.hint ? html`<br /><span class="hint">${facts.hint}</span>` : nothing}</span>
  </label>`;
}
