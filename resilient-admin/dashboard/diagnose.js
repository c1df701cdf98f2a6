// Diagnostics on request: they send statements, so the server wants more than a token to read, and
// not too often.

import { Refusal, ask } from "./api.js";
import { byId, clear, setText } from "./dom.js";
import { plural, seconds } from "./format.js";
import { showDiagnostics } from "./panels.js";

const PATIENCE_MS = 120_000;

function why(refused) {
  if (refused.status === 403) return `Not permitted: this token may read, but not run diagnostics. ${refused.message}`;
  if (refused.status === 429) {
    const later = refused.retryAfter === null ? "a moment" : plural(refused.retryAfter, "second");
    return `Too soon after the last ones: try again in ${later}.`;
  }
  return `The diagnostics could not be run. ${refused.message}`;
}

/** The run that is waited for. */
let awaited = null;

/** Hides the last ones. What is under way will not be shown: the page is about something else now. */
export function clearDiagnostics() {
  awaited = null;
  byId("diagnostics").hidden = true;
  byId("diagnostics-progress").hidden = true;
  byId("diagnose").disabled = false;
  setText(byId("diagnostics-state"), "");
  clear(byId("diagnostics-result"));
}

/** Runs them, and shows how that went. `unauthorised` is called where a token is missing. */
export async function diagnose(database, unauthorised) {
  const run = {};
  awaited = run;
  const button = byId("diagnose");
  const state = byId("diagnostics-state");
  byId("diagnostics").hidden = false;
  byId("diagnostics-progress").hidden = false;
  byId("diagnostics-title").focus();
  button.disabled = true;
  setText(state, "Looking at everything …");
  try {
    const done = await ask("diagnostics", { database, method: "POST", patience: PATIENCE_MS });
    if (awaited !== run) return;
    const all = done.complete ? "Everything was looked at" : "Not everything could be looked at";
    setText(state, `${all}, in ${seconds(done.took_seconds)}.`);
    showDiagnostics(done);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (awaited !== run) return;
    if (error.status === 401) unauthorised(error);
    else setText(state, why(error));
  } finally {
    if (awaited === run) {
      button.disabled = false;
      byId("diagnostics-progress").hidden = true;
    }
  }
}
