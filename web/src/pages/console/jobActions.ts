// What can be done with a job as a whole.
import { client } from "../../api/client";
import { hasEnded, part, type Job } from "../../api/facts";
import { ask } from "../../ui/dialog";
import type { MenuItem } from "../../ui/menu";
import { toast } from "../../ui/toast";
import { navigate } from "../navigation";
import { nextName } from "./jobDraft";
import { kNameHint } from "./names";

export async function stopJob(job: Job, done: () => void): Promise<void> {
  await ask({
    heading: `Stop ${job.name}?`,
    text: "Nobody gets its tasks any more. What is labelled stays, and its manifest is finished; the rest can be continued in a new job.",
    action: "Stop the job",
    danger: true,
    perform: async () => {
      await client.post(`requester/jobs/${part(job.name)}/stop`);
      toast("The job is being stopped.");
      done();
    },
  });
}

async function follow(job: Job, way: "clone" | "chain" | "continue", heading: string, text: string): Promise<void> {
  await ask({
    heading,
    text,
    input: { label: "Name of the new job", value: nextName(job.name), hint: kNameHint },
    action: "Make the job",
    perform: async (name) => {
      const made = await client.post<{ job: Job }>(`requester/jobs/${part(job.name)}/${way}`, { new_name: name });
      navigate(`/_/console/jobs/${part(made.job.name)}`);
    },
  });
}

export function jobActions(job: Job): MenuItem[] {
  const items: MenuItem[] = [
    {
      label: "Clone …",
      perform: () => void follow(job, "clone", `Clone ${job.name}`, "The same settings and photos, labelled anew."),
    },
  ];
  // Both begin with the manifest that the job left; one that failed early has none.
  if (!hasEnded(job.status) || job.output_dataset_uri === "") return items;
  items.push({
    label: "Chain …",
    perform: () =>
      void follow(job, "chain", `Chain to ${job.name}`, "A new job whose input is this job's output manifest."),
  });
  if (job.status !== "Completed" || job.counters.unlabeled > 0 || job.counters.failed_non_retryable > 0)
    items.push({
      label: "Continue …",
      perform: () =>
        void follow(job, "continue", `Continue ${job.name}`, "A new job for what this one left without a mask."),
    });
  return items;
}
