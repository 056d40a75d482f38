import type { Price } from "../api/facts";

/** "$0.036" */
export function priceText(price: Price): string {
  const thousandths = price.dollars * 1000 + price.cents * 10 + price.tenth_fractions_of_a_cent;
  const text = (thousandths / 1000).toFixed(3);
  return `$${text.endsWith("0") ? text.slice(0, -1) : text}`;
}

/** The members of a text like "0.036"; null if it is no amount with at most three decimals. */
export function parsePrice(text: string): Price | null {
  const match = /^\s*\$?(\d{1,4})(?:[.,](\d{1,3}))?\s*$/.exec(text);
  if (!match) return null;
  const decimals = (match[2] ?? "").padEnd(3, "0");
  return {
    dollars: Number(match[1]),
    cents: Number(decimals.slice(0, 2)),
    tenth_fractions_of_a_cent: Number(decimals[2]),
  };
}
