// Decodes a photo and makes its tiles, coarsest level first. Runs in a worker, or on the page where none can be made.
import { withoutOrientation } from "../model/exif";
import { levelCount, planLevel, type TilePlan } from "./photoPlan";

export type PhotoNews =
  | { type: "size"; width: number; height: number }
  | { type: "tile"; plan: TilePlan; bitmap: ImageBitmap; done: number; total: number }
  | { type: "problem"; message: string };

/** Tells `report` the stored size, then every tile. The orientation a photo asks for is not applied. Never rejects. */
export async function decodePhoto(photo: Blob, report: (news: PhotoNews) => void): Promise<void> {
  try {
    // Browsers differ in what "none" means; a file that asks for nothing is the same to all.
    const stored = withoutOrientation(new Uint8Array(await photo.arrayBuffer())) as Uint8Array<ArrayBuffer>;
    const full = await createImageBitmap(new Blob([stored], { type: photo.type }), { imageOrientation: "none" });
    const { width, height } = full;
    report({ type: "size", width, height });
    const plans: TilePlan[] = [];
    for (let level = levelCount(width, height) - 1; level >= 0; --level) plans.push(...planLevel(width, height, level));
    let done = 0;
    for (const plan of plans) {
      const whole = plan.level === 0 && plan.width === width && plan.height === height;
      const bitmap = whole ? full : await cut(full, plan);
      report({ type: "tile", plan, bitmap, done: ++done, total: plans.length });
      if (whole) return;
    }
    full.close();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    report({ type: "problem", message: `The photo (${photo.type || "unknown type"}, ${photo.size} bytes) cannot be shown: ${reason}` });
  }
}

function cut(full: ImageBitmap, plan: TilePlan): Promise<ImageBitmap> {
  if (plan.level === 0) return createImageBitmap(full, plan.x, plan.y, plan.width, plan.height);
  return createImageBitmap(full, plan.x, plan.y, plan.width, plan.height, {
    resizeWidth: plan.bitmapWidth,
    resizeHeight: plan.bitmapHeight,
    resizeQuality: "medium",
  });
}
