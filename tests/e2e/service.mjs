// `terrapin serve` in a folder of its own, people who are signed in to it, and jobs, as requesters make them over HTTP.
import { spawn, spawnSync } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { program, until } from "./support.mjs";

export const PASSWORD = "a long enough phrase";

/** Somebody's session, without a browser. `call` gives the answer's JSON and throws an Error with `status` where it is no success. */
export class Person {
  constructor(service, name) {
    this.service = service;
    this.name = name;
  }

  async call(method, target, body) {
    const answer = await this.send(method, target, body);
    const text = await answer.text();
    if (!answer.ok) throw Object.assign(new Error(`${method} ${target}: ${answer.status} ${text}`), { status: answer.status });
    return JSON.parse(text);
  }
  send(method, target, body) {
    const headers = { cookie: `${this.cookie?.name}=${this.cookie?.value}` };
    if (method !== "GET") headers["x-csrf-token"] = this.csrf ?? "";
    if (body !== undefined) headers["content-type"] = Buffer.isBuffer(body) ? "application/octet-stream" : "application/json";
    return fetch(`${this.service.url}/_/api/${target}`, { method, headers, body: body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body) });
  }
  async take(answer) {
    if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
    const [name, value] = answer.headers.get("set-cookie").split(";")[0].split(/=(.*)/s);
    this.cookie = { name, value };
    ({ csrf: this.csrf, account: this.account } = await answer.json());
    return this;
  }
  async signIn() {
    return this.take(await this.send("POST", "sign-in", { name: this.name, password: PASSWORD }));
  }
  /** The browser context is signed in as this person from now on, with a session of its own. */
  async enter(context) {
    const session = await new Person(this.service, this.name).signIn();
    await context.clearCookies();
    await context.addCookies([{ ...session.cookie, url: this.service.url, httpOnly: true, sameSite: "Strict" }]);
    return session;
  }
}

export class Service {
  /** `folder`: where its data go. TERRAPIN_PAGES names a folder of built pages to be shown in place of those in the program. */
  constructor(folder) {
    this.data = path.join(folder, "data");
    this.port = 0;
    this.output = "";
  }

  async start() {
    const pages = process.env.TERRAPIN_PAGES ? ["--pages", process.env.TERRAPIN_PAGES] : [];
    this.child = spawn(program, ["serve", "--data-dir", this.data, "--port", String(this.port), "--quiet", "--log-level", "warn", ...pages], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.ended = new Promise((resolve) => this.child.once("exit", resolve));
    const child = this.child;
    let output = "";
    this.url = await new Promise((resolve, reject) => {
      const read = (bytes) => {
        output += bytes;
        this.output += bytes;
        const found = /terrapin serve: (http\S+)/.exec(output);
        if (found) resolve(found[1]);
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("error", (problem) => reject(new Error(`${program}: ${problem.message}; build it with script/build or name it in TERRAPIN`)));
      child.once("exit", (code) => reject(new Error(`terrapin serve ended with ${code}:\n${output}`)));
    });
    this.port = Number(new URL(this.url).port); // the same one after a restart
    await until("the service is ready", async () => (await fetch(`${this.url}/healthz`).catch(() => null))?.ok === true);
    return this;
  }
  /** kill -9. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }
  async stop() {
    this.child.kill("SIGTERM");
    await this.ended;
  }

  /** What `terrapin ARGUMENTS` prints, beside the running service. */
  run(...command) {
    const done = spawnSync(program, command, { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`terrapin ${command.join(" ")}: ${done.stderr}${done.stdout}`);
    return done.stdout;
  }

  /** A new account; signed in. */
  async join(name, { role = "worker", groups = [] } = {}) {
    const options = groups.flatMap((group) => ["--group", group]);
    const made = this.run("people", "invite", "--data-dir", this.data, "--role", role, ...options, "--url", this.url, "--json");
    const person = new Person(this, name);
    return person.take(await person.send("POST", "invitation/accept", { token: JSON.parse(made).token, name, password: PASSWORD }));
  }

  /** The requester of all jobs here, with the bucket and the team that these name. */
  async requester() {
    if (!this.boss) {
      this.boss = await this.join("requester", { role: "admin" });
      await this.boss.call("POST", "requester/buckets", { name: "photos" });
      this.team = (await this.boss.call("POST", "requester/workteams", { name: "painters", description: "Those who paint" })).workteam;
    }
    return this.boss;
  }
  /** A worker of the team. */
  async worker(name) {
    await this.requester();
    return this.join(name, { groups: [this.team.groups[0]] });
  }

  /**
   * A labeling job on `photos` ({file name: bytes}), and the task page that a worker of the team sees soon. `more`: members of the request, docs/formats/worker-http.md.
   */
  async job(name, photos, more = {}) {
    const requester = await this.requester();
    for (const [file, bytes] of Object.entries(photos)) await requester.call("PUT", `requester/objects/photos/${name}/${file}`, bytes);
    return requester.call("POST", "requester/jobs", {
      name,
      input_uri: `s3://photos/${name}/`,
      output_uri: "s3://photos/output",
      workteam_arn: this.team.arn,
      title: `Paint ${name}`,
      workers_per_object: 1,
      labels: ["Turtle", "Diver", "Coral"].map((label) => ({ label })),
      ...more,
    });
  }

  /** A lease in the job, as soon as there is one for this person. */
  async accept(person, job) {
    let taken = null;
    await until(`a photo of ${job} for ${person.name}`, async () => {
      taken = await person.call("POST", "assignments", { job }).then((answer) => answer.assignment, (problem) => {
        if (problem.status === 404) return null;
        throw problem;
      });
      return taken !== null;
    });
    return taken;
  }

  /** Below the job's output, the files whose path the pattern fits. */
  async files(job, pattern) {
    const folder = path.join(this.data, "objects/photos/output", job);
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    return names.filter((name) => pattern.test(name)).sort().map((name) => path.join(folder, name));
  }
  /** The consolidated mask of an object, once it is there: the file's bytes. */
  async mask(job, index, seconds = 60) {
    let found = [];
    await until(`the mask of photo ${index} of ${job}`, async () => {
      found = await this.files(job, new RegExp(`consolidated-annotation/output/${index}_[^/]*\\.png$`));
      return found.length > 0;
    }, seconds);
    return readFile(found.at(-1));
  }
  /** The answers that workers gave for an object, as the worker response files hold them. */
  async answers(job, index, count = 1) {
    let answers = [];
    await until(`${count} answers for photo ${index} of ${job}`, async () => {
      const files = await this.files(job, new RegExp(`worker-response/iteration-1/${index}/[^/]*\\.json$`));
      if (files.length === 0) return false;
      answers = JSON.parse(await readFile(files.at(-1), "utf8")).answers;
      return answers.length >= count;
    });
    return answers;
  }
}
