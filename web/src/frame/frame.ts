// The document in the sandboxed frame: it says hello, gets a port and the task, and becomes the template.
import type { FromFrame, ToFrame } from "../bridge/protocol";
import { kHandOver, type FrameBridge } from "../crowd/bridge";
import { placeFiles } from "./files";

type Open = Extract<ToFrame, { type: "open" }>;

// Templates are written for a light page; the canvas takes the whole width.
const kLook =
  "html{background:#fff;color:#15211e;color-scheme:light;font:15px/1.45 system-ui,sans-serif}body{margin:0}" +
  "crowd-form{display:block;padding:0 14px}crowd-semantic-segmentation,crowd-image-classifier{margin:0 -14px}";

function becomeTemplate(open: Open, port: MessagePort): void {
  const { html, contents, uris } = placeFiles(open.html, open.files, (content) => URL.createObjectURL(content));
  let listener: ((message: ToFrame) => void) | null = null;
  const early: ToFrame[] = [];
  port.onmessage = (event: MessageEvent<ToFrame>) => {
    if (listener) listener(event.data);
    else early.push(event.data);
  };
  const send = port.postMessage.bind(port) as (message: FromFrame) => void;
  const bridge: FrameBridge = {
    labels: open.labels,
    settings: open.settings,
    readOnly: open.readOnly,
    draft: open.draft,
    answer: open.answer,
    assistance: open.assistance,
    file: (address) => contents.get(address),
    uri: (address) => uris.get(address),
    send,
    listen: (taker) => {
      listener = taker;
      for (const message of early.splice(0)) taker(message);
    },
  };
  // What a template's scripts throw is the requester's to know.
  const report = (message: string): void => send({ type: "problem", message: message.slice(0, 1000) });
  // Of a script with another origin, which the elements' is in this document, browsers do not tell the message.
  const told = (message: string): string =>
    /^Script error\.?$/.test(message) ? "a call of a crowd element failed; the browser's console says how." : message;
  // The elements stand before a line of the template runs; the bridge is theirs alone.
  Object.defineProperty(window, kHandOver, { value: bridge, configurable: true });
  const script = document.createElement("script");
  script.src = "/_/crowd-html-elements.js";
  script.onerror = () => report("The elements' script could not be loaded.");
  script.onload = () => {
    document.open();
    window.addEventListener("error", (event) => report(`The template's script: ${told(event.message)}`));
    window.addEventListener("unhandledrejection", (event) => report(`The template's script: ${String(event.reason)}`));
    document.addEventListener("DOMContentLoaded", () => {
      document.title ||= "Task";
      if (document.querySelector("crowd-form")) return;
      report("The template has no <crowd-form>: it cannot be submitted.");
      send({ type: "ready" });
    });
    document.write(/<!doctype|<html[\s>]/i.test(html) ? html : `<!doctype html><html lang="en"><meta charset="utf-8"><style>${kLook}</style>${html}`);
    document.close();
  };
  document.head.append(script);
}

function connect(event: MessageEvent<unknown>): void {
  const port = event.ports[0];
  if (event.source !== window.parent || !port || (event.data as { terrapin?: unknown } | null)?.terrapin !== "connect") return;
  window.removeEventListener("message", connect);
  port.onmessage = (first: MessageEvent<ToFrame>) => {
    if (first.data.type === "open") becomeTemplate(first.data, port);
  };
}
window.addEventListener("message", connect);
window.parent.postMessage({ terrapin: "hello" }, "*");
