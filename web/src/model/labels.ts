// Labels of a task: their values in the mask, their colours on the wire and on the screen.

export interface Label {
  /** 1..254, in the order of the list. */
  readonly value: number;
  readonly name: string;
  /** "#2ca02c": the label's key in the answer. */
  readonly color: string;
  /** Training ignores what is painted with it. */
  readonly isVoid: boolean;
}

export const kMostLabels = 254;
export const kMostLabelCharacters = 256;
export const kBackgroundColor = "#ffffff";

const single = "#2ca02c";
const category10 = [
  "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
]; // prettier-ignore
// Okabe and Ito's colours, without their black.
const okabeIto = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];

function hex(red: number, green: number, blue: number): string {
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** The red, green and blue of "#2ca02c" as one number; null when the text is no such colour. */
export function colorNumber(color: string): number | null {
  return /^#[0-9a-f]{6}$/i.test(color) ? parseInt(color.slice(1), 16) : null;
}

/** Colours for `count` labels, all different and none the background's: the same as the server's (imaging/palette.h). */
export function defaultColors(count: number): string[] {
  if (count === 1) return [single];
  const colors = category10.slice(0, count);
  // Beyond the list: hues a golden section apart (in 1/1536 turns) at alternating brightness; one that is taken moves on.
  for (let hue = 0, turn = 0; colors.length < count; ++turn) {
    hue = (hue + 949) % 1536;
    const value = 245 - 35 * (turn % 4);
    const floor = [40, 0, 90][turn % 3]!;
    const part = hue % 256;
    const rising = floor + Math.trunc(((value - floor) * part) / 255);
    const falling = value - Math.trunc(((value - floor) * part) / 255);
    const sectors: [number, number, number][] = [
      [value, rising, floor],
      [falling, value, floor],
      [floor, value, rising],
      [floor, falling, value],
      [rising, floor, value],
      [value, floor, falling],
    ];
    const color = hex(...sectors[Math.floor(hue / 256)]!);
    if (!colors.includes(color)) colors.push(color);
  }
  return colors;
}

/** Colours to show labels with that people with a colour vision deficiency tell apart; all different. Answers keep the labels' own colours. */
export function colorBlindColors(count: number): string[] {
  const colors: string[] = [];
  // The seven, then the same darker and lighter by turns.
  for (let round = 0; colors.length < count; ++round)
    for (const color of okabeIto) {
      const number = colorNumber(color)!;
      const amount = Math.ceil(round / 2) / (Math.ceil(round / 2) + 1);
      const toward = round % 2 === 1 ? 0 : 235;
      const shade = (shift: number): number => {
        const part = (number >> shift) & 255;
        return Math.round(part + (toward - part) * amount);
      };
      let [red, green, blue] = [shade(16), shade(8), shade(0)];
      // Far out the shades come close to each other; equal ones move on by one step.
      while (colors.includes(hex(red, green, blue))) {
        blue = (blue + 1) % 256;
        if (blue === 0) green = (green + 1) % 256;
        if (blue === 0 && green === 0) red = (red + 1) % 256;
      }
      if (colors.length < count) colors.push(hex(red, green, blue));
    }
  return colors;
}

/** Labels of these names, with default colours and none void unless `facts` says otherwise of a name. */
export function labelsOf(
  names: readonly string[],
  facts: readonly { name: string; color: string; isVoid: boolean }[] = [],
): Label[] {
  const known = new Map(facts.map((fact) => [fact.name, fact]));
  const taken = new Set([kBackgroundColor, ...names.map((name) => known.get(name)?.color.toLowerCase() ?? "")]);
  const own = names.some((name) => known.has(name));
  // A default colour that a known label has already is passed over.
  const free = defaultColors(own ? names.length + taken.size : names.length).filter((color) => !own || !taken.has(color));
  let next = 0;
  return names.map((name, index) => {
    const fact = known.get(name);
    return {
      value: index + 1,
      name,
      color: fact ? fact.color.toLowerCase() : free[next++]!,
      isVoid: fact?.isVoid ?? false,
    };
  });
}

/** What is wrong with a list of labels, in a sentence; null when nothing is. */
export function labelsProblem(labels: readonly { name: string; color: string }[]): string | null {
  if (labels.length === 0) return "There is no label; at least one is needed.";
  if (labels.length > kMostLabels) return `There are ${labels.length} labels; at most ${kMostLabels} are allowed.`;
  const names = new Set<string>();
  const colors = new Map<number, string>([[0xffffff, "the background"]]);
  for (const { name, color } of labels) {
    if (name.trim() === "") return "A label has no name.";
    if ([...name].length > kMostLabelCharacters)
      return `The label "${name.slice(0, 40)}…" has ${[...name].length} characters; at most ${kMostLabelCharacters} are allowed.`;
    if (names.has(name)) return `The label "${name}" is there twice.`;
    names.add(name);
    const number = colorNumber(color);
    if (number === null) return `The colour "${color}" of the label "${name}" is not like "#2ca02c".`;
    const other = colors.get(number);
    if (other !== undefined) return `The label "${name}" has the colour ${color} of ${other}.`;
    colors.set(number, `the label "${name}"`);
  }
  return null;
}

/**
 * The names in a `labels` attribute or property: JSON; JSON whose quotes are still written as &quot; (once or twice over); a list
 * with single quotes; each with or without a comma at the end. Members may be objects with "label" or "name". Also takes the
 * list itself. Throws an Error that says what is wrong.
 */
export function parseLabels(source: unknown): string[] {
  if (typeof source !== "string") return namesOf(source);
  let text = source.trim();
  for (let round = 0; round < 3; ++round) {
    const value = parseLoosely(text);
    if (value !== undefined) return namesOf(value);
    const plain = unescaped(text);
    if (plain === text) break;
    text = plain;
  }
  throw new Error(`labels: ${JSON.stringify(source.slice(0, 80))} is not a list like ["Cat", "Dog"]`);
}

function namesOf(value: unknown): string[] {
  if (typeof value === "string") return parseLabels(value); // JSON within JSON
  if (!Array.isArray(value)) throw new Error(`labels: a list like ["Cat", "Dog"] is expected`);
  return value.map((member: unknown, index) => {
    if (typeof member === "string") return member;
    if (typeof member === "object" && member !== null) {
      const { label, name } = member as { label?: unknown; name?: unknown };
      if (typeof label === "string") return label;
      if (typeof name === "string") return name;
    }
    throw new Error(`labels[${index}]: ${JSON.stringify(member)} is neither a text nor an object with "label"`);
  });
}

const entities: Record<string, string> = { quot: '"', apos: "'", amp: "&", lt: "<", gt: ">", nbsp: "\u00a0" };

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]+));/g, (whole, decimal: string, hexadecimal: string, name: string) => {
    if (name) return entities[name] ?? whole;
    const code = decimal ? parseInt(decimal, 10) : parseInt(hexadecimal, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const reader = new LooseReader(text);
    return reader.whole();
  }
}

// Lists, objects and texts as people write them in templates: either quote, names without quotes, a comma at the end.
class LooseReader {
  private at = 0;

  constructor(private readonly text: string) {}

  whole(): unknown {
    const value = this.value(0);
    this.blanks();
    return this.at === this.text.length ? value : undefined;
  }

  private value(depth: number): unknown {
    this.blanks();
    const mark = this.text[this.at];
    if (depth > 8) return undefined;
    if (mark === "[") return this.list(depth);
    if (mark === "{") return this.object(depth);
    if (mark === "'" || mark === '"') return this.quoted(mark);
    const word = /^[-+.\w]+/.exec(this.text.slice(this.at, this.at + 64))?.[0];
    if (word === undefined) return undefined;
    this.at += word.length;
    if (word === "true" || word === "false") return word === "true";
    if (word === "null") return null;
    return Number.isNaN(Number(word)) ? undefined : Number(word);
  }

  private list(depth: number): unknown[] | undefined {
    const members: unknown[] = [];
    ++this.at;
    for (;;) {
      if (this.take("]")) return members;
      const member = this.value(depth + 1);
      if (member === undefined) return undefined;
      members.push(member);
      if (!this.take(",") && !this.next("]")) return undefined;
    }
  }

  private object(depth: number): Record<string, unknown> | undefined {
    const members: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    ++this.at;
    for (;;) {
      if (this.take("}")) return members;
      this.blanks();
      const mark = this.text[this.at];
      let name: string | undefined;
      if (mark === "'" || mark === '"') name = this.quoted(mark);
      else {
        name = /^\w+/.exec(this.text.slice(this.at, this.at + 64))?.[0];
        this.at += name?.length ?? 0;
      }
      if (name === undefined || !this.take(":")) return undefined;
      const member = this.value(depth + 1);
      if (member === undefined) return undefined;
      members[name] = member;
      if (!this.take(",") && !this.next("}")) return undefined;
    }
  }

  // An apostrophe inside a text with single quotes ends it only where something may follow a text.
  private quoted(mark: string): string | undefined {
    let result = "";
    for (++this.at; this.at < this.text.length; ++this.at) {
      const letter = this.text[this.at]!;
      if (letter === mark && /^\s*([,\]}:]|$)/.test(this.text.slice(this.at + 1, this.at + 64))) {
        ++this.at;
        return result;
      }
      if (letter !== "\\") {
        result += letter;
        continue;
      }
      const escape = this.text[++this.at] ?? "";
      const code = /^[0-9a-fA-F]{4}/.exec(this.text.slice(this.at + 1, this.at + 5))?.[0];
      if (escape === "u" && code) {
        result += String.fromCharCode(parseInt(code, 16));
        this.at += 4;
      } else {
        result += { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" }[escape] ?? escape;
      }
    }
    return undefined;
  }

  private blanks(): void {
    while (/^\s$/.test(this.text[this.at] ?? "")) ++this.at;
  }
  private next(mark: string): boolean {
    this.blanks();
    return this.text[this.at] === mark;
  }
  private take(mark: string): boolean {
    const is = this.next(mark);
    if (is) ++this.at;
    return is;
  }
}
