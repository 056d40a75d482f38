// Messages between a task's page (trusted: session, network, drafts) and the document in the sandboxed frame (the requester's
// template: no origin, no network, no cookies). They pass the task's input, the worker's answer as it grows, questions about where
// an object of the task's photos ends, and how the view is set; nothing else. The page opens the channel: it posts {terrapin:
// "connect"} with a MessagePort to the frame's window after the frame's "hello", and takes every message from that port as untrusted
// text of limited size.
import type { AssistAnswer, Assistance, Prompt } from "../model/prompt";

/** What the canvas knows of a label beyond its name. */
export interface LabelFacts {
  name: string;
  color: string; // "#2ca02c"
  isVoid: boolean;
}

export interface ViewSettings {
  keys: "terrapin" | "cvat" | "labelStudio";
  /** Changed shortcuts: action id -> key text, over those of `keys`. */
  changedKeys: Record<string, string>;
  colorBlindPalette: boolean;
  theme: "system" | "light" | "dark";
  opacity: number; // 0..1
  outline: boolean;
  brushSize: number; // diameter in photo pixels
}

/** A photo or file the template may show. `placeholder` stands in `html` where `grant_read_access` was. */
export interface FrameFile {
  placeholder: string;
  uri: string;
  content: Blob;
}

export type ToFrame =
  | {
      type: "open";
      html: string; // rendered
      files: FrameFile[];
      labels: LabelFacts[];
      draft: string[]; // deltas in order; a snapshot, if there is one, comes first (it says of itself what it is)
      answer: string | null; // of an earlier submission that is being corrected: the answer's JSON
      readOnly: boolean;
      settings: ViewSettings;
      assistance: Assistance | null; // who answers "assist"; null: nobody
    }
  | { type: "readOnly"; reason: string | null } // null: may be edited again
  | { type: "saveState"; saved: boolean } // whether everything sent so far is safe, for the canvas's own sign
  | { type: "previous"; answer: string | null } // what "askPrevious" asked for
  | { type: "snapshot" } // please send one
  | { type: "submit" } // as if the form's button was pressed
  | { type: "settings"; settings: ViewSettings }
  | { type: "assisted"; id: number; answer: AssistAnswer } // to the "assist" of this id: each has one of these
  | { type: "assisted"; id: number; problem: string }; // for people

export type FromFrame =
  | { type: "ready" } // elements stand, the draft is shown
  | { type: "delta"; data: string } // to be saved, in the order they come
  | { type: "snapshot"; data: string; deltas: number } // stands for the first `deltas` deltas that were ever in this draft (those of "open" count)
  | { type: "submit"; answer: string; unpainted: boolean } // AWS's answer JSON: {"<element>": {...}}; whether it has canvases and nothing is painted on any
  | { type: "skip" } // the worker's key for declining
  | { type: "askPrevious" }
  | { type: "settings"; settings: ViewSettings } // changed by the worker in the canvas
  | { type: "assistOpen"; uri: string } // questions about this photo are to be expected
  | { type: "assist"; id: number; uri: string; prompt: Prompt } // `uri` is one of a file of "open"
  | { type: "problem"; message: string }; // e.g. the template threw

/** The most characters of one text in a message of the frame; more ends the task's display with an error. */
export const kMostText = 96 * 1024 * 1024;
