// Addresses of pages without reloading.
const listeners = new Set<() => void>();

/** Shows the page at `path` ("/_/..."). */
export function navigate(path: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  for (const listener of listeners) listener();
}

/** Calls `listener` whenever the address changed, also by the browser's buttons; returns how to end that. */
export function onNavigate(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}
