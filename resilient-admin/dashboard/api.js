// Requests to the endpoints beside this page. Nothing else is ever asked.

const KEY = "resilient-admin-token";
const PATIENCE_MS = 15_000;

/** An answer that is no success, or none at all. */
export class Refusal extends Error {
  /** `status` is 0 where there was no answer; `retryAfter` is in seconds. */
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export const token = {
  // A browser may forbid the storage: then the token lives as long as the page.
  kept: null,
  /** Whether it can be sent in a header at all. */
  allowed(value) {
    return /^[\x20-\x7e]+$/.test(value);
  },
  get() {
    try {
      return sessionStorage.getItem(KEY) ?? this.kept;
    } catch {
      return this.kept;
    }
  },
  set(value) {
    this.kept = value;
    try {
      if (value === null) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, value);
    } catch {
      // Kept above.
    }
  },
};

/** The address of an endpoint, wherever the page is mounted. */
export function address(path, database, of = "admin/database") {
  const url = new URL(`${of}/${path}`, import.meta.url);
  if (database) url.searchParams.set("database", database);
  return url;
}

export function headers(accept) {
  const all = { Accept: accept };
  const value = token.get();
  if (value) all.Authorization = `Bearer ${value}`;
  return all;
}

/** What an answer that is no success says: the problem document's words, or its status. */
export async function refusal(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // No problem document: the status has to do.
  }
  const text = problem.detail ?? problem.title ?? `The server answered ${response.status}.`;
  const after = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Refusal(response.status, String(text), Number.isNaN(after) ? null : after);
}

/** The JSON of an endpoint. Throws a `Refusal`. */
export async function ask(path, { database = null, of, method = "GET", patience = PATIENCE_MS } = {}) {
  let response;
  try {
    response = await fetch(address(path, database, of), {
      method,
      headers: headers("application/json"),
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(patience),
    });
    if (response.ok) return await response.json();
  } catch (error) {
    const text = error.name === "TimeoutError"
      ? `The server did not answer within ${patience / 1000} s.`
      : "The server cannot be reached.";
    throw new Refusal(0, text);
  }
  throw await refusal(response);
}
