// Values as templates write them in attributes: JSON; either quote; names and addresses without quotes; a comma at the end; quotes
// that are still &quot;.

const kNamed: Record<string, string> = { quot: '"', "#34": '"', apos: "'", "#39": "'", amp: "&", lt: "<", gt: ">" };

/** The value, or undefined for what cannot be read. */
export function parseLoose(text: string): unknown {
  for (let round = 0, source = text.trim(); round < 3; ++round) {
    try {
      return JSON.parse(source) as unknown;
    } catch {
      // Not JSON; perhaps something like it.
    }
    const reader = new Reader(source);
    const value = reader.value(0);
    if (value !== undefined && reader.atEnd()) return value;
    const plain = source.replace(/&([a-z]+|#34|#39);/g, (whole, name: string) => kNamed[name] ?? whole);
    if (plain === source) return undefined;
    source = plain;
  }
  return undefined;
}

class Reader {
  private at = 0;
  constructor(private readonly text: string) {}

  atEnd(): boolean {
    this.blanks();
    return this.at === this.text.length;
  }

  value(depth: number): unknown {
    this.blanks();
    const sign = this.text[this.at];
    if (depth > 20 || sign === undefined) return undefined;
    if (sign === "{" || sign === "[") return this.group(sign, depth);
    const text = this.quotedOrBare(/[,}\]\s]/);
    if (text === undefined || sign === '"' || sign === "'") return text;
    if (text === "true" || text === "false") return text === "true";
    if (text === "null") return null;
    return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  }

  private group(sign: "{" | "[", depth: number): unknown {
    const list: unknown[] = [];
    const members = new Map<string, unknown>();
    const end = sign === "{" ? "}" : "]";
    ++this.at;
    for (;;) {
      this.blanks();
      if (this.text[this.at] === end) break;
      if (sign === "{") {
        const name = this.quotedOrBare(/[:\s]/);
        this.blanks();
        if (name === undefined || this.text[this.at++] !== ":") return undefined;
        const value = this.value(depth + 1);
        if (value === undefined) return undefined;
        members.set(name, value);
      } else {
        const value = this.value(depth + 1);
        if (value === undefined) return undefined;
        list.push(value);
      }
      this.blanks();
      if (this.text[this.at] === ",") ++this.at;
      else if (this.text[this.at] !== end) return undefined;
    }
    ++this.at;
    return sign === "{" ? Object.fromEntries(members) : list;
  }

  private quotedOrBare(stop: RegExp): string | undefined {
    const quote = this.text[this.at];
    let text = "";
    if (quote !== '"' && quote !== "'") {
      while (this.at < this.text.length && !stop.test(this.text[this.at]!)) text += this.text[this.at++];
      return text === "" ? undefined : text;
    }
    for (++this.at; this.at < this.text.length; ++this.at) {
      const sign = this.text[this.at]!;
      if (sign === quote) {
        ++this.at;
        return text;
      }
      if (sign !== "\\") {
        text += sign;
        continue;
      }
      const next = this.text[++this.at] ?? "";
      const code = next === "u" ? /^[0-9a-fA-F]{4}/.exec(this.text.slice(this.at + 1))?.[0] : undefined;
      if (code) this.at += 4;
      text += code ? String.fromCharCode(parseInt(code, 16)) : ({ n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" }[next] ?? next);
    }
    return undefined;
  }

  private blanks(): void {
    while (/\s/.test(this.text[this.at] ?? "x")) ++this.at;
  }
}
