// Numbers and times as people read them.

/** "3 min", "2 h 5 min", "10 days": the two largest units. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} days` : `${days} days ${hours % 24} h`;
}

/** The day and minute in the reader's own zone. */
export function timeText(time: string | null | undefined): string {
  if (!time) return "–";
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "–";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A message of the server as a sentence of its own; one that begins with a name or an address keeps its first letter. */
export function sentence(message: string): string {
  const text = message.trim();
  const first = /^[a-z]+(?=[ ,])/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return text === "" || /[.!?:]$/.test(text) ? first : `${first}.`;
}

export function countText(count: number): string {
  return count.toLocaleString();
}

/** "1 photo", "2 photos". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

export function sizeText(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toPrecision(3)} ${units[unit]}`;
}

export function percentText(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** The last part of a path or URI. */
export function lastPart(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed.slice(trimmed.lastIndexOf("/") + 1);
}
