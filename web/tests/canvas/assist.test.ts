import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { actionsOf, kActions } from "../../src/canvas/actions";
import type { Assistant } from "../../src/canvas/assistant";
import { Editor } from "../../src/canvas/editor";
import type { PointerAt } from "../../src/canvas/gestures/gesture";
import { kHandleColors } from "../../src/canvas/gestures/handles";
import type { Regions } from "../../src/canvas/regions";
import { decodeBoxedMask, encodeBoxedMask, type BoxedMask } from "../../src/model/boxedMask";
import { imagePoint, screenPoint, type ImagePoint } from "../../src/model/geometry";
import { Mask } from "../../src/model/mask";
import type { AssistAnswer, AssistMethod, Pixel, Prompt } from "../../src/model/prompt";
import { Spans } from "../../src/model/spans";
import { fill } from "../../src/tools/regions";
import { bitmapOf } from "../model/pictures";

const [width, height] = [60, 40];

let editor: Editor;
let mask: Mask;
let said: string[];
let server: FakeAssistant;

/** The object is the box around the points and the mask so far, without the pixels to remove. */
function object({ extremes, positive, negative, previous }: Prompt): Spans {
  const points = [...extremes, ...positive];
  if (previous) points.push([previous.box[0], previous.box[1]], [previous.box[0] + previous.box[2] - 1, previous.box[1] + previous.box[3] - 1]);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const spans = new Spans();
  for (let y = Math.min(...ys); y <= Math.max(...ys); ++y) spans.push(y, Math.min(...xs), Math.max(...xs) + 1);
  const holes = new Spans();
  for (const [x, y] of [...negative].sort((a, b) => a[1] - b[1] || a[0] - b[0])) holes.push(y, x, x + 1);
  return spans.without(holes);
}

/** Answers when it is told to: `questions` are those that wait, oldest first. */
class FakeAssistant implements Assistant {
  methods: Exclude<AssistMethod, "auto">[] = ["network", "classical"];
  opened = 0;
  prompts: Prompt[] = [];
  questions: { prompt: Prompt; answer: () => void; give: (answer: AssistAnswer) => void; fail: (message: string) => void }[] = [];

  open(): void {
    ++this.opened;
  }
  segment(prompt: Prompt): Promise<AssistAnswer> {
    this.prompts.push(prompt);
    return new Promise((resolve, reject) => {
      const give = (answer: AssistAnswer): void => resolve(answer);
      this.questions.push({
        prompt,
        give,
        answer: () => give({ ...encodeBoxedMask(object(prompt)), method: "network" }),
        fail: (message) => reject(new Error(message)),
      });
    });
  }
  async answerAll(): Promise<void> {
    for (const question of this.questions.splice(0)) question.answer();
    await settled();
  }
}

function at(x: number, y: number): PointerAt {
  const image = imagePoint(x, y);
  return { image, screen: editor.view.toScreen(image), shift: false };
}
function click(x: number, y: number, alt = false): void {
  editor.altHeld = alt;
  editor.press(at(x, y));
  editor.release(at(x, y));
  editor.altHeld = false;
}
/** A leaf from (10, 8) to (29, 27), its ends in no order that anybody has to know. */
const ends: readonly Pixel[] = [[29, 15], [14, 8], [10, 20], [18, 27]];
function clickEnds(): void {
  for (const [x, y] of ends) click(x + 0.4, y + 0.6);
}
async function setLeaf(): Promise<void> {
  clickEnds();
  await server.answerAll();
}
async function settled(): Promise<void> {
  for (let i = 0; i < 8; ++i) await Promise.resolve();
}
function here(of: Mask): Regions {
  const nothing = async (): Promise<Spans> => new Spans();
  return { fill: async (seed: ImagePoint) => fill(of, seed), wand: nothing, enclosed: nothing, close: () => undefined };
}
function open(orientation = 1): void {
  mask = new Mask(width, height);
  editor.open(mask, here(mask), orientation);
  editor.fit();
}
const kLeaf = 20 * 20;

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
  server = new FakeAssistant();
  editor = new Editor();
  editor.onSay((text) => said.push(text));
  editor.view.resize(1200, 800);
  editor.setLabels([
    { value: 1, name: "Turtle", color: "#1f77b4", isVoid: false },
    { value: 2, name: "Diver", color: "#ff7f0e", isVoid: false },
  ]);
  editor.setAssistant(server);
  open();
  editor.selectTool("assist");
});
afterEach(() => {
  vi.useRealTimers();
});

describe("four clicks", () => {
  it("ask once, with the stored pixels, and show a mask that Enter keeps as one step", async () => {
    expect(server.opened).toBe(1);
    clickEnds();
    expect(server.prompts).toEqual([{ extremes: ends, positive: [], negative: [], previous: null, method: "auto" }]);
    expect(editor.assist!.hasMask).toBe(false);
    await server.answerAll();
    expect(editor.assist!.hasMask).toBe(true);
    expect(mask.count(1)).toBe(0);
    const deltas: string[] = [];
    mask.onDelta((delta) => deltas.push(delta));
    editor.finish();
    expect([...mask.pixels]).toEqual([...bitmapOf(object(server.prompts[0]!), width, height)]);
    expect(editor.busy).toBe(false);
    expect(editor.modified).toBe(true);
    const twin = new Mask(width, height);
    for (const delta of deltas) twin.apply(delta);
    expect(twin.pixels).toEqual(mask.pixels);
    editor.undo();
    expect(mask.count(0)).toBe(width * height);
    expect(mask.canUndo).toBe(false);
    editor.redo();
    expect(mask.count(1)).toBe(kLeaf);
  });

  it("are told to those who do not see them", async () => {
    await setLeaf();
    editor.finish();
    expect(said).toContain("Point 1 of 4 set at 29, 15");
    expect(said).toContain("Point 4 of 4 set at 18, 27");
    expect(said).toContain("Mask of 400 pixels. Enter keeps it, Escape drops it.");
    expect(said.at(-1)).toBe("Mask kept: Turtle");
  });

  it("ask nothing while they are three, and say so", () => {
    click(14, 8);
    click(10, 20);
    click(18, 27);
    editor.finish();
    expect(server.prompts).toEqual([]);
    expect(said.at(-1)).toBe("Four points are needed, 3 are set.");
    expect(editor.assist!.extremes).toBe(3);
  });

  it("are stored pixels however the photo is turned", async () => {
    for (let orientation = 1; orientation <= 8; ++orientation) {
      open(orientation);
      const { view } = editor;
      for (const [x, y] of ends) {
        const seen = view.toScreen(imagePoint(x + 0.5, y + 0.5));
        const screen = screenPoint(Math.round(seen.x), Math.round(seen.y));
        const point = { screen, image: view.toImage(screen), shift: false };
        editor.press(point);
        editor.release(point);
      }
      expect(server.prompts.at(-1)!.extremes).toEqual(ends);
      await server.answerAll();
      editor.finish();
      expect([...mask.pixels]).toEqual([...bitmapOf(object(server.prompts.at(-1)!), width, height)]);
    }
  });

  it("may lie a little beside the photo, not far", () => {
    const beside = (x: number, y: number): PointerAt => ({ screen: screenPoint(x, y), image: editor.view.toImage(screenPoint(x, y)), shift: false });
    const { offsetX, offsetY, scale } = editor.view;
    const press = (point: PointerAt): void => {
      editor.press(point);
      editor.release(point);
    };
    press(beside(offsetX - 10, offsetY + 5.5 * scale));
    press(beside(offsetX + width * scale + 10, offsetY + height * scale + 10));
    expect(editor.assist!.extremes).toBe(2);
    press(beside(offsetX - 60, offsetY + 5.5 * scale));
    expect(editor.assist!.extremes).toBe(2);
    expect(said.at(-1)).toBe("Click on the photo.");
    click(3, 3);
    click(4, 30);
    expect(server.prompts[0]!.extremes).toEqual([[0, 5], [59, 39], [3, 3], [4, 30]]);
  });

  it("of a small object lie close together: a click on a handle is a point as elsewhere", () => {
    editor.view.zoomTo(2, screenPoint(600, 400));
    for (const [x, y] of [[20, 20], [22, 21], [21, 22], [20, 21]] as const) click(x, y);
    expect(server.prompts[0]!.extremes).toEqual([[20, 20], [22, 21], [21, 22], [20, 21]]);
  });
});

describe("more clicks", () => {
  it("add, and with Alt remove, each asking again", async () => {
    await setLeaf();
    click(40, 15);
    click(12, 9, true);
    expect(server.prompts.at(-1)).toEqual({ extremes: ends, positive: [[40, 15]], negative: [[12, 9]], previous: encodeBoxedMask(object(server.prompts[0]!)), method: "auto" });
    await server.answerAll();
    editor.finish();
    expect(mask.count(1)).toBe(31 * 20 - 1);
    expect(mask.pixels[9 * width + 12]).toBe(0);
  });

  it("go with the mask that was seen when the last of them was set", async () => {
    const answers: BoxedMask[] = [];
    const answer = async (x1: number): Promise<void> => {
      answers.push(encodeBoxedMask(spansOf(10, 8, x1, 28)));
      server.questions.splice(0).at(-1)!.give({ ...answers.at(-1)!, method: "network" });
      await settled();
    };
    const previous = (): BoxedMask | null => server.prompts.at(-1)!.previous;
    clickEnds();
    click(40, 15); // sooner than any answer
    expect(previous()).toBe(null);
    await answer(31);
    click(41, 15);
    expect(previous()).toEqual(answers[0]);
    click(42, 15);
    expect(previous()).toEqual(answers[0]); // still the one that is seen
    await answer(32);
    click(12, 9, true);
    expect(previous()).toEqual(answers[1]);
    // The same again is the same question, whatever came since; and a point that moves is no step.
    await answer(33);
    editor.assist!.askAgain();
    expect(server.prompts.at(-1)).toEqual(server.prompts.at(-2));
    await answer(34);
    editor.press(at(29.5, 15.5));
    editor.move([at(33.5, 15.5)]);
    editor.release(at(33.5, 15.5));
    expect(server.prompts.at(-1)).toMatchObject({ extremes: [[33, 15], ...ends.slice(1)], previous: answers[1] });
    await answer(35);
    click(43, 15);
    expect(previous()).toEqual(answers[4]);
  });

  it("go without a mask where nothing was found", async () => {
    clickEnds();
    server.questions.splice(0)[0]!.give({ box: [0, 0, 0, 0], runs: "", method: "network" });
    await settled();
    click(20, 15);
    expect(server.prompts.at(-1)).toMatchObject({ positive: [[20, 15]], previous: null });
    click(21, 15);
    editor.removeLastPoint();
    await settled();
    editor.removeLastPoint();
    expect(editor.assist!.problem).toMatch("No object was found there."); // known, as every answer
  });

  it("remove without Alt once that is switched on, for this object alone", async () => {
    editor.setAssistRemoves(true);
    expect(editor.assistRemoves).toBe(false); // four points come first
    await setLeaf();
    editor.setAssistRemoves(true);
    click(12, 9);
    expect(server.prompts.at(-1)!.negative).toEqual([[12, 9]]);
    await server.answerAll();
    editor.finish();
    expect(editor.assistRemoves).toBe(false);
    click(40, 30);
    expect(editor.assist!.extremes).toBe(1);
  });

  it("may remove before the four are set", async () => {
    click(12, 9, true);
    clickEnds();
    expect(server.prompts).toEqual([{ extremes: ends, positive: [], negative: [[12, 9]], previous: null, method: "auto" }]);
  });

  it("are at most as many as a question may have", async () => {
    await setLeaf();
    for (let i = 0; i < 201; ++i) click((i * 7) % width, 30 + (i % 9));
    expect(server.prompts.at(-1)!.positive.length).toBe(200);
    expect(editor.assist!.problem).toMatch("At most 200 points to add are allowed");
  });

  it("are taken back one by one, and Ctrl+Z does the same", async () => {
    await setLeaf();
    click(40, 15);
    await server.answerAll();
    expect(editor.assist!.preview!.area()).toBe(31 * 20);
    editor.removeLastPoint();
    expect(editor.assist!.preview!.area()).toBe(kLeaf); // known from before
    editor.undo();
    expect(editor.assist!.extremes).toBe(3);
    expect(editor.assist!.hasMask).toBe(false);
    for (let i = 0; i < 3; ++i) editor.removeLastPoint();
    expect(editor.busy).toBe(false);
    expect(server.prompts.length).toBe(2);
  });

  it("that are taken back before their answer or after their failure show the mask of before, and no late answer", async () => {
    await setLeaf();
    click(40, 15);
    editor.finish();
    editor.removeLastPoint();
    expect(editor.assist!.asking).toBe(false);
    await server.answerAll();
    expect(editor.assist!.preview!.area()).toBe(kLeaf);
    expect(mask.count(1)).toBe(0); // what was promised was another mask
    click(40, 15);
    server.questions.splice(0)[0]!.fail("Busy");
    await settled();
    editor.removeLastPoint();
    expect(editor.assist!.problem).toBe("");
    expect(server.prompts.length).toBe(3);
    await editor.settle();
    expect(mask.count(1)).toBe(kLeaf);
  });

  it("that are taken back ask where no mask is known for what is left", async () => {
    await setLeaf();
    click(40, 15);
    click(45, 15); // sooner than the answer to the one before
    await server.answerAll();
    editor.removeLastPoint();
    expect(server.prompts.at(-1)).toMatchObject({ positive: [[40, 15]], previous: encodeBoxedMask(object(server.prompts[0]!)) });
    await server.answerAll();
    expect(editor.assist!.preview!.area()).toBe(31 * 20);
    editor.press(at(29.5, 15.5)); // one of the four is moved since
    editor.move([at(33.5, 15.5)]);
    editor.release(at(33.5, 15.5));
    await server.answerAll();
    editor.removeLastPoint();
    expect(server.prompts.at(-1)).toMatchObject({ extremes: [[33, 15], ...ends.slice(1)], positive: [], previous: null });
    await server.answerAll();
    click(40, 15);
    await server.answerAll();
    editor.setAssistMethod("classical");
    await server.answerAll();
    const before = server.prompts.length;
    editor.removeLastPoint();
    expect(server.prompts.slice(before)).toMatchObject([{ positive: [], previous: null, method: "classical" }]);
  });

  it("never happened when a second finger comes", async () => {
    await setLeaf();
    editor.press(at(40.5, 15.5));
    editor.takeBackPress();
    await server.answerAll();
    expect(editor.assist!.preview!.area()).toBe(kLeaf);
    expect(editor.assist!.extremes).toBe(4);
    click(50, 15);
    expect(server.prompts.at(-1)).toMatchObject({ positive: [[50, 15]], previous: { box: [10, 8, 20, 20] } });
    editor.removeLastPoint();
    server.questions.length = 0;
    const before = server.prompts.length;
    editor.press(at(29.5, 15.5));
    editor.move([at(45.5, 15.5)]);
    editor.takeBackPress();
    expect(server.prompts.slice(before).map(({ extremes }) => extremes)).toEqual([ends]);
  });
});

describe("answers", () => {
  it("to the newest question alone are shown, in whatever order they come", async () => {
    clickEnds();
    click(40, 15);
    click(50, 15);
    const [first, second, third] = server.questions;
    third!.answer();
    await settled();
    second!.answer();
    first!.answer();
    await settled();
    editor.finish();
    expect(mask.count(1)).toBe(41 * 20);
    expect(editor.working).toBe(0);
  });

  it("come after Escape to nobody", async () => {
    clickEnds();
    editor.cancel();
    expect(said.at(-1)).toBe("Mask dropped");
    await server.answerAll();
    expect(editor.busy).toBe(false);
    editor.finish();
    expect(mask.count(0)).toBe(width * height);
    await setLeaf();
    editor.cancel();
    editor.finish();
    expect(mask.count(0)).toBe(width * height);
    expect(mask.canUndo).toBe(false);
  });

  it("come to nobody once a point is taken back and three are left", async () => {
    clickEnds();
    editor.removeLastPoint();
    await server.answerAll();
    expect(editor.assist!.hasMask).toBe(false);
  });

  it("are kept when they come where Enter was pressed before, unless the points changed since", async () => {
    clickEnds();
    editor.finish();
    expect(mask.count(1)).toBe(0);
    await server.answerAll();
    expect(mask.count(1)).toBe(kLeaf);
    expect(editor.busy).toBe(false);
    editor.undo();
    clickEnds();
    editor.finish();
    click(40, 15);
    await server.answerAll();
    expect(mask.count(1)).toBe(0);
    expect(editor.assist!.hasMask).toBe(true);
  });

  it("that are failures are told, leave the mask as it was shown, and can be asked for again", async () => {
    await setLeaf();
    click(40, 15);
    server.questions.splice(0)[0]!.fail("Assistance needs the server; paint by hand or try again.");
    await settled();
    expect(editor.assist!.problem).toBe("Assistance needs the server; paint by hand or try again.");
    expect(editor.assist!.hasMask).toBe(true);
    editor.assist!.askAgain();
    expect(editor.assist!.problem).toBe("");
    expect(server.prompts.at(-1)!.positive).toEqual([[40, 15]]);
    await server.answerAll();
    editor.finish();
    expect(mask.count(1)).toBe(31 * 20);
  });

  it("that are no masks of this photo are told, and paint nothing", async () => {
    clickEnds();
    server.questions.splice(0)[0]!.give({ box: [50, 30, 20, 20], runs: "", method: "network" });
    await settled();
    expect(editor.assist!.problem).toMatch("it must lie on the photo, which is 60 x 40");
    editor.finish();
    expect(mask.count(0)).toBe(width * height);
    editor.assist!.askAgain();
    server.questions.splice(0)[0]!.give({ box: [0, 0, 0, 0], runs: "", method: "network" });
    await settled();
    expect(editor.assist!.problem).toMatch("No object was found there.");
    editor.finish();
    expect(editor.busy).toBe(true);
  });

  it("ask the method that is chosen, at once where there is an object", async () => {
    editor.setAssistMethod("classical");
    await setLeaf();
    editor.setAssistMethod("network");
    expect(server.prompts.map(({ method }) => method)).toEqual(["classical", "network"]);
    const other = new FakeAssistant();
    other.methods = ["classical"];
    editor.setAssistant(other);
    expect(editor.assistMethod).toBe("auto");
  });
});

describe("a dragged point", () => {
  const drag = (...points: PointerAt[]): void => {
    for (const point of points) editor.move([point]);
  };

  it("is followed with one question at a time, the newest place last", async () => {
    await setLeaf();
    editor.press(at(29.5, 15.5));
    drag(at(31.5, 15.5), at(33.5, 15.5));
    vi.advanceTimersByTime(60);
    expect(server.questions.length).toBe(1);
    drag(at(35.5, 15.5), at(37.5, 15.5), at(39.5, 15.5));
    vi.advanceTimersByTime(60);
    expect(server.questions.length).toBe(1);
    const shown = editor.assist!;
    await server.answerAll();
    expect(shown.hasMask).toBe(true);
    expect(server.questions.map(({ prompt }) => prompt.extremes[0])).toEqual([[39, 15]]);
    editor.move([at(45.5, 15.5)]);
    editor.release(at(45.5, 15.5));
    expect(server.questions.map(({ prompt }) => prompt.extremes[0])).toEqual([[39, 15], [45, 15]]); // the last place waits for nothing
    await server.answerAll();
    editor.finish();
    expect(mask.count(1)).toBe(36 * 20);
  });

  it("asks at most twenty times a second", async () => {
    await setLeaf();
    const before = server.prompts.length;
    editor.press(at(29.5, 15.5));
    for (let i = 0; i < 100; ++i) {
      editor.move([at(30.5 + (i % 29), 15.5)]);
      await server.answerAll();
      vi.advanceTimersByTime(5);
      await server.answerAll();
    }
    const asked = server.prompts.length - before;
    expect(asked).toBeGreaterThanOrEqual(8);
    expect(asked).toBeLessThanOrEqual(11);
    editor.release(at(31, 15.5));
  });

  it("that fails is not tried again before it rests", async () => {
    await setLeaf();
    vi.advanceTimersByTime(60);
    editor.press(at(29.5, 15.5));
    drag(at(33.5, 15.5));
    server.questions.splice(0)[0]!.fail("Busy");
    await settled();
    const before = server.prompts.length;
    for (let i = 0; i < 20; ++i) {
      drag(at(34.5 + i, 15.5));
      vi.advanceTimersByTime(60);
    }
    expect(server.prompts.length).toBe(before);
    expect(editor.assist!.problem).toBe("Busy");
    editor.release(at(53.5, 15.5));
    expect(editor.assist!.problem).toBe("");
    expect(server.prompts.at(-1)!.extremes[0]).toEqual([53, 15]);
  });

  it("is taken hold of beside its middle without a jump, and stays on the photo", async () => {
    editor.view.zoomTo(2, screenPoint(600, 400));
    clickEnds();
    editor.press(at(32.9, 17.9));
    drag(at(33.9, 20.9));
    editor.release(at(33.9, 20.9));
    expect(server.prompts.at(-1)!.extremes[0]).toEqual([30, 18]);
    editor.press(at(30.5, 18.5));
    drag(at(99, -20));
    editor.release(at(99, -20));
    expect(server.prompts.at(-1)!.extremes[0]).toEqual([59, 0]);
  });

  it("may be one that this press has set", () => {
    clickEnds();
    editor.press(at(40.5, 15.5));
    drag(at(45.5, 20.5));
    editor.release(at(45.5, 20.5));
    expect(server.prompts.at(-1)!.positive).toEqual([[45, 20]]);
  });
});

describe("keeping", () => {
  it("leaves locked labels, and with 'only background' all labels, alone", async () => {
    editor.paint(spansOf(10, 10, 14, 12), 2);
    editor.toggleLocked(2);
    await setLeaf();
    editor.finish();
    expect([mask.count(1), mask.count(2)]).toEqual([kLeaf - 8, 8]);
    editor.undo();
    editor.toggleLocked(2);
    editor.setOnlyBackground(true);
    await setLeaf();
    editor.finish();
    expect([mask.count(1), mask.count(2)]).toEqual([kLeaf - 8, 8]);
    await setLeaf();
    editor.finish();
    expect(said.at(-1)).toMatch("Nothing is painted");
  });

  it("paints the label that is chosen then", async () => {
    await setLeaf();
    editor.selectLabel(2);
    editor.finish();
    expect([mask.count(1), mask.count(2)]).toEqual([0, kLeaf]);
  });

  it("paints the label that was chosen at Enter where the mask comes later", async () => {
    clickEnds();
    editor.finish();
    editor.selectLabel(2); // for the next object
    await server.answerAll();
    expect([mask.count(1), mask.count(2)]).toEqual([kLeaf, 0]);
    expect(said.at(-1)).toBe("Mask kept: Turtle");
    clickEnds();
    editor.finish();
    editor.selectLabel(1);
    editor.finish(); // again, and this one is meant
    editor.selectLabel(2);
    await server.answerAll();
    expect([mask.count(1), mask.count(2)]).toEqual([kLeaf, 0]);
    await setLeaf();
    editor.finish();
    expect([mask.count(1), mask.count(2)]).toEqual([0, kLeaf]);
  });

  it("happens when another tool is chosen, and painting goes on", async () => {
    await setLeaf();
    editor.selectTool("brush");
    expect(mask.count(1)).toBe(kLeaf);
    editor.undo();
    editor.setBrushSize(1);
    editor.selectTool("assist");
    clickEnds(); // no mask yet: it is kept when it comes
    editor.selectTool("brush");
    click(50.5, 35.5);
    expect(mask.count(1)).toBe(1);
    await server.answerAll();
    expect(mask.count(1)).toBe(kLeaf + 1);
    editor.undo();
    editor.undo();
    expect(mask.count(1)).toBe(0);
  });

  it("is of the newest mask where another tool is chosen before it is there", async () => {
    await setLeaf();
    click(40, 15); // a correction
    editor.selectTool("brush");
    expect(mask.count(1)).toBe(0);
    await server.answerAll();
    expect(mask.count(1)).toBe(31 * 20);
    expect(said.at(-1)).toBe("Mask kept: Turtle");
  });

  it("does not happen where too few points are set when another tool is chosen", async () => {
    for (const [x, y] of ends.slice(0, 3)) click(x, y);
    editor.selectTool("brush");
    editor.selectTool("assist");
    await server.answerAll();
    expect([mask.count(1), editor.busy]).toEqual([0, false]);
  });

  it("happens before an answer is given, and waits for the mask", async () => {
    clickEnds();
    let done = false;
    const settling = editor.settle().then(() => (done = true));
    await settled();
    expect(done).toBe(false);
    await server.answerAll();
    await settling;
    expect(mask.count(1)).toBe(kLeaf);
    expect(editor.tool).toBe("assist");
  });

  it("is not forgotten when another tool is chosen between Enter and the mask", async () => {
    clickEnds();
    editor.finish();
    editor.selectTool("brush");
    editor.selectLabel(2);
    expect([mask.count(1), editor.busy]).toEqual([0, false]);
    await server.answerAll();
    expect([mask.count(1), mask.count(2)]).toEqual([kLeaf, 0]);
    expect(editor.leftLack).toBe("");
    editor.selectTool("assist");
    expect(editor.busy).toBe(false); // that one is over
    await editor.settle();
    expect([mask.count(1), mask.count(2)]).toEqual([kLeaf, 0]);
  });

  it("is of the newest mask where an older one was seen at Enter, also below a stroke", async () => {
    await setLeaf();
    click(40, 15);
    editor.finish();
    editor.selectTool("brush");
    editor.setBrushSize(1);
    expect(mask.count(1)).toBe(0);
    editor.press(at(50.5, 35.5));
    await server.answerAll();
    expect(mask.count(1)).toBe(1); // the mask comes after the stroke
    editor.release(at(50.5, 35.5));
    expect(mask.count(1)).toBe(31 * 20 + 1);
  });

  it("goes on where it was left when the tool is chosen again", async () => {
    clickEnds();
    editor.finish();
    editor.selectTool("brush");
    editor.selectTool("assist");
    expect(editor.assist!.extremes).toBe(4);
    await server.answerAll();
    expect(mask.count(1)).toBe(kLeaf);
    expect(editor.busy).toBe(false);
  });

  it("that fails under another tool is told there, holds back the answer, and can be asked for again", async () => {
    clickEnds();
    editor.finish();
    editor.selectTool("brush");
    server.questions.splice(0)[0]!.fail("Busy.");
    await settled();
    expect(editor.leftLack).toBe("Busy.");
    await expect(editor.settle()).rejects.toThrow('The mask of an object is missing: Busy. Under "Four clicks" it can be asked for again or dropped.');
    editor.selectTool("assist");
    expect([editor.assist!.extremes, editor.assist!.problem, editor.leftLack]).toEqual([4, "Busy.", ""]);
    editor.assist!.askAgain();
    const settling = editor.settle();
    await server.answerAll();
    await settling;
    expect(mask.count(1)).toBe(kLeaf);
  });

  it.each(["a promise", "four points"])("holds back the answer where the mask that %s asked for did not come", async (what) => {
    clickEnds();
    if (what === "a promise") editor.finish();
    const settling = editor.settle();
    server.questions.splice(0)[0]!.fail("Busy.");
    await expect(settling).rejects.toThrow("The mask of an object is missing: Busy.");
    expect(editor.assist!.extremes).toBe(4);
    editor.cancel();
    await editor.settle();
    expect(mask.count(1)).toBe(0);
  });

  it("holds back the answer rather than keep an older mask, or none where nothing was found", async () => {
    await setLeaf();
    click(40, 15);
    const settling = editor.settle();
    server.questions.splice(0)[0]!.fail("Busy.");
    await expect(settling).rejects.toThrow("Busy.");
    expect([mask.count(1), editor.assist!.hasMask]).toEqual([0, true]);
    editor.finish(); // the older one is seen, and said to be right
    await editor.settle();
    expect(mask.count(1)).toBe(kLeaf);
    clickEnds();
    server.questions.splice(0)[0]!.give({ box: [0, 0, 0, 0], runs: "", method: "network" });
    await expect(editor.settle()).rejects.toThrow("No object was found there.");
  });

  it("needs no mask for points that are too few", async () => {
    click(14, 8);
    click(10, 20);
    await editor.settle();
    expect(editor.assist!.extremes).toBe(2);
  });

  it("is for no other photo, and not for one that is read only by then", async () => {
    for (const end of [() => open(), () => editor.cancelAll(), () => editor.setAssistant(null)]) {
      editor.setAssistant(server);
      editor.selectTool("assist");
      clickEnds();
      editor.finish();
      editor.selectTool("brush");
      end();
      await server.answerAll();
      expect(mask.count(0)).toBe(width * height);
      await editor.settle();
    }
  });

  it("does not happen while the photo is read only", async () => {
    await setLeaf();
    editor.cancel(); // as the canvas does
    editor.readOnly = true;
    clickEnds();
    expect(server.questions.length).toBe(0);
    expect(mask.count(0)).toBe(width * height);
  });
});

describe("refining", () => {
  beforeEach(() => {
    editor.paint(spansOf(10, 8, 20, 20), 1);
    editor.paint(spansOf(30, 8, 40, 20), 1); // another part
    editor.paint(spansOf(20, 8, 22, 20), 2); // touches it, and is another label
  });

  it("sends the part that was clicked with the clicks, and replaces it alone", async () => {
    click(15, 10);
    expect(editor.assist!.canRefine).toBe(true);
    editor.assist!.refine();
    await settled();
    const [question] = server.questions;
    expect(question!.prompt).toMatchObject({ extremes: [], positive: [[15, 10]], negative: [], method: "auto" });
    expect([...bitmapOf(decodeBoxedMask(question!.prompt.previous!, width, height), width, height)]).toEqual([...bitmapOf(spansOf(10, 8, 20, 20), width, height)]);
    expect(editor.assist!.canRefine).toBe(false);
    click(12, 9, true);
    click(16, 25);
    expect(server.prompts.at(-1)).toMatchObject({ positive: [[15, 10], [16, 25]], negative: [[12, 9]], previous: question!.prompt.previous });
    // The server says: one pixel less, and more below.
    const answer = spansOf(11, 8, 20, 26);
    server.questions.at(-1)!.give({ ...encodeBoxedMask(answer), method: "network" });
    await settled();
    editor.finish();
    const expected = new Mask(width, height);
    const edit = expected.begin();
    edit.paint(answer, 1);
    edit.paint(spansOf(30, 8, 40, 20), 1);
    edit.paint(spansOf(20, 8, 22, 20), 2);
    edit.commit();
    expect(mask.pixels).toEqual(expected.pixels);
    editor.undo();
    expect([mask.count(1), mask.count(2)]).toEqual([240, 24]);
  });

  it("goes on from its own answers, the first alone from what was painted", async () => {
    click(15, 10);
    editor.assist!.refine();
    await settled();
    const painted = { box: [10, 8, 10, 12] };
    expect(server.prompts.at(-1)).toMatchObject({ previous: painted });
    server.questions.splice(0)[0]!.give({ ...encodeBoxedMask(spansOf(10, 8, 20, 26)), method: "network" });
    await settled();
    click(16, 27);
    expect(server.prompts.at(-1)).toMatchObject({ positive: [[15, 10], [16, 27]], previous: { box: [10, 8, 10, 18] } });
    server.questions.splice(0)[0]!.give({ box: [0, 0, 0, 0], runs: "", method: "network" });
    await settled();
    click(16, 28); // a question without four points needs a mask
    expect(server.prompts.at(-1)).toMatchObject({ previous: painted });
    await server.answerAll();
    const asked = server.prompts.length;
    editor.removeLastPoint();
    expect(editor.assist!.hasMask).toBe(false);
    editor.removeLastPoint();
    expect(editor.assist!.preview!.area()).toBe(180);
    expect(server.prompts.length).toBe(asked);
    editor.removeLastPoint(); // the click that began it: what is left was never asked
    expect(server.prompts.at(-1)).toMatchObject({ positive: [], previous: painted });
  });

  it("erases under the rules too, and only what is still the label it was", async () => {
    click(15, 10);
    editor.assist!.refine();
    await settled();
    server.questions.splice(0)[0]!.give({ ...encodeBoxedMask(spansOf(10, 8, 15, 20)), method: "network" });
    await settled();
    editor.paint(spansOf(15, 8, 20, 10), 2); // e.g. an area that was computed until now
    editor.finish();
    expect(mask.count(2)).toBe(24 + 10);
    expect(mask.count(1)).toBe(60 + 120);
    editor.undo();
    editor.toggleLocked(1);
    click(15, 15);
    editor.assist!.refine();
    await settled();
    server.questions.splice(0)[0]!.give({ ...encodeBoxedMask(spansOf(10, 8, 15, 22)), method: "network" });
    await settled();
    editor.finish();
    expect(mask.count(1)).toBe(240 - 10 + 10);
  });

  it("is offered on paint of the chosen label alone, and not once four points are set", () => {
    click(50, 30);
    expect(editor.assist!.canRefine).toBe(false);
    click(21, 10);
    expect(editor.assist!.canRefine).toBe(false);
    editor.selectLabel(2);
    expect(editor.assist!.canRefine).toBe(true);
    click(15, 10);
    click(16, 10);
    expect(editor.assist!.correcting).toBe(true);
    expect(editor.assist!.canRefine).toBe(false);
  });

  it("begins by key at the keyboard's cursor without a click, and ends with the points", async () => {
    editor.pointer = imagePoint(35.5, 10.5);
    editor.assist!.refine();
    await settled();
    expect(server.prompts.at(-1)).toMatchObject({ extremes: [], positive: [], previous: { box: [30, 8, 10, 12] } });
    click(36, 22);
    editor.removeLastPoint();
    expect(editor.busy).toBe(true);
    editor.removeLastPoint();
    expect(editor.busy).toBe(false);
    editor.pointer = imagePoint(55.5, 35.5);
    editor.assist!.refine();
    await settled();
    expect(said.at(-1)).toBe("Point at paint of the chosen label to refine it.");
  });

  it("is refused in words where the outline is more than a question may hold", async () => {
    const large = new Mask(1000, 400);
    editor.open(large, here(large), 1);
    const comb = new Spans(); // rows of single pixels that hang together by every second row
    for (let y = 0; y < 300; ++y)
      if (y % 2) comb.push(y, 0, 1000);
      else for (let x = 0; x < 1000; x += 2) comb.push(y, x, x + 1);
    editor.paint(comb, 1);
    editor.fit();
    click(500.5, 101.5);
    editor.assist!.refine();
    await settled();
    expect(editor.assist!.problem).toMatch(/too intricate to refine: it takes \d+ characters, at most 100000 are allowed/);
    expect(editor.assist!.correcting).toBe(false);
    expect(server.prompts).toEqual([]);
  });

  it("is not begun for an object that was dropped meanwhile", async () => {
    click(15, 10);
    editor.assist!.refine();
    editor.cancel();
    await settled();
    expect(server.prompts).toEqual([]);
    expect(editor.busy).toBe(false);
  });
});

describe("the keyboard", () => {
  it("sets points at its cursor, takes one up and puts it down", async () => {
    editor.pointer = imagePoint(14.5, 8.5);
    editor.moveCursor(1, 0, false);
    editor.tapCursor();
    const first = [15, 8];
    for (const [x, y] of [[10, 20], [18, 27], [29, 15]] as const) {
      editor.pointer = imagePoint(x + 0.5, y + 0.5);
      editor.toggleCursorPen();
    }
    expect(server.prompts.at(-1)!.extremes).toEqual([first, [10, 20], [18, 27], [29, 15]]);
    await server.answerAll();
    editor.moveCursor(0, 1, false);
    editor.assist!.carry();
    expect(said.at(-1)).toBe("Point at 29, 15 taken up; it follows the cursor.");
    editor.moveCursor(1, 0, false);
    editor.moveCursor(1, 0, false);
    editor.assist!.carry();
    expect(server.prompts.at(-1)!.extremes.at(-1)).toEqual([31, 16]);
    expect(server.prompts.at(-1)!.extremes.length).toBe(4);
    await server.answerAll();
    editor.finish();
    expect(mask.count(1)).toBe(22 * 20);
  });
});

describe("without assistance", () => {
  it("there is no tool, key or help of it; one that was chosen is put away and its mask kept", async () => {
    await setLeaf();
    editor.setAssistant(null);
    expect(editor.tool).toBe("brush");
    expect(mask.count(1)).toBe(kLeaf);
    editor.selectTool("assist");
    expect(editor.tool).toBe("brush");
    editor.startOrFinish();
    expect(editor.tool).toBe("brush");
    expect(kActions.filter(({ assists }) => assists).map(({ id }) => id)).toEqual(["tool.assist", "assist.refine", "assist.remove", "assist.carry"]);
    expect(actionsOf(false)).toEqual(kActions.filter(({ assists }) => !assists));
  });
});

it("handles show their signs by 4.5 : 1", () => {
  const light = (color: string): number => {
    const [red, green, blue] = [1, 3, 5].map((place) => {
      const part = Number.parseInt(color.slice(place, place + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  for (const { fill: ground, sign } of Object.values(kHandleColors)) {
    const [high, low] = [light(ground), light(sign)].sort((a, b) => b - a);
    expect((high! + 0.05) / (low! + 0.05)).toBeGreaterThanOrEqual(4.5);
  }
});

function spansOf(x0: number, y0: number, x1: number, y1: number): Spans {
  const spans = new Spans();
  for (let y = y0; y < y1; ++y) spans.push(y, x0, x1);
  return spans;
}
