// What a password must be; the server has the last word.

/** Why `password` will not do for `name`, or "". */
export function passwordProblem(password: string, name: string): string {
  const bytes = new TextEncoder().encode(password).length;
  if (bytes < 10) return "At least 10 characters.";
  if (bytes > 256) return "At most 256 bytes.";
  if (password.toLowerCase() === name.toLowerCase()) return "The password must not be the name.";
  if (new Set(password).size === 1) return "Not one character again and again.";
  return "";
}
