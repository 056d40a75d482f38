// Names of jobs, endpoints and teams.

export const kNameHint = "Letters, digits and hyphens, at most 63.";
