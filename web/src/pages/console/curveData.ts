// Curves as uPlot takes them.
export interface Curve {
  label: string;
  points: [number, number][];
}

/** One row of epochs for all curves; null where a curve says nothing of an epoch. */
export function aligned(curves: Curve[]): [number[], ...(number | null)[][]] {
  const epochs = [...new Set(curves.flatMap(({ points }) => points.map(([epoch]) => epoch)))].sort((a, b) => a - b);
  const rows = curves.map(({ points }) => {
    const values = new Map(points);
    return epochs.map((epoch) => values.get(epoch) ?? null);
  });
  return [epochs, ...rows];
}
