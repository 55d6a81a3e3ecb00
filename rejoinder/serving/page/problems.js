// What can go wrong between this page and the server, and how it is told.

export class Problem extends Error {
  /**
   * @param {string} kind one of LINES
   * @param {{detail?: string, wait?: number}} more what the server said; seconds until a retry makes sense
   */
  constructor(kind, { detail = "", wait = 0 } = {}) {
    super(detail || kind);
    Object.assign(this, { kind, detail, wait });
  }
}

const LINES = {
  unreachable: "The server cannot be reached. Your message is kept here.",
  silent: "The server stopped answering. Your message is kept here.",
  token: "This server asks for a token.",
  wrongToken: "The server did not accept this token.",
  busy: "The server has more to do than it can answer.",
  refused: "The server did not accept this message.",
  long: "This is too long for the server. Shorten it, or start a new conversation.",
  unready: "The server is not ready to answer.",
  broken: "The answer broke off before its end.",
  empty: "No reply came: nothing in this release fits what you wrote.",
  stopped: "Stopped.",
  unanswered: "This message has not been answered.",
  failed: "The server failed to answer.",
};
const KINDS = { 400: "refused", 401: "token", 413: "long", 422: "refused", 429: "busy", 502: "unready", 503: "unready", 504: "unready" };
const QUOTED = new Set(["refused", "failed", "long"]); // what the server said of the others adds nothing

/** The line for a person. */
export function lineOf(problem) {
  const quoted = QUOTED.has(problem.kind) && problem.detail;
  return quoted ? `${LINES[problem.kind]} It said: ${problem.detail}` : (LINES[problem.kind] ?? LINES.failed);
}

/** Seconds of a Retry-After header, which holds seconds or a date. */
export function waitOf(header, now = Date.now()) {
  if (!header) return 0;
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.min(3600, Math.ceil(seconds))) : 0;
}

/** The problem that an answer with an error status is. */
export async function problemOf(response, hadToken) {
  const body = await response.json().catch(() => null);
  const detail = typeof body?.error?.message === "string" ? body.error.message.slice(0, 400) : `status ${response.status}`;
  let kind = KINDS[response.status] ?? "failed";
  if (kind === "token" && hadToken) kind = "wrongToken";
  return new Problem(kind, { detail, wait: waitOf(response.headers.get("Retry-After")) });
}
