import { decodeBoxedMask, encodeBoxedMask, kMostRunText, type BoxedMask } from "../../model/boxedMask";
import type { ImagePoint, ScreenPoint } from "../../model/geometry";
import { kExtremes, kMostClicks, type Pixel, type Prompt } from "../../model/prompt";
import { Spans } from "../../model/spans";
import { drawSpans, packColor } from "../../render/overlay";
import type { Viewport } from "../../render/viewport";
import type { Editor } from "../editor";
import { Questions } from "../questions";
import type { Gesture, PointerAt } from "./gesture";
import { drawHandle, kHandleReach, type HandleKind } from "./handles";

/** CSS pixels that a pressed pointer must move before it drags: a click is not quite still. */
const kDragFrom = 3;

/** A mask that came as an answer. */
interface Answer {
  to: string; // the points and the method it was asked for with
  spans: Spans;
  mask: BoxedMask | null; // as questions hold it; null for no pixels
}

interface Point {
  kind: HandleKind;
  pixel: Pixel;
  before: Answer | null; // what was shown when it was set
}

/** A painted part that is being refined: what it was, and as questions hold it. */
interface Refined {
  value: number;
  spans: Spans;
  mask: BoxedMask;
}

/** What the pointer holds while it is down. */
interface Held {
  point: Point;
  from: ScreenPoint;
  by: { dx: number; dy: number }; // from the pointer to the point, photo pixels
  before: Pixel | null; // null: the point is new with this press
  moved: boolean;
  removes: boolean;
}

/**
 * Four clicks on the object's top-most, left-most, bottom-most and right-most point give its mask; more of them add to it or
 * remove from it, and every point can be dragged. The mask is a preview until it is kept.
 */
export class AssistGesture implements Gesture {
  private readonly points: Point[] = [];
  private refined: Refined | null = null;
  private shown: Answer | null = null;
  private held: Held | null = null;
  private carried: Point | null = null; // follows the pointer until it is put down
  private hovered: Point | null = null;
  private keepAs: number | null = null; // the answer is painted with this value when it comes
  private failed = false; // the newest question did
  private objects = 0; // that were kept or dropped
  private stripes: { of: string; spans: Spans; image: ImageData } | null = null;
  private readonly questions: Questions<Answer | string>;
  /** Why there is no mask, or not the one that was asked for; for people. */
  problem = "";

  constructor(private readonly editor: Editor) {
    this.questions = new Questions(
      (prompt, answered) => void editor.during(this.answerTo(prompt), answered),
      (answer) => this.take(answer),
    );
    if (editor.canPaint) editor.assistant?.open();
  }

  // -- for the controls

  get busy(): boolean {
    return this.points.length > 0 || this.refined !== null;
  }
  get hasSketch(): boolean {
    return this.busy;
  }
  /** How many of the four points are set. */
  get extremes(): number {
    return this.points.filter((point) => point.kind === "extreme").length;
  }
  /** Enough is known of the object to ask for its mask; clicks now correct it. */
  get correcting(): boolean {
    return this.refined !== null || this.extremes === kExtremes;
  }
  /** The mask that is shown and not painted yet. */
  get preview(): Spans | null {
    return this.shown?.spans ?? null;
  }
  get hasMask(): boolean {
    return this.preview !== null && this.preview.length > 0;
  }
  /** An answer is to come, and is not one of the many while a point moves. */
  get asking(): boolean {
    return this.questions.expected && !this.dragging;
  }
  /** Finished, and its mask is still to come. */
  get promised(): boolean {
    return this.keepAs !== null;
  }
  /** Why the object that the points mean has no mask that could be kept, for people; empty where it has one or too few points. */
  get lack(): string {
    if (!this.correcting || this.questions.expected || (this.hasMask && !this.failed)) return "";
    return this.problem || "There is no mask to keep.";
  }
  /** A place that was clicked lies on paint of the chosen label, and four points are not set. */
  get canRefine(): boolean {
    return this.placeToRefine(false) !== null;
  }

  // -- the pointer

  press(at: PointerAt): void {
    if (this.carried) {
      this.moveTo(this.carried, at.image);
      this.putDown();
      return;
    }
    const removes = this.editor.altHeld;
    const near = this.near(at.screen);
    // A click on a handle sets a point as elsewhere, for those of small objects lie close together: then it is set on release.
    const point = near ?? this.add(at, removes);
    if (!point) return;
    const by = near ? { dx: near.pixel[0] + 0.5 - at.image.x, dy: near.pixel[1] + 0.5 - at.image.y } : { dx: 0, dy: 0 };
    this.held = { point, from: at.screen, by, before: near ? near.pixel : null, moved: false, removes };
  }

  drag(points: readonly PointerAt[]): void {
    const { held } = this;
    const at = points[points.length - 1];
    if (!held || !at) return;
    if (!held.moved) {
      if (Math.hypot(at.screen.x - held.from.x, at.screen.y - held.from.y) < kDragFrom * this.editor.density) return;
      held.moved = true;
      this.failed = false;
    }
    this.moveTo(held.point, { x: at.image.x + held.by.dx, y: at.image.y + held.by.dy } as ImagePoint);
  }

  release(at: PointerAt): void {
    const { held } = this;
    this.held = null;
    if (!held) return;
    if (held.moved) this.promptChanged();
    else if (held.before) this.add(at, held.removes);
  }

  takeBackPress(): void {
    const { held } = this;
    this.held = null;
    if (!held) return;
    if (!held.before) {
      this.takeBack(held.point);
    } else if (held.moved) {
      held.point.pixel = held.before;
      this.promptChanged();
    }
  }

  hover(at: PointerAt): void {
    if (this.carried) this.moveTo(this.carried, at.image);
    else this.hovered = this.near(at.screen);
  }

  leave(): void {
    this.hovered = null;
  }

  // -- what keys and buttons do

  /** Takes up the point that is nearest to the pointer, so that it follows it, or puts it down again. */
  carry(): void {
    const { pointer, view } = this.editor;
    if (this.held || !pointer) return;
    if (this.carried) {
      this.putDown();
      return;
    }
    const nearest = this.near(view.toScreen(pointer), Infinity);
    if (!nearest) {
      this.editor.say("There is no point to move.");
      return;
    }
    this.carried = nearest;
    this.failed = false;
    this.editor.say(`${told(nearest)} taken up; it follows the cursor.`);
    this.editor.changed("state");
  }

  /** Ends what carry began. */
  putDown(): void {
    const point = this.carried;
    if (!point) return;
    this.carried = null;
    this.editor.say(`${told(point)} put down`);
    this.promptChanged();
  }

  /** Refines the painted part of the chosen label that was clicked, or else the one under the pointer. */
  refine(): void {
    const { editor, objects } = this;
    const { regions, value } = editor;
    const place = this.placeToRefine(true);
    if (!regions || !place || !editor.canPaint) {
      editor.say("Point at paint of the chosen label to refine it.");
      return;
    }
    void editor.during(regions.fill(place), (spans) => {
      if (objects === this.objects && !this.correcting) this.refineArea(spans, value);
    });
  }

  private refineArea(spans: Spans, value: number): void {
    const { editor } = this;
    const mask = encodeBoxedMask(spans);
    if (mask.runs.length > kMostRunText) {
      this.problem = `This object's outline is too intricate to refine: it takes ${mask.runs.length} characters, at most ${kMostRunText} are allowed. Paint by hand, or set four points.`;
      editor.changed("state");
      return;
    }
    this.refined = { value, spans, mask };
    // All of them lie on the object; nobody said that they are its ends.
    for (const point of this.points) if (point.kind === "extreme") point.kind = "positive";
    editor.say("Refining this object");
    this.promptChanged();
  }

  /** Asks again, after a failure or for another method. */
  askAgain(): void {
    this.promptChanged();
  }

  finish(): void {
    const { editor } = this;
    if (this.carried) this.putDown();
    if (this.questions.expected) {
      if (!this.mayPaint(editor.value)) return;
      // Whoever finishes an object goes on to the next, of another label.
      this.keepAs = editor.value;
      editor.say("The mask is kept as soon as it is there.");
    } else if (this.hasMask) {
      this.keep();
    } else if (!this.correcting) {
      editor.say(`Four points are needed, ${this.extremes} are set.`);
    } else {
      editor.say(this.lack);
    }
  }

  keep(): void {
    this.paint(this.editor.value);
  }

  private paint(value: number): void {
    const { editor, preview, refined } = this;
    const { mask } = editor;
    if (!mask || !preview || preview.length === 0 || !editor.canPaint || !this.mayPaint(value)) return;
    const gone = refined ? stillPainted(refined.spans.without(preview), mask, refined.value) : null;
    this.forget();
    const changed = editor.paint(preview, value, gone);
    editor.say(changed ? `Mask kept: ${editor.label(value)?.name ?? ""}` : "Nothing is painted: all of the mask lies on what may not be painted over, or has the label already.");
  }

  private mayPaint(value: number): boolean {
    if (value === 0) this.editor.say("There is no label to paint with.");
    return value !== 0;
  }

  cancel(): void {
    if (this.busy) this.editor.say("Mask dropped");
    this.forget();
  }

  removeLast(): boolean {
    if (this.held) return true;
    const last = this.points[this.points.length - 1];
    if (last) {
      if (this.carried === last) this.carried = null;
      if (this.hovered === last) this.hovered = null;
      this.editor.say(`${told(last)} taken back`);
      this.takeBack(last);
      return true;
    }
    if (!this.refined) return false;
    this.forget();
    this.editor.say("Refining ended");
    this.editor.changed("state");
    return true;
  }

  // -- points

  private add(at: PointerAt, removes: boolean): Point | null {
    const { editor } = this;
    const pixel = this.pixelOf(at.image);
    const { x, y } = editor.view.toScreen({ x: pixel[0] + 0.5, y: pixel[1] + 0.5 } as ImagePoint);
    // Objects end where the photo does: a click beside its edge is one on the edge, one far from it a mistake.
    if (Math.hypot(at.screen.x - x, at.screen.y - y) > editor.view.scale + 2 * kHandleReach * editor.density) {
      editor.say("Click on the photo.");
      return null;
    }
    const kind = removes || (this.correcting && editor.assistRemoves) ? "negative" : this.correcting ? "positive" : "extreme";
    if (kind !== "extreme" && this.points.filter((point) => point.kind === kind).length >= kMostClicks) {
      this.problem = `At most ${kMostClicks} points to ${kind === "positive" ? "add" : "remove"} are allowed. Keep the mask and refine it again.`;
      editor.changed("state");
      return null;
    }
    const point: Point = { kind, pixel, before: this.shown };
    this.points.push(point);
    editor.say(kind === "extreme" ? `Point ${this.extremes} of ${kExtremes} set at ${pixel.join(", ")}` : `${told(point)} set`);
    this.promptChanged();
    return point;
  }

  private takeBack(point: Point): void {
    this.points.splice(this.points.indexOf(point), 1);
    const { before } = point;
    if (!this.correcting || before?.to !== keyOf(this.prompt())) {
      this.promptChanged();
      return;
    }
    // What it changed is known: the answer of before it.
    this.questions.drop();
    this.shown = before;
    this.keepAs = null;
    this.failed = false;
    this.problem = problemOf(before);
    this.editor.changed("state");
  }

  private moveTo(point: Point, image: ImagePoint): void {
    const pixel = this.pixelOf(image);
    if (pixel[0] === point.pixel[0] && pixel[1] === point.pixel[1]) return;
    point.pixel = pixel;
    this.promptChanged();
  }

  private pixelOf({ x, y }: ImagePoint): Pixel {
    const { imageWidth, imageHeight } = this.editor.view;
    return [Math.min(imageWidth - 1, Math.max(0, Math.floor(x))), Math.min(imageHeight - 1, Math.max(0, Math.floor(y)))];
  }

  private near(at: ScreenPoint, reach = kHandleReach * this.editor.density): Point | null {
    let nearest: Point | null = null;
    let least = reach;
    for (const point of this.points) {
      const seen = this.seen(point);
      const distance = Math.hypot(at.x - seen.x, at.y - seen.y);
      if (distance > least) continue;
      nearest = point;
      least = distance;
    }
    return nearest;
  }

  private seen({ pixel: [x, y] }: Point): ScreenPoint {
    return this.editor.view.toScreen({ x: x + 0.5, y: y + 0.5 } as ImagePoint);
  }

  private placeToRefine(orPointer: boolean): ImagePoint | null {
    const { mask, value, pointer } = this.editor;
    if (!mask || value === 0 || this.correcting) return null;
    const places = this.points.map(({ pixel: [x, y] }) => ({ x, y }) as ImagePoint);
    if (orPointer && pointer) places.unshift({ x: Math.floor(pointer.x), y: Math.floor(pointer.y) } as ImagePoint);
    const isPainted = ({ x, y }: ImagePoint): boolean => x >= 0 && y >= 0 && x < mask.width && y < mask.height && mask.pixels[y * mask.width + x] === value;
    return places.reverse().find(isPainted) ?? null;
  }

  // -- questions

  private get dragging(): boolean {
    return this.carried !== null || this.held?.moved === true;
  }

  private promptChanged(): void {
    const { editor } = this;
    this.keepAs = null;
    if (!this.dragging) {
      this.failed = false;
      this.problem = "";
    }
    if (!this.correcting) {
      this.questions.drop();
      this.shown = null;
    } else if (!this.dragging) {
      this.questions.ask(this.prompt());
    } else if (!this.failed) {
      this.questions.follow(this.prompt()); // what fails is not tried at every move
    }
    editor.changed(this.dragging ? "view" : "state");
  }

  /**
   * Corrections are to what was shown when the last of them was set, as the network learned it. That stays while points are moved
   * and the same is asked again: a mask follows from what was clicked, not from how often an answer came in between.
   */
  private prompt(): Prompt {
    const last = this.points.filter((point) => point.kind !== "extreme").at(-1);
    const of = (kind: HandleKind): Pixel[] => this.points.filter((point) => point.kind === kind).map((point) => point.pixel);
    return {
      extremes: of("extreme"),
      positive: of("positive"),
      negative: of("negative"),
      previous: last?.before?.mask ?? this.refined?.mask ?? null,
      method: this.editor.assistMethod,
    };
  }

  // Never rejects: a text says why there is no mask.
  private async answerTo(prompt: Prompt): Promise<Answer | string> {
    const { assistant, mask } = this.editor;
    if (!assistant || !mask) return "Assistance is not offered here; paint by hand.";
    try {
      const { box, runs } = await assistant.segment(prompt);
      const spans = decodeBoxedMask({ box, runs }, mask.width, mask.height);
      return { to: keyOf(prompt), spans, mask: spans.length > 0 ? { box, runs } : null };
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  private take(answer: Answer | string): void {
    const { editor } = this;
    this.failed = typeof answer === "string";
    if (typeof answer === "string") {
      this.problem = answer;
      this.keepAs = null;
    } else {
      this.shown = answer;
      this.problem = problemOf(answer);
      if (!this.hasMask) this.keepAs = null;
      else if (this.keepAs !== null) this.paint(this.keepAs);
      else if (!this.dragging) editor.say(`Mask of ${answer.spans.area()} pixels. Enter keeps it, Escape drops it.`);
    }
    editor.changed("state");
  }

  private forget(): void {
    ++this.objects;
    this.questions.drop();
    this.points.length = 0;
    this.refined = null;
    this.shown = null;
    this.held = null;
    this.carried = null;
    this.hovered = null;
    this.stripes = null;
    this.keepAs = null;
    this.failed = false;
    this.problem = "";
    this.editor.assistRemoves = false;
  }

  // -- what is seen

  sketch(context: CanvasRenderingContext2D, view: Viewport): void {
    if (this.preview && !this.editor.overlayHidden) this.drawStripes(context, view, this.preview);
    const { density } = this.editor;
    for (const point of this.points) drawHandle(context, this.seen(point), point.kind, density, point === this.hovered || point === this.carried || point === this.held?.point);
  }

  // Kept while neither mask nor view is another: the pointer's moves alone draw the sketch again.
  private drawStripes(context: CanvasRenderingContext2D, view: Viewport, spans: Spans): void {
    const color = this.editor.color(this.keepAs ?? this.editor.value);
    const of = [view.width, view.height, view.scale, view.orientation, view.offsetX, view.offsetY, color].join();
    if (this.stripes?.of !== of || this.stripes.spans !== spans) {
      const image = context.createImageData(view.width, view.height);
      const words = new Uint32Array(image.data.buffer);
      if (this.refined) drawSpans(words, view, this.refined.spans.without(spans), packColor("#000000", 190), packColor("#ffffff", 120));
      drawSpans(words, view, spans, packColor(color, 200), packColor(color, 70));
      this.stripes = { of, spans, image };
    }
    context.putImageData(this.stripes.image, 0, 0);
  }
}

function keyOf({ extremes, positive, negative, method }: Prompt): string {
  return JSON.stringify([extremes, positive, negative, method]);
}

function problemOf({ spans }: Answer): string {
  return spans.length === 0 ? "No object was found there. Move a point, or add one." : "";
}

function told({ kind, pixel: [x, y] }: Point): string {
  return `${kind === "extreme" ? "Point" : kind === "positive" ? "Point to add" : "Point to remove"} at ${x}, ${y}`;
}

/** Of these pixels those that have the value. */
function stillPainted(spans: Spans, mask: { width: number; pixels: Uint8Array }, value: number): Spans {
  const result = new Spans(spans.length);
  for (let i = 0; i < spans.length; ++i) {
    const row = spans.y[i]! * mask.width;
    const end = spans.x1[i]!;
    for (let x = spans.x0[i]!; x < end; ) {
      while (x < end && mask.pixels[row + x] !== value) ++x;
      const start = x;
      while (x < end && mask.pixels[row + x] === value) ++x;
      result.push(spans.y[i]!, start, x);
    }
  }
  return result;
}
