// What a person does in a worker's pages: join, open tasks, paint; and what the canvas then holds.
export const PASSWORD = "a long enough phrase";

/** A page that keeps in `problems` what went wrong in it, and whatever it asked of another server than `program`'s. */
export async function openPage(context, program) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["blob:", "data:", "about:"].includes(url.protocol) && url.origin !== program.url) page.problems.push(`asked ${request.url()}`);
  });
  page.on("websocket", (socket) => page.problems.push(`opened ${socket.url()}`));
  return page;
}

/** Takes the invitation in the page. */
export async function join(page, invitation, name) {
  await page.goto(invitation);
  await page.getByLabel("Name or e-mail address").fill(name);
  await page.getByLabel(/^Password|^New password|^Choose a password/).first().fill(PASSWORD);
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

/** Opens the next task of the first job. */
export async function start(page) {
  if (!/\/_\/(jobs)?$/.test(new URL(page.url()).pathname)) await page.getByRole("link", { name: "Tasks" }).first().click();
  await page.getByRole("button", { name: "Start" }).first().click();
  await page.waitForURL(/\/_\/task\//);
}

/** The canvas of the task that is shown, once it can be painted on. */
export async function canvasOf(page) {
  const frame = page.frameLocator("iframe");
  const canvas = frame.locator("terrapin-canvas");
  await canvas.waitFor({ timeout: 60_000 });
  await canvas.evaluate(async (element) => {
    while (!element.editor.mask) await new Promise(requestAnimationFrame);
  });
  return canvas;
}

/** Drags over the canvas; points in shares of its stage. */
export async function drag(page, canvas, points) {
  const box = await canvas.locator(".stage").first().boundingBox();
  const at = ([x, y]) => [box.x + box.width * x, box.y + box.height * y];
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 8 });
  await page.mouse.up();
}

/** What the canvas shows, as the worker sees it: class indices of every pixel. */
export async function raster(canvas) {
  const told = await canvas.evaluate((element) => {
    const { mask } = element.editor;
    let text = "";
    for (let at = 0; at < mask.pixels.length; at += 32_768) text += String.fromCharCode(...mask.pixels.subarray(at, at + 32_768));
    return { width: mask.width, height: mask.height, text: btoa(text) };
  });
  return { ...told, pixels: Buffer.from(told.text, "base64") };
}

export const countOf = (pixels, value) => pixels.reduce((sum, pixel) => sum + (pixel === value), 0);
