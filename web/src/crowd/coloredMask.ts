// A mask of an earlier job as templates name it: a picture, and the colours that its labels have there.

import { parseLoose } from "./loose";

export interface ColoredMask {
  src: string;
  labelMappings: Record<string, { color: string }>;
}

/** The `initial-value` of a canvas; undefined for none. Throws an Error that says what is wrong. */
export function parseInitialValue(text: string | null): ColoredMask | undefined {
  return text === null || text.trim() === "" ? undefined : coloredMask("initial-value", parseLoose(text));
}

/** The mask of a classifier's `overlay`; undefined for none. Throws an Error that says what is wrong. */
export function parseOverlay(text: string | null): ColoredMask | undefined {
  if (text === null || text.trim() === "") return undefined;
  const value = parseLoose(text) as { semanticSegmentation?: unknown } | null | undefined;
  const mask = typeof value === "object" && value !== null ? value.semanticSegmentation : undefined;
  if (mask === undefined) throw new Error('overlay: an object like {"semanticSegmentation": {"src": "...", "labelMappings": {"Cat": {"color": "#2ca02c"}}}} is expected');
  return coloredMask("overlay", mask);
}

function coloredMask(attribute: string, value: unknown): ColoredMask {
  const given = value as Partial<ColoredMask> | null | undefined;
  if (typeof given !== "object" || given === null || typeof given.src !== "string" || typeof given.labelMappings !== "object" || given.labelMappings === null)
    throw new Error(`${attribute}: an object like {"src": "...", "labelMappings": {"Cat": {"color": "#2ca02c"}}} is expected`);
  const labelMappings: ColoredMask["labelMappings"] = {};
  for (const [name, mapping] of Object.entries(given.labelMappings)) {
    const color = (mapping as { color?: unknown } | null)?.color;
    if (typeof color !== "string") throw new Error(`${attribute}: labelMappings.${name} has no "color" like "#2ca02c"`);
    labelMappings[name] = { color };
  }
  return { src: given.src, labelMappings };
}
