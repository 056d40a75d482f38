// `terrapin serve` with a requester, a team and jobs, made over HTTP; and what lies on its disk afterwards.
import { spawnSync } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { Caller } from "./caller.mjs";
import { ServingProgram, openBrowser, program, temporaryFolder, until } from "./support.mjs";
import { PASSWORD } from "./worker.mjs";

export class Service extends ServingProgram {
  /** `folder`: where its data go. `more`: further arguments of serve. */
  constructor(folder, more = []) {
    super(path.join(folder, "data"), more);
  }

  /** What `terrapin ARGUMENTS` prints, beside the running service. */
  command(...command) {
    const done = spawnSync(program, command, { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`terrapin ${command.join(" ")}: ${done.stderr}${done.stdout}`);
    return done.stdout;
  }

  /** A new account's session. */
  async join(name, role, ...more) {
    const { link } = JSON.parse(this.command("people", "invite", "--data-dir", this.data, "--role", role, "--url", this.url, "--json", ...more));
    return new Caller(this.url).enter("invitation/accept", { token: new URL(link).hash.slice(1), name, password: PASSWORD });
  }
  /** The browser's context is signed in as this person from now on, with the session that this gives. */
  async signIn(context, person) {
    const session = await new Caller(this.url).enter("sign-in", { name: person.account.name, password: PASSWORD });
    await context.clearCookies();
    await context.addCookies([session.browserCookie()]);
    return session;
  }

  /** The requester of all jobs here, with the bucket and the team that these name. */
  async requester() {
    if (!this.boss) {
      this.boss = await this.join("requester", "admin");
      await this.boss.post("requester/buckets", { name: "photos" });
      this.team = (await this.boss.post("requester/workteams", { name: "painters", description: "Those who paint" })).workteam;
    }
    return this.boss;
  }
  /** A worker of the team. */
  async worker(name) {
    await this.requester();
    return this.join(name, "worker", "--group", this.team.groups[0]);
  }

  /** A labeling job on `photos` ({file name: bytes}). `more`: members of the request, docs/formats/worker-http.md. */
  async job(name, photos, more = {}) {
    const requester = await this.requester();
    for (const [file, bytes] of Object.entries(photos)) await requester.send("PUT", `requester/objects/photos/${name}/${file}`, bytes, "application/octet-stream");
    return requester.post("requester/jobs", {
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
    await until(`a photo of ${job} for ${person.account.name}`, async () => {
      taken = await person.post("assignments", { job }).then((answer) => answer.assignment, (problem) => {
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
  async mask(job, index) {
    let found = [];
    await until(`the mask of photo ${index} of ${job}`, async () => {
      found = await this.files(job, new RegExp(`consolidated-annotation/output/${index}_[^/]*\\.png$`));
      return found.length > 0;
    });
    return readFile(found.at(-1));
  }
  /** The lines of an ended job's output manifest. */
  async outputManifest(job) {
    const [file] = await this.files(job, /manifests\/output\/output\.manifest$/);
    return (await readFile(file, "utf8")).trim().split("\n").map((line) => JSON.parse(line));
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

/** What the tests of a file share: a browser, a service in a folder of its own, and these workers of its team. `end` ends all of it. */
export async function serviceWith(...names) {
  const [browser, place] = await Promise.all([openBrowser(), temporaryFolder()]);
  const service = new Service(place.folder);
  const end = async () => {
    await browser.close();
    await service.kill();
    await place.remove();
  };
  try {
    await service.start();
    const workers = [];
    for (const name of names) workers.push(await service.worker(name));
    return { browser, service, workers, folder: place.folder, end };
  } catch (problem) {
    await end();
    throw problem;
  }
}
