// Photos from the person's disk, what models say of them, and where two models differ. Free of the page.
import type { PhotoAnswer } from "../../api/controlFacts";
import { readOrientation, withoutOrientation } from "../../model/exif";
import { readIndices, type IndexRaster } from "./indexedPng";
import { labelPaint, type Paint } from "./paint";

/** Stored pixels: masks have them too. */
export interface LocalPhoto {
  name: string;
  blob: Blob;
  bitmap: ImageBitmap;
  orientation: number;
}

export interface Seen {
  raster: IndexRaster;
  paint: Paint;
  classes: PhotoAnswer["classes"];
  mask: Blob;
  variant: string;
  milliseconds: number;
}

export async function openPhoto(file: File): Promise<LocalPhoto> {
  const bytes = withoutOrientation(new Uint8Array(await file.arrayBuffer()));
  const orientation = await readOrientation(file);
  try {
    const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: file.type }));
    return { name: file.name, blob: file, bitmap, orientation };
  } catch {
    throw new Error(`${file.name} is no photo that this browser opens: JPEG, PNG and WebP are.`);
  }
}

/** Background (0) is not painted. */
export function classPaint(classes: PhotoAnswer["classes"]): Paint {
  return labelPaint(classes.filter(({ index }) => index > 0).map(({ index, name, color }) => ({ index, color, label: name, void: false })));
}

export async function readAnswer(answer: PhotoAnswer, variant: string, milliseconds: number): Promise<Seen> {
  const text = atob(answer.mask_png_base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return {
    raster: await readIndices(bytes),
    paint: classPaint(answer.classes),
    classes: answer.classes,
    mask: new Blob([bytes], { type: "image/png" }),
    variant,
    milliseconds,
  };
}

/** Each class's part of the photo, the largest first; those without a pixel are left out. */
export function sharesOf(classes: PhotoAnswer["classes"]): { name: string; color: string; share: number }[] {
  const all = classes.reduce((sum, { pixels }) => sum + pixels, 0);
  return classes
    .filter(({ pixels }) => pixels > 0)
    .map(({ name, color, pixels }) => ({ name, color, share: pixels / all }))
    .sort((a, b) => b.share - a.share);
}

/**
 * 255 where two masks of a photo name different classes, 0 elsewhere; classes are compared by name, for two models may
 * number them differently. Throws where the masks differ in size.
 */
export function differenceOf(a: Pick<Seen, "raster" | "classes">, b: Pick<Seen, "raster" | "classes">): { raster: IndexRaster; pixels: number } {
  const { width, height } = a.raster;
  if (b.raster.width !== width || b.raster.height !== height) throw new Error("The two masks differ in size.");
  const names = new Map(a.classes.map(({ name, index }) => [name, index]));
  // The index in `a` of each index in `b`; -1: a class that `a` does not have.
  const same = new Int16Array(256).fill(-1);
  for (const { name, index } of b.classes) same[index] = names.get(name) ?? -1;
  same[255] = 255;
  const values = new Uint8Array(width * height);
  let pixels = 0;
  for (let at = 0; at < values.length; at++)
    if (same[b.raster.values[at]!] !== a.raster.values[at]) {
      values[at] = 255;
      pixels += 1;
    }
  return { raster: { width, height, values }, pixels };
}
