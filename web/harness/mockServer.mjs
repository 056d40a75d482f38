// A server with made-up jobs, people and photos, for looking at the pages. Not shipped, keeps nothing.
// Usage: node harness/mockServer.mjs --pages FOLDER [--port N]
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { disagreement, mask, photo } from "./pictures.mjs";

const kPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; " +
  "worker-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'";
const kFramePolicy =
  "sandbox allow-scripts allow-forms; default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'; " +
  "img-src blob: data:; worker-src blob:; connect-src 'none'";
const kTypes = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const arn = (team) => `arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/${team}`;

function job(name, status, objects, labeled, failed, created) {
  return {
    id: `job-${name}`,
    name,
    status,
    failure_reason: status === "Failed" ? "s3://photos/missing.manifest does not exist." : "",
    created: ago(created),
    modified: ago(1),
    objects,
    counters: {
      total_labeled: labeled,
      human_labeled: labeled,
      machine_labeled: 0,
      failed_non_retryable: failed,
      unlabeled: objects - labeled - failed,
    },
    output_dataset_uri: `s3://photos/results/${name}/manifests/output/output.manifest`,
    reference_code: "",
    spec: {
      name,
      label_attribute: "label-ref",
      input_uri: "s3://photos/turtles/",
      output_uri: "s3://photos/results",
      categories_uri: `s3://photos/results/${name}/setup/label-categories.json`,
      template_uri: `s3://photos/results/${name}/setup/template.liquid.html`,
      workteam_arn: arn("divers"),
      pre_function_arn: "arn:aws:lambda:us-east-1:432418664414:function:PRE-SemanticSegmentation",
      post_function_arn: "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation",
      keywords: ["turtle"],
      title: "Paint sea turtles",
      description: "Paint each turtle and its head.",
      workers_per_object: 3,
      task_time_limit_s: 3600,
      task_availability_s: 864000,
      max_concurrent: 1000,
      owner: "ann",
      continues: "",
      skip_labeled: false,
      majority_vote: false,
    },
  };
}

export function mockState() {
  const account = (name, display, roles) => ({
    id: `person-${name}`,
    name: `${name}@example.org`,
    display_name: display,
    roles,
    groups: ["divers"],
    issuer: "",
    active: true,
    created: ago(90_000),
  });
  const accounts = [
    account("ann", "Ann Berg", ["worker", "requester", "admin"]),
    account("bob", "Bob Reef", ["worker"]),
    account("cyd", "", ["worker", "requester"]),
  ];
  const member = ({ id, name, display_name }) => ({ id, name, display_name });
  return {
    signedIn: true,
    failUploads: 0, // so many more are answered with 503
    calls: [], // ["POST requester/jobs", body], all but reads
    accounts,
    jobs: [
      job("sea-turtles", "InProgress", 300, 184, 3, 2000),
      job("sea-turtles-trial", "Completed", 20, 20, 0, 9000),
      job("camvid-roads", "Stopped", 700, 120, 0, 12000),
      job("clothes", "Failed", 0, 0, 0, 14000),
    ],
    teams: [
      { name: "divers", arn: arn("divers"), description: "People who know turtles.", kind: "private", groups: ["divers"], members: accounts.map(member), in_use: true },
      { name: "trainees", arn: arn("trainees"), description: "Still learning.", kind: "private", groups: ["trainees"], members: [], in_use: false },
      { name: "acme", arn: "arn:aws:sagemaker:us-east-1:111122223333:workteam/vendor-crowd/acme", description: "Acme Labeling", kind: "vendor", groups: [], members: [member(accounts[1])], in_use: false },
      { name: "default", arn: "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default", description: "The public crowd", kind: "public", groups: [], members: [], in_use: false },
    ],
    keys: [{ access_key_id: "TKEXAMPLE000000001", scope: "requester", name: "nightly upload", created: ago(5000) }],
    invitations: [{ id: "i1", name: "dan@example.org", roles: ["worker"], groups: ["divers"], made_by: "ann", created: ago(100), expires: ago(-9000) }],
    buckets: [{ name: "photos", created: ago(9999) }],
    objects: new Map(Array.from({ length: 6 }, (_, i) => [`photos/turtles/turtle-${i + 1}.png`, { size: 300_000 + i }])),
  };
}

const labels = [
  { label: "Turtle", color: "#2ca02c", void: false, index: 1 },
  { label: "Head", color: "#ff7f0e", void: false, index: 2 },
  { label: "Unclear", color: "#7f7f7f", void: true, index: 255 },
];

function objectsOf(found, query) {
  const all = Array.from({ length: found.objects }, (_, index) => {
    const done = index < found.counters.total_labeled;
    const failed = !done && index < found.counters.total_labeled + found.counters.failed_non_retryable;
    return {
      index,
      source_uri: `s3://photos/turtles/turtle-${index + 1}.png`,
      state: done ? "labeled" : failed ? "failed" : index % 3 ? "waiting" : "open",
      answers: done ? 3 : 0,
      declines: 0,
      mask_uri: done ? `s3://photos/results/${index}.png` : "",
      failure_reason: failed ? "Three workers declined it: the photo is black." : "",
      confidence: done ? 0.91 : 0,
      disagreement: done ? ((index * 7) % 20) / 100 : 0,
    };
  });
  const least = Number(query.get("min_disagreement") ?? 0);
  const fit = all.filter((one) => (!query.get("state") || one.state === query.get("state")) && one.disagreement >= least);
  if (query.get("most_disputed_first") === "true") fit.sort((a, b) => b.disagreement - a.disagreement);
  const offset = Number(query.get("offset") ?? 0);
  return { objects: fit.slice(offset, offset + Number(query.get("limit") ?? 100)) };
}

/** The answer to a call below /_/api/: [status, body] or [status, bytes, type, headers]. */
function answer(state, method, at, query, body) {
  const me = { account: state.accounts[0], csrf: "csrf", expires: ago(-600) };
  const refuse = (status, code, message) => [status, { code, message }];
  const call = `${method} ${at}`;
  const match = (pattern) => call.match(new RegExp(`^${pattern}$`));
  let found;
  if (call === "GET sign-in") return [200, { password: true, open_id: true }];
  if (call === "POST sign-in") {
    if (body.password !== "correct horse battery") return refuse(401, "WrongCredentials", "The name or the password is wrong.");
    state.signedIn = true;
    return [200, me];
  }
  if (call === "POST invitation/look")
    return body.token === "good" ? [200, { name: "", expires: ago(-9000) }] : refuse(404, "NotFound", "no such invitation");
  if (!state.signedIn) return refuse(401, "NotSignedIn", "Sign in first.");
  if (call === "POST sign-out") {
    state.signedIn = false;
    return [200, {}];
  }
  if (call === "GET me") return [200, me];
  if (call === "GET jobs")
    return [200, { jobs: [
      { job_name: "sea-turtles", title: "Paint sea turtles", description: "Paint each turtle and its head.", workteam_arn: arn("divers"), keywords: ["turtle"], task_time_limit_s: 3600, created: ago(2000), available: 113 },
      { job_name: "clothes-2", title: "Paint clothes", description: "One colour for each piece.", workteam_arn: arn("divers"), keywords: [], task_time_limit_s: 900, created: ago(100), available: 1, price: { dollars: 0, cents: 3, tenth_fractions_of_a_cent: 6 } },
    ] }];
  if (call === "GET assignments") {
    const one = (id, index, kind, correctable = false) => ({ id, job_name: "sea-turtles", object_index: index, state: kind, accepted: ago(50 + index), deadline: ago(-20), remaining_seconds: kind === "leased" ? 1260 : 0, submitted: kind === "submitted" ? ago(10 + index) : null, correctable });
    return [200, { assignments: [one("a1", 12, "leased"), one("a2", 11, "submitted", true), one("a3", 9, "submitted"), one("a4", 7, "declined"), one("a5", 5, "expired")] }];
  }
  if (call === "GET requester/settings")
    return [200, { region: "us-east-1", account_id: "111122223333", public_crowd_arn: state.teams[3].arn, job_arn_prefix: "arn:aws:sagemaker:us-east-1:111122223333:labeling-job/",
      pre_functions: [{ arn: "arn:aws:lambda:us-east-1:432418664414:function:PRE-SemanticSegmentation", name: "PRE-SemanticSegmentation", kind: "segmentation" }, { arn: "arn:aws:lambda:us-east-1:111122223333:function:resize", name: "resize", kind: "registered" }],
      post_functions: [{ arn: "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation", name: "ACS-SemanticSegmentation", kind: "segmentation" }],
      limits: { max_labels: 254, max_upload_bytes: 1 << 30 } }];
  if (call === "GET requester/buckets") return [200, { buckets: state.buckets }];
  if (call === "POST requester/buckets") {
    state.buckets.push({ name: body.name, created: ago(0) });
    return [201, { name: body.name }];
  }
  if (call === "GET requester/objects") {
    const whole = `${query.get("bucket")}/${query.get("prefix") ?? ""}`;
    const folders = new Set();
    const objects = [];
    for (const [name, { size }] of state.objects) {
      if (!name.startsWith(whole)) continue;
      const rest = name.slice(whole.length);
      const key = name.slice(name.indexOf("/") + 1);
      if (rest.includes("/")) folders.add(key.slice(0, key.length - rest.length + rest.indexOf("/") + 1));
      else objects.push({ key, size, modified: ago(10) });
    }
    return [200, { folders: [...folders], objects, next: null }];
  }
  if ((found = match("PUT requester/objects/(.+)"))) {
    if (state.failUploads > 0) {
      state.failUploads -= 1;
      return refuse(503, "Busy", "Too much at once.");
    }
    state.objects.set(decodeURIComponent(found[1]), { size: body.length });
    return [201, { uri: `s3://${decodeURIComponent(found[1])}`, etag: "e" }];
  }
  if (match("GET requester/objects/(.+)")) return [200, photo(1, 640), "image/png"];
  if (call === "GET requester/jobs") {
    const name = query.get("name_contains") ?? "";
    const jobs = state.jobs.filter((one) => one.name.includes(name) && (!query.get("status") || one.status === query.get("status")));
    return [200, { jobs, more: false }];
  }
  if (call === "POST requester/jobs") {
    if (state.jobs.some((one) => one.name === body.name)) return refuse(409, "AlreadyExists", `A job ${body.name} exists.`);
    if (body.description === "refuse the title") return refuse(400, "InvalidArgument", "'title' is not welcome: allowed is another");
    const made = job(body.name, "Initializing", 6, 0, 0, 0);
    state.jobs.unshift(made);
    return [201, { job: made }];
  }
  if ((found = match("(GET|POST) requester/jobs/([^/]+)(?:/(.*))?"))) {
    const one = state.jobs.find((candidate) => candidate.name === found[2]);
    if (!one) return refuse(404, "NotFound", `There is no job ${found[2]}.`);
    const rest = found[3] ?? "";
    if (rest === "") return [200, { job: one }];
    if (rest === "progress") {
      const answers = one.counters.total_labeled * 3;
      const series = Array.from({ length: 60 }, (_, i) => ({ time: ago((60 - i) * 30), answers: Math.round(answers * Math.min(1, (i / 59) ** 1.4)) }));
      return [200, { job: one, answers, answers_last_hour: 31, median_seconds_per_answer: 148, series: answers ? series : [] }];
    }
    if (rest === "categories") return [200, { labels }];
    if (rest === "template") return [200, { template: '<crowd-form>\n  <crowd-semantic-segmentation name="x" …>\n</crowd-form>' }];
    if (rest === "objects") return [200, objectsOf(one, query)];
    if (rest === "workers")
      return [200, { workers: state.accounts.map((person, i) => ({ worker_id: person.id, submitted: 190 - i * 20, declined: i, returned: 2, expired: 1, seconds_spent: 28000 - i * 900, reliability: [0.97, 0.93, null][i] })) }];
    if (rest === "stop") {
      one.status = "Stopped";
      return [200, { job: one }];
    }
    const width = Number(query.get("width") ?? 480);
    const picture = rest.match(/^objects\/(\d+)\/(photo|mask|disagreement|answers|answers\/a(\d)\/mask)$/);
    if (picture) {
      const seed = Number(picture[1]);
      if (picture[2] === "photo") return [200, photo(seed, Math.min(width, 640)), "image/png", { "X-Orientation": seed === 2 ? "6" : "1" }];
      if (picture[2] === "mask") return [200, mask(seed, Math.min(width, 640), 0.01), "image/png"];
      if (picture[2] === "disagreement") return [200, disagreement(seed, Math.min(width, 640)), "image/png"];
      if (picture[2] === "answers")
        return [200, { answers: seed < one.counters.total_labeled ? state.accounts.map((person, i) => ({ assignment_id: `a${i}`, worker_id: person.id, answer_uri: "s3://x", accepted: ago(60 + i), submitted: ago(57), withdrawn: i === 2 })) : [] }];
      return [200, mask(seed, Math.min(width, 640), Number(picture[3]) * 0.02), "image/png"];
    }
    if (["clone", "chain", "continue"].includes(rest)) {
      const made = job(body.new_name, "Initializing", 0, 0, 0, 0);
      state.jobs.unshift(made);
      return [201, { job: made }];
    }
    return [200, {}];
  }
  if (call === "GET requester/workteams") return [200, { workteams: state.teams }];
  if (call === "POST requester/workteams") {
    const team = { name: body.name, arn: arn(body.name), description: body.description, kind: "private", groups: body.groups ?? [body.name], members: [], in_use: false };
    state.teams.unshift(team);
    return [201, { workteam: team }];
  }
  if (call === "GET requester/people") return [200, { people: state.accounts }];
  if (call === "POST requester/invitations" || call === "POST invitations")
    return [201, { invitation: state.invitations[0], link: "https://label.example.org/_/join#kq3xExampleTokenExampleTokenExample" }];
  if (call === "GET accounts") return [200, { accounts: state.accounts }];
  if (call === "GET invitations") return [200, { invitations: state.invitations }];
  if (call === "GET vendors") return [200, { vendors: [{ name: "acme", arn: state.teams.find((t) => t.kind === "vendor").arn, title: "Acme Labeling", description: "", subscribed: true }] }];
  if (call === "GET keys") return [200, { keys: state.keys }];
  if (call === "POST keys") {
    const made = { access_key_id: "TKEXAMPLE000000002", scope: body.scope, name: body.name, created: ago(0) };
    state.keys.push(made);
    return [201, { ...made, secret_access_key: "exampleSecretExampleSecretExampleSecret" }];
  }
  return method === "GET" ? refuse(404, "NotFound", `the mock has no ${at}`) : [200, {}];
}

function read(request) {
  return new Promise((resolve) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => resolve(Buffer.concat(parts)));
  });
}

/** Listens on a free port unless one is given; gives {address, state, close}. */
export async function startMock(pages, port = 0) {
  const state = mockState();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://mock");
    const send = (status, body, type, headers = {}) => {
      response.writeHead(status, { "Content-Type": type, "X-Content-Type-Options": "nosniff", ...headers });
      response.end(body);
    };
    if (url.pathname.startsWith("/_/api/")) {
      const bytes = await read(request);
      const json = request.headers["content-type"] === "application/json";
      const sent = json && bytes.length ? JSON.parse(bytes) : bytes;
      const at = url.pathname.slice(7);
      if (request.method !== "GET") state.calls.push([`${request.method} ${at}`, sent]);
      const [status, body, type, headers] = answer(state, request.method, at, url.searchParams, sent);
      return type ? send(status, body, type, headers) : send(status, JSON.stringify(body), "application/json");
    }
    const name = url.pathname.startsWith("/_/assets/") ? url.pathname.slice(3)
      : url.pathname === "/_/frame" ? "frame.html"
      : /^(\/_)?\/(crowd-html-elements|frame)\.js$/.test(url.pathname) ? path.basename(url.pathname)
      : url.pathname.startsWith("/_/") ? "index.html" : null;
    const file = name ? await readFile(path.join(pages, name)).catch(() => null) : null;
    if (!file) return send(404, "not here", "text/plain");
    const policy = name === "frame.html" ? kFramePolicy : kPolicy;
    return send(200, file, kTypes[path.extname(name)] ?? "application/octet-stream", name.endsWith(".html") ? { "Content-Security-Policy": policy } : {});
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, state, close: () => server.close() };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const option = (name, otherwise) => {
    const at = process.argv.indexOf(name);
    return at > 0 ? process.argv[at + 1] : otherwise;
  };
  const { address } = await startMock(option("--pages", "dist"), Number(option("--port", 0)));
  console.log(`${address}/_/`);
}
