// A worker at the canvas: opens tasks, points at the photo's pixels, reads what the canvas holds.
import assert from "node:assert/strict";
import { until } from "./support.mjs";

/** The canvas of the task that the page shows. */
export class Hand {
  static async at(page) {
    const hand = new Hand(page);
    await hand.opened();
    return hand;
  }
  constructor(page) {
    this.page = page;
    this.frame = page.frameLocator("iframe");
    this.canvas = this.frame.locator("terrapin-canvas");
    this.stage = this.canvas.locator(".stage").first();
  }

  /** Returns when the photo can be painted on and the frame has the keys. */
  async opened() {
    // A page that gave up on a slow machine offers to try again; a worker would.
    const again = this.page.getByRole("button", { name: "Try again" });
    await until("there is a canvas", async () => {
      if ((await again.count()) > 0) await again.click();
      return this.canvas.isVisible();
    }).catch(async (problem) => {
      const says = await this.page.locator("terrapin-app").evaluate((app) => {
        const text = (node) => (node.nodeType === Node.TEXT_NODE ? node.data : node.nodeName === "STYLE" ? "" : [...(node.shadowRoot ?? node).childNodes].map(text).join(" "));
        return text(app).replace(/\s+/g, " ").trim();
      });
      throw new Error(`${problem.message} in ${this.page.url()}, which says: ${says}`);
    });
    await this.canvas.evaluate(async (element) => {
      while (!element.editor.mask || element.editor.view.width < 2) await new Promise(requestAnimationFrame);
      element.focus();
    });
    await this.page.locator(".cover").waitFor({ state: "detached" });
    await this.look();
  }

  /** One device pixel for each of the photo, so that the pointer is at whole coordinates of it. */
  async oneToOne() {
    await this.canvas.locator(".zoom-text").click();
    await this.canvas.evaluate((element) => element.focus());
    await this.look();
    assert.equal(this.scale, 1);
  }

  /** Where the photo lies in the window now. */
  async look() {
    const box = await this.stage.boundingBox();
    const { scale, offsetX, offsetY, border } = await this.canvas.evaluate((element) => {
      const { view } = element.editor;
      const { clientLeft, clientTop } = element.renderRoot.querySelector(".stage");
      return { scale: view.scale, offsetX: view.offsetX, offsetY: view.offsetY, border: [clientLeft, clientTop] };
    });
    this.scale = scale;
    this.left = box.x + border[0] + offsetX;
    this.top = box.y + border[1] + offsetY;
  }
  /** Of a pixel position of the photo, where it is in the window. */
  screen([x, y]) {
    return [this.left + x * this.scale, this.top + y * this.scale];
  }

  key(text) {
    return this.page.keyboard.press(text);
  }
  async click(point) {
    await this.page.mouse.click(...this.screen(point));
  }
  async drag(points) {
    await this.page.mouse.move(...this.screen(points[0]));
    await this.page.mouse.down();
    for (const point of points.slice(1)) await this.page.mouse.move(...this.screen(point));
    await this.page.mouse.up();
  }
  button(name) {
    return this.canvas.getByRole("button", { name, exact: true });
  }
  choose(label) {
    return this.canvas.locator(".class-name", { hasText: label }).first().click();
  }
  get brushSize() {
    return this.canvas.evaluate((element) => element.editor.settings.brushSize);
  }
  /** Waits for areas that are computed, e.g. by the wand. */
  async settle() {
    await this.canvas.evaluate((element) => element.editor.idle());
  }

  /** {width, height, pixels}: the class index of each pixel. */
  async raster() {
    const { width, height, text } = await this.canvas.evaluate(async (element) => {
      await element.editor.idle();
      const { mask } = element.editor;
      let binary = "";
      for (let at = 0; at < mask.pixels.length; at += 32_768) binary += String.fromCharCode(...mask.pixels.subarray(at, at + 32_768));
      return { width: mask.width, height: mask.height, text: btoa(binary) };
    });
    return { width, height, pixels: Buffer.from(text, "base64") };
  }

  /** The canvas holds exactly this; says where it does not. */
  async holds(expected, what) {
    const { pixels } = await this.raster();
    assertSame(pixels, expected, what);
  }

  /** How much of the draft is nowhere but in the tab, and how much the server does not have yet. */
  draft() {
    return this.page.locator("terrapin-task-page").evaluate((element) => ({ ...element.status }));
  }
  async kept() {
    await until("what was painted is kept in the browser", async () => (await this.draft()).unkept === 0);
  }
  async saved() {
    await until("what was painted is on the server", async () => {
      const { unkept, unsent } = await this.draft();
      return unkept === 0 && unsent === 0;
    });
  }
}

export function assertSame(pixels, expected, what) {
  if (pixels.equals(expected.pixels)) return;
  const wrong = [];
  let count = 0;
  for (let at = 0; at < pixels.length; at++) {
    if (pixels[at] === expected.pixels[at]) continue;
    if (count++ < 8) wrong.push(`(${at % expected.width}, ${Math.floor(at / expected.width)}) is ${pixels[at]}, not ${expected.pixels[at]}`);
  }
  assert.fail(`${what}: ${count} pixels differ: ${wrong.join("; ")}`);
}

/** Shows the task's page; its canvas. */
export async function openTask(page, service, assignment) {
  await page.goto(`${service.url}/_/task/${assignment.id}`);
  return Hand.at(page);
}

/** Submits with the key and waits until the page has moved on. `unpainted`: the page asks, and is told to. */
export async function submit(page, { unpainted = false } = {}) {
  const address = page.url();
  await page.keyboard.press("Control+Enter");
  if (unpainted) await page.getByRole("button", { name: "Submit without labels" }).click();
  await until("the answer was taken", async () => page.url() !== address || (await page.getByText("All done").count()) > 0 || (await page.getByRole("heading", { name: "History" }).count()) > 0);
}
