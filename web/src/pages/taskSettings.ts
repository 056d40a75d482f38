// How a worker's view is set: kept in this browser for each account.
import type { ViewSettings } from "../bridge/protocol";
import { checkedSettings } from "../bridge/untrusted";

const kUsual: ViewSettings = {
  keys: "terrapin",
  changedKeys: {},
  colorBlindPalette: false,
  theme: "system",
  opacity: 0.55,
  outline: false,
  brushSize: 24,
};

function place(account: string): string {
  return `terrapin-view-${account}`;
}

export function readSettings(account: string, storage: Storage = localStorage): ViewSettings {
  try {
    return checkedSettings(JSON.parse(storage.getItem(place(account)) ?? "{}"), kUsual);
  } catch {
    return kUsual;
  }
}

export function keepSettings(account: string, settings: ViewSettings, storage: Storage = localStorage): void {
  try {
    storage.setItem(place(account), JSON.stringify(settings));
  } catch {
    // A browser that keeps nothing.
  }
}
