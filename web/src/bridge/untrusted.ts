// Messages from the frame are a stranger's: here they become FromFrame or nothing.
import { kMostRunText, type BoxedMask } from "../model/boxedMask";
import { kMostSide } from "../model/mask";
import { kExtremes, kMostClicks, type Pixel, type Prompt } from "../model/prompt";
import { kMostText, type FromFrame, type ViewSettings } from "./protocol";

const kMostMessage = 2000;
const kMostUri = 2000;

function text(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length <= most;
}

/** Parts of drafts are ASCII: their size is what the server counts. */
function isAscii(value: string): boolean {
  return /^[\x20-\x7e]*$/.test(value);
}

/** Settings with every member as the protocol says; what is wrong is taken from `otherwise`. */
export function checkedSettings(value: unknown, otherwise: ViewSettings): ViewSettings {
  const given = (typeof value === "object" && value !== null ? value : {}) as Partial<Record<keyof ViewSettings, unknown>>;
  const number = (one: unknown, least: number, most: number, usual: number): number =>
    typeof one === "number" && one >= least && one <= most ? one : usual;
  const changedKeys: Record<string, string> = {};
  if (typeof given.changedKeys === "object" && given.changedKeys !== null)
    for (const [action, key] of Object.entries(given.changedKeys).slice(0, 200))
      if (action.length <= 60 && text(key, 60)) changedKeys[action] = key;
  return {
    keys: given.keys === "terrapin" || given.keys === "cvat" || given.keys === "labelStudio" ? given.keys : otherwise.keys,
    changedKeys: given.changedKeys === undefined ? otherwise.changedKeys : changedKeys,
    colorBlindPalette: typeof given.colorBlindPalette === "boolean" ? given.colorBlindPalette : otherwise.colorBlindPalette,
    theme: given.theme === "system" || given.theme === "light" || given.theme === "dark" ? given.theme : otherwise.theme,
    opacity: number(given.opacity, 0, 1, otherwise.opacity),
    outline: typeof given.outline === "boolean" ? given.outline : otherwise.outline,
    brushSize: number(given.brushSize, 1, 10_000, otherwise.brushSize),
  };
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
}

/** Whole numbers of a given count, none below 0 or above what a photo's side may be. */
function areCounts(value: unknown, count: number): value is number[] {
  return Array.isArray(value) && value.length === count && value.every((one) => isCount(one, kMostSide));
}

function checkedPixels(value: unknown, most: number): Pixel[] | null {
  if (!Array.isArray(value) || value.length > most || !value.every((one) => areCounts(one, 2))) return null;
  return value.map(([x, y]: number[]) => [x!, y!]);
}

function checkedMask(value: unknown): BoxedMask | null {
  if (typeof value !== "object" || value === null) return null;
  const { box, runs } = value as Record<string, unknown>;
  if (!areCounts(box, 4) || !text(runs, kMostRunText) || !/^[A-Za-z0-9+/]*={0,2}$/.test(runs)) return null;
  return { box: [box[0]!, box[1]!, box[2]!, box[3]!], runs };
}

/** A question in the members that it may have, or null. Whether its points lie on the photo the server knows. */
function checkedPrompt(value: unknown): Prompt | null {
  if (typeof value !== "object" || value === null) return null;
  const given = value as Record<keyof Prompt, unknown>;
  const extremes = checkedPixels(given.extremes, kExtremes);
  const positive = checkedPixels(given.positive, kMostClicks);
  const negative = checkedPixels(given.negative, kMostClicks);
  const previous = given.previous === null ? null : checkedMask(given.previous);
  const { method } = given;
  if (!extremes || !positive || !negative || (given.previous !== null && !previous)) return null;
  if (extremes.length !== kExtremes && !(extremes.length === 0 && previous)) return null;
  if (method !== "auto" && method !== "network" && method !== "classical") return null;
  return { extremes, positive, negative, previous, method };
}

/** The message, or null for what the protocol does not know. */
export function readFromFrame(data: unknown, settings: ViewSettings): FromFrame | null {
  if (typeof data !== "object" || data === null) return null;
  const message = data as Record<string, unknown>;
  switch (message["type"]) {
    case "ready":
    case "skip":
    case "askPrevious":
      return { type: message["type"] };
    case "delta":
      return text(message["data"], kMostText) && isAscii(message["data"]) ? { type: "delta", data: message["data"] } : null;
    case "snapshot": {
      const deltas = message["deltas"];
      return text(message["data"], kMostText) && isAscii(message["data"]) && typeof deltas === "number" && Number.isSafeInteger(deltas) && deltas > 0
        ? { type: "snapshot", data: message["data"], deltas }
        : null;
    }
    case "submit":
      return text(message["answer"], kMostText) && typeof message["unpainted"] === "boolean"
        ? { type: "submit", answer: message["answer"], unpainted: message["unpainted"] }
        : null;
    case "settings":
      return { type: "settings", settings: checkedSettings(message["settings"], settings) };
    case "assistOpen":
      return text(message["uri"], kMostUri) ? { type: "assistOpen", uri: message["uri"] } : null;
    case "assist": {
      const { id, uri } = message;
      const prompt = checkedPrompt(message["prompt"]);
      return isCount(id, Number.MAX_SAFE_INTEGER) && text(uri, kMostUri) && prompt ? { type: "assist", id, uri, prompt } : null;
    }
    case "problem":
      return typeof message["message"] === "string" ? { type: "problem", message: message["message"].slice(0, kMostMessage) } : null;
    default:
      return null;
  }
}
