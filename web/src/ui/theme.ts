// Dark, light, or as the system says; kept by the browser.
export type Theme = "system" | "light" | "dark";

const kKey = "terrapin-theme";

export function chosenTheme(): Theme {
  const kept = localStorage.getItem(kKey);
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** Shows the theme and keeps it. */
export function chooseTheme(theme: Theme): void {
  if (theme === "system") localStorage.removeItem(kKey);
  else localStorage.setItem(kKey, theme);
  applyTheme();
}

/** Shows the theme that was kept. */
export function applyTheme(): void {
  const theme = chosenTheme();
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

/** Whether the page is dark now. */
export function isDark(): boolean {
  const theme = chosenTheme();
  return theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
}
