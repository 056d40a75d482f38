// Addresses of the task's files within the frame.
import type { FrameFile } from "../bridge/protocol";

/** Puts addresses in the places of `files` in `html`; `contents` tells what is behind each. */
export function placeFiles(
  html: string,
  files: readonly FrameFile[],
  makeAddress: (content: Blob) => string,
): { html: string; contents: Map<string, Blob> } {
  const contents = new Map<string, Blob>();
  let text = html;
  for (const { placeholder, content } of files) {
    const address = makeAddress(content);
    contents.set(address, content);
    text = text.split(placeholder).join(address);
  }
  return { html: text, contents };
}
