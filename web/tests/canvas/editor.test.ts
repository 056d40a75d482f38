import { beforeEach, describe, expect, it } from "vitest";
import { shareText } from "../../src/canvas/classList";
import { Editor } from "../../src/canvas/editor";
import type { PointerAt } from "../../src/canvas/gestures/gesture";
import type { Regions } from "../../src/canvas/regions";
import { imagePoint, type ImagePoint } from "../../src/model/geometry";
import { Mask } from "../../src/model/mask";
import { enclosedBackground, fill } from "../../src/tools/regions";

let editor: Editor;
let mask: Mask;
let let_go: (() => void)[];

/** Computes what is asked when `let_go` is called: as late as a worker may. */
function slowRegions(of: Mask): Regions {
  const later = <T>(work: () => T): Promise<T> => new Promise((resolve) => let_go.push(() => resolve(work())));
  return {
    fill: (seed: ImagePoint) => later(() => fill(of, seed)),
    wand: (seed: ImagePoint) => later(() => fill(of, seed)),
    enclosed: () => later(() => enclosedBackground(of)),
    close: () => undefined,
  };
}

function at(x: number, y: number, shift = false): PointerAt {
  const image = imagePoint(x, y);
  return { image, screen: editor.view.toScreen(image), shift };
}
function stroke(...points: PointerAt[]): void {
  editor.press(points[0]!);
  editor.move(points.slice(1));
  editor.release(points[points.length - 1]!);
}
function click(x: number, y: number): void {
  stroke(at(x, y));
}
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  let_go = [];
  editor = new Editor();
  editor.view.resize(400, 400);
  mask = new Mask(40, 40);
  editor.setLabels([
    { value: 1, name: "Turtle", color: "#1f77b4", isVoid: false },
    { value: 2, name: "Diver", color: "#ff7f0e", isVoid: false },
  ]);
  editor.open(mask, slowRegions(mask), 1);
  editor.setBrushSize(1);
});

describe("editor", () => {
  it("paints a stroke of one undo step, which undo takes back", () => {
    stroke(at(2.5, 2.5), at(5.5, 2.5), at(9.5, 2.5));
    expect(mask.count(1)).toBe(8);
    expect(editor.modified).toBe(true);
    editor.undo();
    expect(mask.count(1)).toBe(0);
    editor.redo();
    expect(mask.count(1)).toBe(8);
  });

  it("erases with the eraser and, for a moment, with Alt", () => {
    stroke(at(2.5, 2.5), at(9.5, 2.5));
    editor.altHeld = true;
    stroke(at(2.5, 2.5), at(3.5, 2.5));
    editor.altHeld = false;
    expect(mask.count(1)).toBe(6);
    editor.selectTool("eraser");
    stroke(at(4.5, 2.5), at(9.5, 2.5));
    expect(mask.count(1)).toBe(0);
  });

  it("draws a straight line with Shift from the end of the last stroke", () => {
    click(5.5, 5.5);
    stroke(at(5.5, 20.5, true));
    expect(mask.count(1)).toBe(16);
    expect(mask.pixels[12 * 40 + 5]).toBe(1);
  });

  it("leaves locked labels, and with 'only background' all labels, alone", () => {
    stroke(at(0.5, 1.5), at(9.5, 1.5));
    editor.selectLabel(2);
    editor.toggleLocked(1);
    stroke(at(4.5, 0.5), at(4.5, 3.5));
    expect([mask.count(1), mask.count(2)]).toEqual([10, 3]);
    editor.toggleLocked(1);
    editor.setOnlyBackground(true);
    stroke(at(5.5, 0.5), at(5.5, 3.5));
    expect([mask.count(1), mask.count(2)]).toEqual([10, 6]);
  });

  it("closes a polygon at its first point and with finish, takes points back, and cancels", () => {
    editor.selectTool("polygon");
    for (const [x, y] of [[5, 5], [15, 5], [15, 15], [5, 15]] as const) click(x, y);
    expect(editor.busy).toBe(true);
    click(5, 5);
    expect(mask.count(1)).toBe(100);
    expect(editor.busy).toBe(false);
    editor.selectTool("polygonSubtract");
    for (const [x, y] of [[5, 5], [10, 5], [10, 15], [5, 15], [30, 30]] as const) click(x, y);
    editor.undo(); // the last point, not the polygon before
    editor.finish();
    expect(mask.count(1)).toBe(50);
    click(1, 1);
    click(30, 1);
    click(30, 30);
    editor.cancel();
    editor.finish();
    expect(mask.count(1)).toBe(50);
  });

  it("closes a freehand polygon where the drag ends", () => {
    editor.selectTool("polygon");
    const round = Array.from({ length: 41 }, (_, i) => at(20 + 10 * Math.cos((i * Math.PI) / 20), 20 + 10 * Math.sin((i * Math.PI) / 20)));
    stroke(...round);
    expect(editor.busy).toBe(false);
    expect(Math.abs(mask.count(1) - Math.PI * 100)).toBeLessThan(12);
  });

  it("takes a press back when a second finger comes", () => {
    editor.press(at(3.5, 3.5));
    editor.move([at(9.5, 3.5)]);
    expect(mask.count(1)).toBe(7);
    editor.takeBackPress();
    expect(mask.count(1)).toBe(0);
    expect(mask.canUndo).toBe(false);
  });

  it("paints an area that arrives during a stroke after that stroke, and waits for it before it is idle", async () => {
    editor.selectTool("fill");
    click(30.5, 30.5);
    let idle = false;
    void editor.idle().then(() => (idle = true));
    editor.selectTool("brush");
    editor.selectLabel(2);
    editor.press(at(3.5, 3.5));
    let_go.splice(0).forEach((go) => go());
    await settled();
    expect(idle).toBe(true);
    expect(mask.count(1)).toBe(0);
    editor.release(at(3.5, 3.5));
    expect(mask.count(1) + mask.count(2)).toBe(1600);
  });

  it("is idle only when an area that was computed is painted", async () => {
    editor.selectTool("fill");
    click(30.5, 30.5);
    const counted = editor.idle().then(() => mask.count(1));
    let_go.splice(0).forEach((go) => go());
    expect(await counted).toBe(1600);
  });

  it("fills enclosed background", async () => {
    editor.selectTool("brush");
    stroke(at(5.5, 5.5), at(9.5, 5.5), at(9.5, 9.5), at(5.5, 9.5), at(5.5, 5.5));
    const done = editor.fillEnclosed();
    let_go.splice(0).forEach((go) => go());
    await done;
    expect(mask.count(1)).toBe(25);
  });

  it("paints with the keyboard alone", () => {
    editor.fit();
    editor.moveCursor(1, 0, false);
    const start = editor.pointer!;
    editor.toggleCursorPen();
    for (let i = 0; i < 3; ++i) editor.moveCursor(0, 1, false);
    editor.toggleCursorPen();
    expect(mask.count(1)).toBe(4);
    expect(mask.pixels[Math.floor(start.y) * 40 + Math.floor(start.x)]).toBe(1);
    editor.moveCursor(1, 0, false);
    editor.tapCursor();
    expect(mask.count(1)).toBe(5);
  });

  it("changes nothing while read only, but moves and zooms", () => {
    editor.readOnly = true;
    stroke(at(2.5, 2.5), at(9.5, 2.5));
    expect(mask.count(0)).toBe(1600);
    const { scale } = editor.view;
    editor.zoomBy(2);
    expect(editor.view.scale).toBeCloseTo(2 * scale);
  });

  it("hands a long stroke on in parts whose replay is the mask", () => {
    const deltas: string[] = [];
    mask.onDelta((delta) => deltas.push(delta));
    stroke(at(2.5, 2.5), at(30.5, 20.5));
    editor.selectTool("eraser");
    editor.setBrushSize(5);
    stroke(at(10.5, 2.5), at(12.5, 30.5));
    editor.undo();
    const twin = new Mask(40, 40);
    for (const delta of deltas) twin.apply(delta);
    expect(twin.pixels).toEqual(mask.pixels);
  });
});

describe("shares", () => {
  it("are told as people read them", () => {
    expect([shareText(0, 100), shareText(1, 100_000), shareText(1, 8)]).toEqual(["–", "< 0.1 %", "12.5 %"]);
  });
});
