// Lines of a log.
import type { LogLine } from "../../api/controlFacts";

/** The lines that hold the text, without regard to case. */
export function linesWith(lines: LogLine[], text: string): LogLine[] {
  const wanted = text.trim().toLowerCase();
  return wanted === "" ? lines : lines.filter((line) => line.text.toLowerCase().includes(wanted));
}
