// Shortcuts as text: "B", "Shift+P", "Ctrl+Shift+Z", "[", "?", "Space". Which action a key performs is data of the actions; what the
// worker changed lies over it.

export type KeyPreset = "terrapin" | "cvat" | "labelStudio";

export const kPresets: readonly { id: KeyPreset; title: string }[] = [
  { id: "terrapin", title: "Terrapin" },
  { id: "cvat", title: "CVAT" },
  { id: "labelStudio", title: "Label Studio" },
];

/** The part of a KeyboardEvent that names a key. */
export interface KeyPress {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** What has keys: every action. */
export interface Keyed {
  readonly id: string;
  readonly title: string;
  readonly keys: Readonly<Record<KeyPreset, readonly string[]>>;
}

const named: Record<string, string> = {
  " ": "Space",
  ArrowLeft: "Left",
  ArrowRight: "Right",
  ArrowUp: "Up",
  ArrowDown: "Down",
  Escape: "Esc",
  "+": "Plus",
};

/**
 * The texts a key press answers to, the most telling first. Letters are those of the layout, or by their place where the layout
 * writes no Latin ones; digits with Shift are digits; other signs stand for themselves, whatever it took to type them.
 */
export function keyTexts(press: KeyPress): string[] {
  if (["Control", "Shift", "Alt", "Meta", "AltGraph", "CapsLock", "Dead", "Process", "Unidentified"].includes(press.key)) return [];
  const command = (press.ctrlKey || press.metaKey ? "Ctrl+" : "") + (press.altKey ? "Alt+" : "");
  const shift = press.shiftKey ? "Shift+" : "";
  const texts: string[] = [];
  const letter = /^Key([A-Z])$/.exec(press.code)?.[1];
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(press.code)?.[1];
  if (/^[a-z]$/i.test(press.key)) texts.push(command + shift + press.key.toUpperCase());
  else if (letter && !/^[\x21-\x7e]$/.test(press.key)) texts.push(command + shift + letter);
  else if (digit && press.key !== digit && press.shiftKey) texts.push(`${command}Shift+${digit}`, command + (named[press.key] ?? press.key));
  else if (press.key.length === 1 && press.key !== " ") texts.push(command + (named[press.key] ?? press.key));
  else texts.push(command + shift + (named[press.key] ?? press.key));
  if (digit && !press.shiftKey && press.key !== digit) texts.push(command + digit); // layouts whose digits need Shift
  return texts;
}

/** The keys of an action: changed ones if the worker changed them ("" = none), else the preset's. */
export function keysOf(action: Keyed, preset: KeyPreset, changed: Readonly<Record<string, string>>): readonly string[] {
  const own = changed[action.id];
  if (own === undefined) return action.keys[preset];
  return own === "" ? [] : own.split(" ");
}

/** The action a key press stands for; of several the first whose key the worker chose, else the first. */
export function actionFor<A extends Keyed>(actions: readonly A[], press: KeyPress, preset: KeyPreset, changed: Readonly<Record<string, string>>): A | null {
  for (const text of keyTexts(press)) {
    const found = actions.filter((action) => keysOf(action, preset, changed).includes(text));
    const best = found.find((action) => changed[action.id] !== undefined) ?? found[0];
    if (best) return best;
  }
  return null;
}

export interface KeyConflict {
  key: string;
  titles: string[];
}

/** Keys that stand for more than one action. */
export function conflicts(actions: readonly Keyed[], preset: KeyPreset, changed: Readonly<Record<string, string>>): KeyConflict[] {
  const users = new Map<string, string[]>();
  for (const action of actions) {
    for (const key of keysOf(action, preset, changed)) users.set(key, [...(users.get(key) ?? []), action.title]);
  }
  return [...users].filter(([, titles]) => titles.length > 1).map(([key, titles]) => ({ key, titles }));
}
