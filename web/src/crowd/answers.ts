// AWS's answer of a form: {"<name>": value}. Boxes and radio buttons give {"<name>": {"<value>": true or false}}.

/** One thing in a form that has an answer. */
export type FieldAnswer = { name: string; value: unknown } | { name: string; choice: string; checked: boolean };

/** Later fields of the same name replace earlier ones, but choices of one name gather. */
export function gather(fields: readonly FieldAnswer[]): Record<string, unknown> {
  const answers = new Map<string, unknown>();
  for (const field of fields) {
    if (field.name === "") continue;
    if (!("choice" in field)) {
      answers.set(field.name, field.value);
      continue;
    }
    const before = answers.get(field.name);
    const choices = before instanceof Map ? (before as Map<string, boolean>) : new Map<string, boolean>();
    choices.set(field.choice, field.checked || choices.get(field.choice) === true);
    answers.set(field.name, choices);
  }
  return Object.fromEntries(
    [...answers].map(([name, value]) => [name, value instanceof Map ? Object.fromEntries(value as Map<string, boolean>) : value]),
  );
}
