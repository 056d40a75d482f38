// Drives the harness page with real mouse events and measures in the page. Prints one JSON object.
// Usage: node harness/measure.mjs FOLDER CHROMIUM MEGAPIXELS SECONDS
//
// The mouse moves 125 times a second, as USB mice do, whether or not the page keeps up. (A driver that waits for the page to have
// handled one move before it sends the next would always send right after a frame, when the wait for the next one is longest.)
// Input to paint: from a move's own timeStamp (when the browser took it) to the end of the frame that shows what it painted; every
// move counts once, also those that the browser hands over together. The canvas draws in requestAnimationFrame; a message posted
// there is handled only after style, layout, paint and commit of that frame, so its arrival is the end of the frame's work on the
// page's thread.
// Dropped frames: of the 60 Hz frames that fit between two animation frames, all but one were dropped.
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { chromium } from "playwright-core";

const kMovesPerSecond = 125;
const [folder, executablePath, megapixels, seconds] = process.argv.slice(2);
const types = { ".html": "text/html", ".js": "text/javascript" };
const server = http.createServer((request, response) => {
  const file = path.join(folder, path.basename(path.dirname(request.url)) === "assets" ? "assets" : "", path.basename(new URL(request.url, "http://x").pathname));
  readFile(file).then(
    (bytes) => response.setHeader("content-type", types[path.extname(file)] ?? "application/octet-stream").end(bytes),
    () => response.writeHead(404).end(),
  );
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`http://127.0.0.1:${server.address().port}/canvas.html?megapixels=${megapixels}`);
  const opened = await page.evaluate(async () => {
    const { imageWidth, imageHeight } = await window.ready.then(() => window.canvas.editor.view);
    return (imageWidth * imageHeight) / 1e6;
  });
  const area = await page.evaluate(() => {
    const { x, y, width, height } = window.canvas.renderRoot.querySelector(".stage").getBoundingClientRect();
    return { x, y, width, height };
  });
  await page.evaluate(() => {
    const state = { latencies: [], frames: 0, dropped: 0, running: false, first: 0 };
    window.measured = state;
    const stage = window.canvas.renderRoot.querySelector(".stage");
    const channel = new MessageChannel();
    let ending = [];
    channel.port1.onmessage = () => {
      const now = performance.now();
      for (const began of ending.splice(0)) state.latencies.push(now - began);
    };
    let began = [];
    stage.addEventListener("pointermove", (event) => {
      if (!state.running || event.buttons === 0) return;
      const together = event.getCoalescedEvents();
      for (const one of together.length > 0 ? together : [event]) began.push(one.timeStamp);
    });
    let last = 0;
    const frame = (time) => {
      if (state.running) {
        if (last > 0) {
          const missed = Math.max(0, Math.round((time - last) / (1000 / 60)) - 1);
          state.frames += 1 + missed;
          state.dropped += missed;
        }
        last = time;
      } else {
        last = 0;
      }
      if (began.length > 0) {
        ending = ending.concat(began.splice(0));
        channel.port2.postMessage(null);
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const at = (u, v) => [area.x + area.width * u, area.y + area.height * v];
  const mouse = await page.context().newCDPSession(page);
  const pressed = { left: 1, middle: 4 };
  const run = async (milliseconds, button, path) => {
    await page.evaluate(() => (window.measured.running = true));
    const sent = [];
    const start = performance.now();
    for (let time = 0; time < milliseconds; time += 1000 / kMovesPerSecond) {
      const early = start + time - performance.now();
      if (early > 0) await setTimeout(early);
      const [x, y] = at(...path(time / 1000));
      sent.push(mouse.send("Input.dispatchMouseEvent", { type: "mouseMoved", x, y, button, buttons: pressed[button] }));
    }
    await Promise.all(sent);
    await page.evaluate(() => (window.measured.running = false));
  };
  const circle = (seconds) => [0.5 + 0.3 * Math.cos(1.57 * seconds), 0.5 + 0.3 * Math.sin(2.61 * seconds)];
  const half = (Number(seconds) * 1000) / 4;
  // Painting and panning, with the whole photo in sight and near one to one.
  for (const zoom of [0, 12]) {
    await page.mouse.move(...at(0.5, 0.5));
    for (let i = 0; i < zoom; ++i) await page.mouse.wheel(0, -60);
    for (const button of ["left", "middle"]) {
      await page.mouse.move(...at(...circle(0)));
      await page.mouse.down({ button });
      await run(half, button, circle);
      await page.mouse.up({ button });
    }
  }
  const { latencies, frames, dropped } = await page.evaluate(() => window.measured);
  const painted = await page.evaluate(() => window.canvas.editor.mask.count(1));
  if (painted === 0 || latencies.length < 30) throw new Error(`nothing was measured: ${painted} pixels painted, ${latencies.length} events`);
  latencies.sort((a, b) => a - b);
  const quantile = (q) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))];
  console.log(JSON.stringify({
    input_to_paint_ms_median: quantile(0.5),
    input_to_paint_ms_p95: quantile(0.95),
    dropped_frames_share: dropped / frames,
    frames,
    megapixels: opened,
  }));
} finally {
  await browser.close();
  server.close();
}
