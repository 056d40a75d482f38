// The HTTP interface without a browser (docs/formats/worker-http.md): to bring about what a page is then looked at with.

/** One person's session. */
export class Caller {
  constructor(url) {
    this.url = url;
  }

  /** Takes an invitation or signs in: `route` gives a session. */
  async enter(route, body) {
    const answer = await this.send("POST", route, body);
    this.cookie = answer.headers.getSetCookie().find((one) => one.includes("terrapin-session=")).split(";")[0];
    const session = await answer.json();
    this.csrf = session.csrf;
    this.account = session.account;
    return this;
  }

  /** The answer of a success; else an Error with the answer's `status`. */
  async send(method, route, body, type = "application/json") {
    const headers = { "Content-Type": type, ...(this.cookie ? { Cookie: this.cookie, "X-CSRF-Token": this.csrf } : {}) };
    const content = body === undefined ? undefined : Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const answer = await fetch(`${this.url}/_/api/${route}`, { method, headers: content ? headers : { Cookie: headers.Cookie ?? "" }, body: content });
    if (!answer.ok) throw Object.assign(new Error(`${method} ${route}: ${answer.status} ${await answer.text()}`), { status: answer.status });
    return answer;
  }
  async get(route) {
    return (await this.send("GET", route)).json();
  }
  async post(route, body = {}) {
    return (await this.send("POST", route, body)).json();
  }
  async put(route, body) {
    return (await this.send("PUT", route, body)).json();
  }

  /** The session for a browser's context. */
  browserCookie() {
    const [name, value] = this.cookie.split(/=(.*)/s);
    return { name, value, url: this.url };
  }
}
