import type { ImagePoint } from "../../model/geometry";
import type { Spans } from "../../model/spans";
import type { Viewport } from "../../render/viewport";
import { drawSpans, packColor } from "../../render/overlay";
import type { Editor } from "../editor";
import type { Gesture, PointerAt } from "./gesture";

/** Tools that are pressed at a pixel and paint an area around it that is computed elsewhere. */
abstract class RegionGesture implements Gesture {
  protected readonly editor: Editor;
  constructor(editor: Editor) {
    this.editor = editor;
  }

  readonly busy = false;
  get hasSketch(): boolean {
    return false;
  }

  protected abstract area(pixel: ImagePoint): Promise<Spans>;

  press(at: PointerAt): void {
    if (inside(this.editor, at.image)) this.paint(at.image, this.editor.paintValue(false));
  }

  private paint(pixel: ImagePoint, value: number): void {
    const { mask } = this.editor;
    void this.editor.during(this.area(pixel), (spans) => {
      if (this.editor.mask !== mask) return;
      this.painted();
      this.editor.paint(spans, value);
    });
  }

  protected painted(): void {}
  drag(): void {}
  release(): void {}
  takeBackPress(): void {}
  hover(_at: PointerAt): void {}
  leave(): void {}
  finish(): void {}
  keep(): void {}
  cancel(): void {}
  removeLast(): boolean {
    return false;
  }
  sketch(_context: CanvasRenderingContext2D, _view: Viewport): void {}
}

function inside(editor: Editor, at: ImagePoint): boolean {
  return at.x >= 0 && at.y >= 0 && at.x < editor.view.imageWidth && at.y < editor.view.imageHeight;
}

export class FillGesture extends RegionGesture {
  protected area(pixel: ImagePoint): Promise<Spans> {
    return this.editor.regions!.fill(pixel);
  }
}

/** The wand also shows what a press would take, once the pointer rests. */
export class WandGesture extends RegionGesture {
  private preview: Spans | null = null;
  private asked: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  override get hasSketch(): boolean {
    return this.preview !== null;
  }

  protected area(pixel: ImagePoint): Promise<Spans> {
    this.forget();
    return this.editor.regions!.wand(pixel, this.editor.tolerance, this.editor.contiguous);
  }

  override hover(at: PointerAt): void {
    this.forget();
    if (!inside(this.editor, at.image) || !this.editor.canPaint) return;
    this.timer = setTimeout(() => void this.look(at.image), 90);
  }

  private async look(pixel: ImagePoint): Promise<void> {
    const asked = new AbortController();
    this.asked = asked;
    const { tolerance, contiguous, regions } = this.editor;
    const spans = await regions?.wand(pixel, tolerance, contiguous, asked.signal).catch(() => null);
    if (!spans || asked.signal.aborted) return;
    this.preview = spans;
    this.editor.changed("view");
  }

  private forget(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.asked?.abort();
    this.asked = null;
    this.preview = null;
  }

  protected override painted(): void {
    this.forget();
  }
  override leave(): void {
    this.forget();
  }
  override cancel(): void {
    this.forget();
  }

  override sketch(context: CanvasRenderingContext2D, view: Viewport): void {
    if (!this.preview) return;
    const image = context.createImageData(view.width, view.height);
    const color = this.editor.color(this.editor.paintValue(false));
    drawSpans(new Uint32Array(image.data.buffer), view, this.preview, packColor(color, 200), packColor(color, 70));
    context.putImageData(image, 0, 0);
  }
}
