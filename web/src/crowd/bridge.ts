// What the frame gives the elements: the task's page, as far as the protocol allows. No global name leads to it once they stand.
import type { FromFrame, LabelFacts, ToFrame, ViewSettings } from "../bridge/protocol";
import type { Assistance } from "../model/prompt";

export interface FrameBridge {
  labels: LabelFacts[];
  settings: ViewSettings;
  readOnly: boolean;
  draft: string[];
  answer: string | null;
  assistance: Assistance | null;
  /** The content behind an address that the frame made. */
  file(address: string): Blob | undefined;
  /** The photo of the task that is behind an address. */
  uri(address: string): string | undefined;
  send(message: FromFrame): void;
  /** Takes the page's messages from now on, those that came before too. */
  listen(listener: (message: ToFrame) => void): void;
}

/** Where frame.ts leaves the bridge for the one moment in which the elements' script starts, before the template's own code. */
export const kHandOver = "terrapinHandOver";
