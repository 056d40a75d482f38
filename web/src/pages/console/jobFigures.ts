// Figures made of a job's counters.
import type { Job } from "../../api/facts";

/** Seconds until the last answer at the speed of the last hour (`answersLastHour`); null while that cannot be said. */
export function secondsLeft(job: Job, answers: number, answersLastHour: number): number | null {
  const wanted = job.objects * job.spec.workers_per_object;
  const left = wanted - answers;
  if (left <= 0) return 0;
  return answersLastHour > 0 ? (left * 3600) / answersLastHour : null;
}
