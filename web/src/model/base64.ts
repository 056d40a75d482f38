// Base64 (RFC 4648, with padding) of byte arrays of any length.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const letters = Uint8Array.from(alphabet, (letter) => letter.charCodeAt(0));
const padding = 61; // "="

const digits = new Uint8Array(256).fill(255);
letters.forEach((letter, digit) => (digits[letter] = digit));

export function toBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  const whole = bytes.length - (bytes.length % 3);
  let at = 0;
  for (let i = 0; i < whole; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    text[at++] = letters[group >> 18]!;
    text[at++] = letters[(group >> 12) & 63]!;
    text[at++] = letters[(group >> 6) & 63]!;
    text[at++] = letters[group & 63]!;
  }
  if (whole < bytes.length) {
    const two = whole + 2 === bytes.length;
    const group = (bytes[whole]! << 16) | (two ? bytes[whole + 1]! << 8 : 0);
    text[at++] = letters[group >> 18]!;
    text[at++] = letters[(group >> 12) & 63]!;
    text[at++] = two ? letters[(group >> 6) & 63]! : padding;
    text[at++] = padding;
  }
  return new TextDecoder().decode(text);
}

/** The bytes; throws an Error when the text is not base64. Blanks and missing padding are refused too. */
export function fromBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw new Error(`base64 text of ${text.length} characters; a multiple of 4 is expected`);
  const padded = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padded);
  const last = text.length - padded;
  let at = 0;
  let group = 0;
  for (let i = 0; i < text.length; ++i) {
    const code = text.charCodeAt(i);
    const digit = i >= last ? 0 : code < 256 ? digits[code]! : 255;
    if (digit === 255) throw new Error(`character ${i} of base64 text is ${JSON.stringify(text[i])}`);
    group = (group << 6) | digit;
    if (i % 4 === 3) {
      if (at < bytes.length) bytes[at++] = (group >> 16) & 255;
      if (at < bytes.length) bytes[at++] = (group >> 8) & 255;
      if (at < bytes.length) bytes[at++] = group & 255;
      group = 0;
    }
  }
  return bytes;
}
