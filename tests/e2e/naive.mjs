// What the canvas must paint, by the plainest loops: every pixel is asked whether its centre is covered. Shares no code with the pages.

/** A raster of class indices that is painted as the rules of the canvas say. */
export class Expected {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.pixels = Buffer.alloc(width * height);
    this.locked = new Set();
    this.onlyBackground = false;
    this.before = [];
    this.after = [];
  }

  /** Gives the pixels where `covers(x, y)` the value, as one step that undo takes back. */
  paint(covers, value) {
    const before = Buffer.from(this.pixels);
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        const at = y * this.width + x;
        if (this.locked.has(before[at]) || (this.onlyBackground && value !== 0 && before[at] !== 0)) continue;
        if (covers(x, y)) this.pixels[at] = value;
      }
    }
    if (before.equals(this.pixels)) return;
    this.before.push(before);
    this.after.length = 0;
  }
  undo() {
    if (this.before.length === 0) return;
    this.after.push(this.pixels);
    this.pixels = this.before.pop();
  }
  redo() {
    if (this.after.length === 0) return;
    this.before.push(this.pixels);
    this.pixels = this.after.pop();
  }
  /** A reopened photo: what was done can no longer be undone. */
  reopen() {
    this.before.length = this.after.length = 0;
  }

  /** A round brush along points [x, y]: pixels whose centre is at most half the size away; of size 1 the pixel under each point. */
  brush(points, size, value) {
    const [first, ...others] = points;
    const ends = others.length > 0 ? others.map((point, index) => [points[index], point]) : [[first, first]];
    const lines = ends.map(([from, to]) => (size < 2 ? thin(from, to) : null));
    this.paint((x, y) => ends.some(([from, to], index) => (lines[index] ? lines[index].has(`${x} ${y}`) : distance([x + 0.5, y + 0.5], from, to) <= size / 2)), value);
  }

  /** Pixels whose centre a ray to the left leaves the closed line through the points an odd number of times. */
  polygon(points, value) {
    this.paint((x, y) => {
      let inside = false;
      points.forEach((a, index) => {
        const b = points[(index + 1) % points.length];
        const [top, bottom] = a[1] < b[1] ? [a, b] : [b, a];
        if (y + 0.5 < top[1] || y + 0.5 >= bottom[1]) return;
        if ((x + 0.5 - top[0]) * (bottom[1] - top[1]) >= (y + 0.5 - top[1]) * (bottom[0] - top[0])) inside = !inside;
      });
      return inside;
    }, value);
  }

  /** The pixels of one value that hang together (at their sides) with the one at [x, y]. */
  fill([x, y], value) {
    const of = this.pixels[Math.floor(y) * this.width + Math.floor(x)];
    this.#flood([[x, y]], (at) => this.pixels[at] === of, value);
  }
  /** The pixels of `photo` (RGB) that hang together and differ by at most `tolerance` in each colour from the one at [x, y]. */
  wand(photo, [x, y], tolerance, value, connected = true) {
    const from = Math.floor(y) * this.width + Math.floor(x);
    const like = (at) => [0, 1, 2].every((part) => Math.abs(photo[3 * at + part] - photo[3 * from + part]) <= tolerance);
    if (connected) this.#flood([[x, y]], like, value);
    else this.paint((px, py) => like(py * this.width + px), value);
  }
  /** Background from which no way over background leads to the edge. */
  enclosed(value) {
    const edge = [];
    for (let x = 0; x < this.width; x++) edge.push([x, 0], [x, this.height - 1]);
    for (let y = 0; y < this.height; y++) edge.push([0, y], [this.width - 1, y]);
    const open = this.#reached(edge, (at) => this.pixels[at] === 0);
    this.paint((x, y) => this.pixels[y * this.width + x] === 0 && !open.has(y * this.width + x), value);
  }
  /** All of another raster, as one step. */
  replace(pixels) {
    const before = Buffer.from(this.pixels);
    this.pixels = Buffer.from(pixels);
    if (!before.equals(this.pixels)) this.before.push(before);
    this.after.length = 0;
  }

  #flood(seeds, may, value) {
    const reached = this.#reached(seeds, may);
    this.paint((x, y) => reached.has(y * this.width + x), value);
  }
  #reached(seeds, may) {
    const reached = new Set();
    const waiting = seeds.map(([x, y]) => [Math.floor(x), Math.floor(y)]);
    while (waiting.length > 0) {
      const [x, y] = waiting.pop();
      const at = y * this.width + x;
      if (x < 0 || y < 0 || x >= this.width || y >= this.height || reached.has(at) || !may(at)) continue;
      reached.add(at);
      waiting.push([x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]);
    }
    return reached;
  }
}

function distance([x, y], [ax, ay], [bx, by]) {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const part = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length));
  // Of whole coordinates: what is exactly on the rim must not be lost to rounding.
  return Math.round(Math.hypot(x - ax - part * (bx - ax), y - ay - part * (by - ay)) * 1e9) / 1e9;
}

// One pixel for each step along the longer direction, the nearest to the line between the two pixels' centres; halves go down and right-hand in its direction.
function thin([ax, ay], [bx, by]) {
  let [x0, y0, x1, y1] = [ax, ay, bx, by].map(Math.floor);
  if (y0 > y1 || (y0 === y1 && x0 > x1)) [x0, y0, x1, y1] = [x1, y1, x0, y0];
  const steps = Math.max(Math.abs(x1 - x0), y1 - y0);
  const pixels = new Set();
  for (let step = 0; step <= steps; step++) {
    const dx = steps === 0 ? 0 : Math.floor((step * Math.abs(x1 - x0)) / steps + 0.5) * Math.sign(x1 - x0);
    const dy = steps === 0 ? 0 : Math.floor((step * (y1 - y0)) / steps + 0.5);
    pixels.add(`${x0 + dx} ${y0 + dy}`);
  }
  return pixels;
}
