// What a person says about an object, and what comes back (docs/formats/worker-http.md, "Assistance").
import type { BoxedMask } from "./boxedMask";

/** A stored pixel of the photo; 0, 0 is its first one. */
export type Pixel = readonly [x: number, y: number];

export type AssistMethod = "auto" | "network" | "classical";

/** What a server offers. */
export interface Assistance {
  network: boolean;
  classical: boolean;
}

export interface Prompt {
  /** The object's top-most, left-most, bottom-most and right-most pixel in any order: four; or none where `previous` is given. */
  extremes: readonly Pixel[];
  /** Belong to the object; do not. */
  positive: readonly Pixel[];
  negative: readonly Pixel[];
  /** The mask so far, which the points correct: an answer, or paint that is to be refined. Null for four points alone. */
  previous: BoxedMask | null;
  method: AssistMethod;
}

export interface AssistAnswer extends BoxedMask {
  readonly method: "network" | "classical";
}

/** How many extremes a question has, and the most points of each other kind. */
export const kExtremes = 4;
export const kMostClicks = 200;
