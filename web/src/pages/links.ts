// Which pages there are for whom.
import type { Account } from "../api/client";

export type Access = "anyone" | "signed in" | "worker" | "requester" | "admin";

export interface Link {
  href: string;
  label: string;
}

const kLinks: (Link & { access: Access })[] = [
  { href: "/_/jobs", label: "Tasks", access: "worker" },
  { href: "/_/history", label: "History", access: "worker" },
  { href: "/_/console", label: "Console", access: "requester" },
  { href: "/_/console/training", label: "Training", access: "requester" },
  { href: "/_/console/models", label: "Models", access: "requester" },
  { href: "/_/console/endpoints", label: "Endpoints", access: "requester" },
  { href: "/_/console/teams", label: "Teams", access: "requester" },
  { href: "/_/console/people", label: "People", access: "admin" },
  { href: "/_/console/keys", label: "Keys", access: "admin" },
];

/** Whether the server lets the account use what has this access (docs/formats/worker-http.md). */
export function may(account: Pick<Account, "roles">, access: Access): boolean {
  if (access === "worker") return account.roles.includes("worker");
  if (access === "admin") return account.roles.includes("admin");
  if (access === "requester") return account.roles.includes("admin") || account.roles.includes("requester");
  return true;
}

/** What the header leads to, by role. */
export function linksOf(account: Pick<Account, "roles">): Link[] {
  return kLinks.filter((link) => may(account, link.access)).map(({ href, label }) => ({ href, label }));
}

// Pages of a link that do not lie below it: nothing below it may have their name.
const kBeside: Record<string, string> = { "/_/console/training": "/_/console/new-training", "/_/console/endpoints": "/_/console/compare" };

/** Whether the page at `path` is one of those that the link stands for. */
export function isHere(href: string, path: string): boolean {
  if (href === "/_/jobs") return path === "/_/" || path === "/_/jobs";
  if (href === "/_/console") return /^\/_\/console(\/new|\/jobs\/.*)?$/.test(path);
  return path === href || path.startsWith(`${href}/`) || path === kBeside[href];
}
