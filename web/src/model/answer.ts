// The mask as the answer's PNG, and back: colours are the key on the wire, white is background.
import type { Raster } from "./geometry";
import { colorNumber } from "./labels";
import { readPng, writeRgbPng } from "./png";

const white = 0xffffff;

function table(colors: ReadonlyMap<number, string>): Map<number, number> {
  const result = new Map<number, number>();
  const owner = new Map<number, number>([[white, 0]]);
  for (const [value, color] of colors) {
    if (value === 0) continue;
    const number = colorNumber(color);
    if (number === null) throw new Error(`colour "${color}" of label value ${value} is not like "#2ca02c"`);
    const other = owner.get(number);
    if (other !== undefined)
      throw new Error(`colour ${color} of label value ${value} is also that of ${other === 0 ? "the background" : `label value ${other}`}`);
    owner.set(number, value);
    result.set(value, number);
  }
  return result;
}

/**
 * The mask as an RGB PNG in exactly the labels' colours, background #ffffff. `colors`: label value -> "#rrggbb". Reads the mask
 * until the promise is settled: it must not change meanwhile. Rejects when a value of the mask has no colour, or two labels, or
 * one and the background, have the same.
 */
export async function encodeAnswerPng(mask: Raster, colors: ReadonlyMap<number, string>): Promise<Uint8Array> {
  const known = table(colors);
  const numbers = new Uint32Array(256);
  numbers[0] = white;
  for (const [value, number] of known) numbers[value] = number;
  const used = new Uint8Array(256);
  for (let i = 0; i < mask.pixels.length; ++i) used[mask.pixels[i]!] = 1;
  for (let value = 1; value < 256; ++value)
    if (used[value] && !known.has(value)) throw new Error(`the mask has pixels of value ${value}, for which there is no label`);
  return writeRgbPng(mask.width, mask.height, mask.pixels, numbers);
}

/**
 * The label values of a PNG (grey, palette, RGB or RGBA) in the labels' colours; white and fully transparent are background.
 * Rejects with an Error that says what is wrong: another size, a colour that no label has, half transparent pixels, damage.
 */
export function decodeAnswerPng(
  bytes: Uint8Array,
  colors: ReadonlyMap<number, string>,
  width: number,
  height: number,
): Promise<Uint8Array> {
  const values = new Map<number, number>([[white, 0]]);
  for (const [value, number] of table(colors)) values.set(number, value);
  return readPng(bytes, width, height, (x, y, color, alpha) => {
    if (alpha === 0) return 0;
    const value = alpha === 255 ? values.get(color) : undefined;
    if (value === undefined) {
      const name = `#${color.toString(16).padStart(6, "0")}${alpha === 255 ? "" : ` with alpha ${alpha}`}`;
      throw new Error(`pixel (${x}, ${y}) has the colour ${name}, which no label has`);
    }
    return value;
  });
}
