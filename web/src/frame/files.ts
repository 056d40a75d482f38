// Addresses of the task's files within the frame.
import type { FrameFile } from "../bridge/protocol";

/** Puts addresses in the places of `files` in `html`; `contents` tells what is behind each, `uris` whose it is. */
export function placeFiles(
  html: string,
  files: readonly FrameFile[],
  makeAddress: (content: Blob) => string,
): { html: string; contents: Map<string, Blob>; uris: Map<string, string> } {
  const contents = new Map<string, Blob>();
  const uris = new Map<string, string>();
  let text = html;
  for (const { placeholder, uri, content } of files) {
    const address = makeAddress(content);
    contents.set(address, content);
    uris.set(address, uri);
    text = text.split(placeholder).join(address);
  }
  return { html: text, contents, uris };
}
