// Calls to the server's own interface (docs/formats/worker-http.md). Knows nothing of pages.

/** What the server said no with: `code` is stable, `message` is for people. `status` 0: the server was not reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export type Role = "admin" | "requester" | "worker";

export interface Account {
  id: string;
  name: string;
  display_name: string;
  roles: Role[];
  groups: string[];
  issuer: string;
  active: boolean;
  created: string;
}

export interface Session {
  account: Account;
  csrf: string;
  expires: string;
}

export type Query = Record<string, string | number | boolean | undefined>;

/** A path below `/_/api/` with its query; undefined members are left out. */
export function address(path: string, query: Query = {}): string {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) fields.set(name, String(value));
  const text = fields.toString();
  return `/_/api/${path}${text === "" ? "" : `?${text}`}`;
}

export class Client {
  private session: Session | null = null;
  /** Told when a call finds that nobody is signed in any more. */
  onSignedOut: (() => void) | null = null;

  get current(): Session | null {
    return this.session;
  }
  adopt(session: Session | null): void {
    this.session = session;
  }

  async get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return (await (await this.send("GET", address(path, query), undefined, signal)).json()) as T;
  }
  async blob(path: string, query: Query = {}, signal?: AbortSignal): Promise<Blob> {
    return await (await this.send("GET", path.startsWith("/") ? path : address(path, query), undefined, signal)).blob();
  }
  async post<T>(path: string, body: unknown = {}, signal?: AbortSignal): Promise<T> {
    return (await (await this.send("POST", address(path), body, signal)).json()) as T;
  }
  async put<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return (await (await this.send("PUT", address(path), body, signal)).json()) as T;
  }
  async delete<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await (await this.send("DELETE", address(path), {}, signal)).json()) as T;
  }

  /** Over when what `postAndLeave` sent last was answered, or never will be. */
  leaving: Promise<void> = Promise.resolve();

  /** Posts without waiting, also when the page is just being left; nothing tells whether it arrived. */
  postAndLeave(path: string, body: unknown = {}): void {
    if (!this.session) return;
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": this.session.csrf };
    const request: RequestInit = { method: "POST", headers, body: JSON.stringify(body), credentials: "same-origin", keepalive: true };
    this.leaving = fetch(address(path), request).then(
      () => undefined,
      () => undefined,
    );
  }

  /** Sends and gives back the answer of a success; throws ApiError otherwise. A Blob goes as it is, all else as JSON. */
  async send(method: string, target: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.session && method !== "GET") headers["X-CSRF-Token"] = this.session.csrf;
    const request: RequestInit = { method, headers, credentials: "same-origin", redirect: "error" };
    if (signal) request.signal = signal;
    if (body instanceof Blob) {
      headers["Content-Type"] = body.type || "application/octet-stream";
      request.body = body;
    } else if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(body);
    }
    let answer: Response;
    try {
      answer = await fetch(target, request);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, "Offline", "The server cannot be reached.");
    }
    if (answer.ok) return answer;
    const told = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
    const wait = Number(answer.headers.get("Retry-After"));
    const error = new ApiError(
      answer.status,
      told.code ?? "Internal",
      told.message ?? `The server answered ${answer.status}.`,
      wait > 0 ? wait : undefined,
    );
    if (answer.status === 401 && error.code === "NotSignedIn" && this.session) {
      this.session = null;
      this.onSignedOut?.();
    }
    throw error;
  }
}

export const client = new Client();
