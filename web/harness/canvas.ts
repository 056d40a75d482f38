// Development and bench/canvas: the canvas on a page of its own with a generated photo. Not part of what is shipped.
// Query: megapixels=12, theme=light|dark|system, labels=3, assist=MILLISECONDS (an assistant that answers so late: the ellipse in the
// points' box).
import type { CanvasLabel, SegmentationCanvas } from "../src/canvas/segmentationCanvas";
import type { Assistant } from "../src/canvas/assistant";
import { kDefaultSettings } from "../src/canvas/editor";
import { encodeBoxedMask } from "../src/model/boxedMask";
import { defaultColors } from "../src/model/labels";
import type { Prompt } from "../src/model/prompt";
import { Spans } from "../src/model/spans";
import "../src/canvas/segmentationCanvas";

/** A photo of 4:3 with areas, edges and noise, so that nothing about it is easy to draw; as JPEG. */
async function generatedPhoto(megapixels: number): Promise<Blob> {
  const width = Math.round(Math.sqrt((megapixels * 1e6 * 4) / 3));
  const height = Math.round((width * 3) / 4);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d")!;
  const sky = context.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, "#0d5b78");
  sky.addColorStop(1, "#0f2e38");
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  let seed = 7;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  for (let i = 0; i < 6000; ++i) {
    const size = (random() ** 3 * width) / 20 + 2;
    context.fillStyle = `hsl(${80 + random() * 130} ${20 + random() * 40}% ${12 + random() * 50}% / 45%)`;
    context.beginPath();
    context.ellipse(random() * width, height * (0.45 + 0.55 * random()), size, size * (0.3 + random()), random() * 3, 0, 7);
    context.fill();
  }
  context.fillStyle = "#6f7d3c";
  context.beginPath();
  context.ellipse(width * 0.48, height * 0.42, width * 0.16, height * 0.13, -0.3, 0, 7);
  context.fill();
  context.beginPath();
  context.ellipse(width * 0.66, height * 0.31, width * 0.05, height * 0.05, -0.4, 0, 7);
  context.fill();
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

/** Knows nothing of the photo, but is there without a server. */
function ellipseAssistant(after_ms: number): Assistant {
  const ellipse = ({ extremes, positive, negative, previous }: Prompt): Spans => {
    const points = [...extremes, ...positive];
    if (previous) points.push([previous.box[0], previous.box[1]], [previous.box[0] + previous.box[2] - 1, previous.box[1] + previous.box[3] - 1]);
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs) + 1, Math.min(...ys), Math.max(...ys) + 1];
    const spans = new Spans();
    for (let y = y0; y < y1; ++y) {
      const half = ((x1 - x0) / 2) * Math.sqrt(Math.max(0, 1 - ((2 * y + 1 - y0 - y1) / (y1 - y0)) ** 2));
      spans.push(y, Math.round((x0 + x1) / 2 - half), Math.round((x0 + x1) / 2 + half));
    }
    const size = (x1 - x0) / 8;
    const holes = new Spans();
    for (const [x, y] of [...negative].sort((a, b) => a[1] - b[1]).slice(0, 1))
      for (let i = -size; i < size; ++i) holes.push(Math.round(y + i), Math.round(x - size), Math.round(x + size));
    return spans.without(holes);
  };
  return {
    methods: ["network", "classical"],
    open: () => undefined,
    segment: async (prompt) => {
      await new Promise((resolve) => setTimeout(resolve, after_ms));
      return { ...encodeBoxedMask(ellipse(prompt)), method: "network" };
    },
  };
}

const query = new URLSearchParams(location.search);
const canvas = document.createElement("terrapin-canvas") as SegmentationCanvas;
const names = ["Turtle", "Diver", "Coral", "Sand", "Fish", "Boat", "Rope", "Plant", "Ray", "Shell", "Rock", "Net", "Crab", "Buoy"];
const count = Number(query.get("labels") ?? 3);
const colors = defaultColors(count);
canvas.labels = Array.from({ length: count }, (_, i): CanvasLabel => ({ value: i + 1, name: names[i] ?? `Class ${i + 1}`, color: colors[i]!, isVoid: i === 2 }));
canvas.header = "Paint every turtle and diver";
canvas.saved = true;
if (query.has("assist")) canvas.assistant = ellipseAssistant(Number(query.get("assist")));
canvas.settings = { ...kDefaultSettings, theme: (query.get("theme") ?? "system") as "system" };
canvas.innerHTML = `<div slot="short-instructions"><p>Paint the animal, not its shadow.</p></div><div slot="full-instructions"><p>Paint the whole animal.</p></div>`;
document.body.append(canvas);

declare global {
  interface Window {
    canvas: SegmentationCanvas;
    ready: Promise<void>;
  }
}
window.canvas = canvas;
window.ready = generatedPhoto(Number(query.get("megapixels") ?? 12)).then((photo) => canvas.open(photo, []));
