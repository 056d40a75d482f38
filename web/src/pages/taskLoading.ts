// A task with all it shows: content, rendered template, photos. Also loaded ahead, so that the next one is there at once.
import type { FrameFile } from "../bridge/protocol";
import { client } from "../api/client";
import type { Assignment } from "../api/facts";
import type { Assistance } from "../model/prompt";
import { renderTemplate } from "../template/template";

export interface TaskContent {
  assignment: Assignment;
  title: string;
  description: string;
  task_input: unknown;
  template: string;
  labels: string[];
  colors: string[];
  voids?: boolean[];
  images: Record<string, string | null>;
  draft: { owner: string; next_sequence: number };
  assistance: Assistance | null;
}

export interface LoadedTask {
  content: TaskContent;
  html: string;
  files: FrameFile[];
  problems: string[];
}

/** Loads a task; fails with ApiError or TemplateError. */
export async function loadTask(id: string): Promise<LoadedTask> {
  const content = await client.get<TaskContent>(`assignments/${encodeURIComponent(id)}/content`);
  const rendered = await renderTemplate({ template: content.template, taskInput: content.task_input, images: content.images });
  const files = await Promise.all(
    rendered.files.map(async ({ placeholder, uri }) => ({ placeholder, uri, content: await client.blob(content.images[uri]!) })),
  );
  return { content, html: rendered.html, files, problems: rendered.problems };
}

// The one task that is loaded ahead.
let ahead: { id: string; job: string; mine: boolean; since: number; staleMs: number; task: Promise<LoadedTask> } | null = null;
// How often a worker left with nothing to be kept ahead.
let departures = 0;
/** A lease that was taken so long before, or a quarter of its time, is given back for a fresh one: the photo's time counts from when it is seen. */
const kStaleMs = 60_000;

// The whole time of a lease, ms.
const timeOf = (lease: Assignment): number => Date.parse(lease.deadline) - Date.parse(lease.accepted);

/** The worker's lease in `job` beside `current`, a new one if there is none; with its photo. Null: nothing more to do. */
export async function prefetch(job: string, current: string): Promise<string | null> {
  if (ahead?.job === job && ahead.id !== current) return ahead.id;
  const begun = departures;
  const left = (): boolean => departures !== begun;
  const { assignments } = await client.get<{ assignments: Assignment[] }>("assignments", { limit: 50 });
  if (left()) return null;
  const held = assignments.find((one) => one.state === "leased" && one.job_name === job && one.id !== current);
  const next = held ?? (await client.post<{ assignment: Assignment | null }>("assignments", { job, prefetch: true })).assignment;
  if (!next) return null;
  if (left()) {
    if (!held) client.postAndLeave(`assignments/${encodeURIComponent(next.id)}/return`);
    return null;
  }
  const task = loadTask(next.id);
  task.catch(() => undefined); // told to who takes it
  // One that was held before may be open in another tab: it is not this page's to give back.
  ahead = { id: next.id, job, mine: !held, since: performance.now(), staleMs: Math.min(kStaleMs, timeOf(next) / 4), task };
  return next.id;
}

/** The task of this assignment, from what was loaded ahead if it is that; what it was leased for then counts again. */
export async function takeTask(id: string): Promise<LoadedTask> {
  const found = ahead?.id === id ? ahead.task : null;
  if (found) ahead = null;
  try {
    if (found) {
      const task = await found;
      const { assignment } = await client.get<{ assignment: Assignment }>(`assignments/${encodeURIComponent(id)}`);
      return { ...task, content: { ...task.content, assignment } };
    }
  } catch {
    // Loaded anew.
  }
  return await loadTask(id);
}

/** The worker's next task in `job`: what was loaded ahead, unless its time has been running for long. Null: nothing to do now. */
export async function nextTask(job: string): Promise<Assignment | null> {
  if (ahead?.job === job && ahead.mine && performance.now() - ahead.since > ahead.staleMs) {
    const { id } = ahead;
    ahead = null;
    await client.post(`assignments/${encodeURIComponent(id)}/return`).catch(() => undefined); // then it is simply next
  }
  return (await client.post<{ assignment: Assignment | null }>("assignments", { job })).assignment;
}

/** Gives back what was loaded ahead, when the worker leaves; also while the page is being closed. */
export function dropPrefetched(): void {
  ++departures;
  const dropped = ahead;
  ahead = null;
  if (dropped?.mine) client.postAndLeave(`assignments/${encodeURIComponent(dropped.id)}/return`);
}
