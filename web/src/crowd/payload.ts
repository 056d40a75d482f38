// What the elements of one template write into its draft. ASCII, so that characters are bytes.
//   c<name> <delta>   of the canvas with this name (percent-encoded)
//   f<name> <JSON>    the value of a field now
//   S<JSON>           a snapshot: {"canvases": {name: text}, "fields": {name: value}}

export interface DraftSnapshot {
  canvases: Record<string, string>;
  fields: Record<string, unknown>;
}

function ascii(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function canvasPayload(name: string, delta: string): string {
  return `c${encodeURIComponent(name)} ${delta}`;
}
export function fieldPayload(name: string, value: unknown): string {
  return `f${encodeURIComponent(name)} ${ascii(value)}`;
}
export function snapshotPayload(snapshot: DraftSnapshot): string {
  return `S${ascii(snapshot)}`;
}

/** The state that a draft's payloads lead to: for each canvas its texts in order with their places (1, 2, ...), and the fields. */
export interface DraftState {
  canvases: Map<string, { texts: string[]; places: number[] }>;
  fields: Map<string, unknown>;
}

/** Reads a draft; what cannot be read is left out, and counted. */
export function readDraft(payloads: readonly string[]): DraftState & { unreadable: number } {
  const canvases: DraftState["canvases"] = new Map();
  const fields: DraftState["fields"] = new Map();
  let unreadable = 0;
  const canvas = (name: string): { texts: string[]; places: number[] } => {
    let found = canvases.get(name);
    if (!found) canvases.set(name, (found = { texts: [], places: [] }));
    return found;
  };
  payloads.forEach((payload, index) => {
    try {
      const kind = payload[0];
      const blank = payload.indexOf(" ");
      if (kind === "S") {
        const snapshot = JSON.parse(payload.slice(1)) as DraftSnapshot;
        for (const [name, text] of Object.entries(snapshot.canvases)) {
          canvas(name).texts = [text];
          canvas(name).places = [index + 1];
        }
        for (const [name, value] of Object.entries(snapshot.fields)) fields.set(name, value);
      } else if (kind === "c" && blank > 0) {
        const one = canvas(decodeURIComponent(payload.slice(1, blank)));
        one.texts.push(payload.slice(blank + 1));
        one.places.push(index + 1);
      } else if (kind === "f" && blank > 0) {
        fields.set(decodeURIComponent(payload.slice(1, blank)), JSON.parse(payload.slice(blank + 1)));
      } else {
        ++unreadable;
      }
    } catch {
      ++unreadable;
    }
  });
  return { canvases, fields, unreadable };
}
