// Areas of the photo or the mask that are computed away from the page's thread.
import type { ImagePoint } from "../model/geometry";
import type { Spans } from "../model/spans";

/** Every method rejects with an AbortError when the signal says so or close was called. */
export interface Regions {
  /** The area of one value around a pixel. */
  fill(seed: ImagePoint, signal?: AbortSignal): Promise<Spans>;
  /** Pixels of the photo that look like the one at `seed`. */
  wand(seed: ImagePoint, tolerance: number, contiguous: boolean, signal?: AbortSignal): Promise<Spans>;
  /** Background that touches no border of the photo. */
  enclosed(signal?: AbortSignal): Promise<Spans>;
  close(): void;
}
