// The page: follows the stream of one database, asks for what the stream does not tell, and hands
// each report to its panel.

import { Refusal, address, ask, token } from "./api.js";
import { Chart } from "./charts.js";
import { clearDeadlocks, showDeadlocks } from "./deadlocks.js";
import { byId, el, setText, show } from "./dom.js";
import { clearDiagnostics, diagnose } from "./diagnose.js";
import { count, moment, plural, rate, seconds, words } from "./format.js";
import { History } from "./history.js";
import { clearMethods, showMethods } from "./methods.js";
import * as panels from "./panels.js";
import { Stream } from "./stream.js";

/** What is asked for beside the stream, and how often, in milliseconds. */
const ASKED = {
  health: 10_000,
  deadlocks: 30_000,
  alerts: 30_000,
  constraints: 60_000,
  tables: 60_000,
};

/** Which of it to ask for at once when something happened. */
const AFTER = {
  check_failed: ["health"],
  check_recovered: ["health"],
  alert_raised: ["health", "alerts"],
  alert_escalated: ["health", "alerts"],
  alert_cleared: ["health", "alerts"],
  breaker: ["health"],
  deadlock_seen: ["deadlocks"],
};


const LINES = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];

const charts = {
  calls: new Chart(byId("chart-calls"), "Calls per second", rate),
  retries: new Chart(byId("chart-retries"), "Retries per second", rate),
  latency: new Chart(byId("chart-latency"), "Latency of statements", seconds),
  pool: new Chart(byId("chart-pool"), "Connections in use", count),
};

let page = null;

/** One database being shown, from its choice to the next one. */
class Page {
  #database;
  #stream;
  #timer;
  #history = new History();
  #told = {};
  #asked = {};
  #underWay = new Set();
  #heard = 0;
  #state = "connecting";
  #why = "";
  #stopped = false;

  constructor(database) {
    this.#database = database;
    this.#stream = new Stream(
      address("events", database),
      (name, text) => this.#hear(name, text),
      (state, refused) => this.#link(state, refused),
    );
    this.#stream.run();
    this.#timer = setInterval(() => this.#tick(), 1000);
    this.#tick();
  }

  get database() {
    return this.#database;
  }

  stop() {
    this.#stream.stop();
    clearInterval(this.#timer);
    this.#stopped = true;
  }

  hurry() {
    this.#stream.hurry();
    this.#asked = {};
    this.#tick();
  }

  #hear(name, text) {
    if (this.#stopped) return;
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      panels.note("warning", "the server sent an event that is no JSON");
      return;
    }
    if (name === "snapshot") this.#snapshot(data);
    else if (name === "lagged") panels.note("info", `this page was too slow for ${plural(data.missed, "event")}`);
    else if (name === "health") this.#happened(data);
  }

  #happened(event) {
    panels.log(event);
    for (const section of AFTER[event.event] ?? []) this.#ask(section);
  }

  #snapshot(snapshot) {
    this.#heard = Date.now();
    this.#history.add(snapshot.at_unix_ms, snapshot.methods, snapshot.pool, snapshot.statements_last_minute);
    if (snapshot.summary) this.#verdict(snapshot.summary);
    showMethods(snapshot.methods);
    panels.showPool(snapshot.pool);
    panels.showSessions(snapshot.sessions, snapshot.pool);
    panels.showAlerts(snapshot.alerts);
    this.#told.constraints = { ...this.#told.constraints, violations: snapshot.violations };
    panels.showViolations(this.#told.constraints);
    if (this.#told.deadlocks && this.#told.deadlocks.total !== snapshot.deadlocks) this.#ask("deadlocks");
    this.#figures();
    this.#draw();
    this.#freshness();
  }

  /** Reports and snapshots come in any order; the newest counts. */
  #verdict(summary) {
    if (summary.at_unix_ms < (this.#told.summary?.at_unix_ms ?? 0)) return;
    this.#told.summary = summary;
    panels.showVerdict(summary);
    title(this.#database ?? summary.database, summary.status);
  }

  #figures() {
    const { summary, deadlocks } = this.#told;
    panels.showFigures({ history: this.#history, summary, deadlocks });
  }

  #draw() {
    if (document.hidden) return;
    const { faults } = this.#history;
    charts.calls.update(
      [{ label: "calls", colour: "--c1", fill: true }, { label: "failed", colour: "--c2" }],
      this.#history.columns((p) => p.calls, (p) => p.failed),
      "The first calls appear here within seconds.",
    );
    charts.retries.update(
      faults.map((fault, n) => ({
        label: words(fault), colour: LINES[n % LINES.length], dash: n < LINES.length ? undefined : [4, 3],
      })),
      this.#history.columns(...faults.map((fault) => (p) => (p.byFault ? p.byFault[fault] ?? 0 : null))),
      "Nothing was retried so far.",
    );
    charts.latency.update(
      [{ label: "p50", colour: "--c4" }, { label: "p95", colour: "--c3" }, { label: "p99", colour: "--c2" }],
      this.#history.columns((p) => p.p50, (p) => p.p95, (p) => p.p99),
      "No statement within the last minute.",
    );
    charts.pool.update(
      [{ label: "in use", colour: "--c1", fill: true }, { label: "open", colour: "--c4" }, { label: "waiting", colour: "--c2" }],
      this.#history.columns((p) => p.inUse, (p) => p.open, (p) => p.waiting),
      "The pool's use appears here within seconds.",
    );
  }

  #link(state, refused) {
    if (this.#stopped) return;
    if (state === "refused") {
      signIn(refused);
      return;
    }
    if (state === "live" && this.#state === "reconnecting") {
      panels.note("info", "connected to the server again");
      this.#asked = {};
    }
    if (state === "reconnecting" && this.#state === "live") panels.note("warning", "the connection to the server ended");
    this.#state = state;
    this.#why = refused ? `; ${refused.message}` : "";
    this.#freshness();
    if (state === "live" || refused?.status === 404) listDatabases(this.#database);
    if (state === "reconnecting") this.#ask("health");
  }

  #freshness() {
    const age = Date.now() - this.#heard;
    const stale = this.#heard > 0 && age > this.#history.gap;
    document.body.toggleAttribute("data-stale", stale || (this.#heard > 0 && this.#state === "reconnecting"));
    const link = byId("link");
    link.dataset.state = stale ? "reconnecting" : this.#state;
    const since = this.#heard > 0 ? `; the numbers are of ${moment(this.#heard)}` : "";
    const text = {
      connecting: "Connecting",
      live: stale ? `No news${since}` : "Live",
      reconnecting: `Reconnecting${since}${this.#why}`,
    };
    setText(link, text[this.#state] ?? "");
  }

  #tick() {
    this.#freshness();
    if (document.hidden) return;
    for (const [section, every] of Object.entries(ASKED)) {
      if (Date.now() - (this.#asked[section] ?? 0) >= every) this.#ask(section);
    }
  }

  async #ask(section) {
    if (this.#underWay.has(section)) return;
    this.#underWay.add(section);
    this.#asked[section] = Date.now();
    try {
      const report = await ask(section, { database: this.#database });
      if (!this.#stopped) this.#show(section, report);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (!this.#stopped) this.#failed(section, error);
    } finally {
      this.#underWay.delete(section);
    }
  }

  #show(section, report) {
    if (section === "health") {
      this.#verdict(report.summary);
      panels.showRecommendations(report.recommendations);
    }
    if (section === "deadlocks") {
      this.#told.deadlocks = report;
      showDeadlocks(report);
    }
    if (section === "alerts") panels.showPastAlerts(report.history);
    if (section === "constraints") {
      this.#told.constraints = report;
      panels.showViolations(report);
    }
    if (section === "tables") panels.showTables(report);
    this.#figures();
  }

  #failed(section, refused) {
    if (refused.status === 401 || refused.status === 403) signIn(refused);
    else if (section === "health") panels.showNoVerdict(refused.message);
  }
}

function title(name, status) {
  setText(byId("name"), name);
  document.title = `${name}: ${status}`;
}

/** Offers the databases there are, if there is a choice. */
async function listDatabases(shown) {
  let names;
  try {
    names = (await ask("databases", { of: "admin" })).databases.map((one) => one.name);
  } catch (error) {
    // The stream says it if the server is gone.
    if (!(error instanceof Refusal)) throw error;
    return;
  }
  // Another one may have been chosen meanwhile.
  if (page?.database !== shown) return;
  const select = byId("database");
  const all = shown && !names.includes(shown) ? [shown, ...names] : names;
  byId("switch").hidden = all.length < 2;
  show(select, all, () => all.map((name) => el("option", { value: name }, name)));
  select.value = shown ?? names[0] ?? "";
}

/** Stops, and asks for a token. */
function signIn(refused) {
  page?.stop();
  page = null;
  const had = token.get() !== null;
  token.set(null);
  setText(byId("access-why"), refused.status === 403
    ? `This token may not read these numbers. ${refused.message}`
    : had ? "The server does not accept this token (any more)." : "These numbers are only shown to those who have a token for them.");
  byId("access").hidden = false;
  document.body.dataset.access = "none";
  byId("forget").hidden = true;
  byId("link").dataset.state = "refused";
  setText(byId("link"), "Not signed in");
  byId("token").focus();
}

function start(database) {
  page?.stop();
  byId("access").hidden = true;
  delete document.body.dataset.access;
  byId("forget").hidden = token.get() === null;
  for (const chart of Object.values(charts)) chart.clear();
  // Nothing of one database may stand under the name of another.
  panels.clearPanels();
  clearMethods();
  clearDeadlocks();
  clearDiagnostics();
  setText(byId("name"), database ?? "Database");
  document.title = database ?? "Database";
  page = new Page(database);
}

function chosen() {
  return new URLSearchParams(location.search).get("database");
}

byId("access-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("token");
  const value = input.value.trim();
  input.value = "";
  if (!token.allowed(value)) {
    setText(byId("access-why"), "A token has only printable ASCII characters; this one has others, or none at all.");
    input.focus();
    return;
  }
  token.set(value);
  start(chosen());
});

byId("forget").addEventListener("click", () => {
  token.set(null);
  location.reload();
});

byId("database").addEventListener("change", (event) => {
  const url = new URL(location.href);
  url.searchParams.set("database", event.target.value);
  history.replaceState(null, "", url);
  start(event.target.value);
});

byId("diagnose").addEventListener("click", () => diagnose(page?.database ?? null, signIn));

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) page?.hurry();
});
addEventListener("online", () => page?.hurry());

start(chosen());
