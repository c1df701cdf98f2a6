// The page: follows the stream of one database, asks for what the stream does not tell, and hands
// each report to its panel.

import { Refusal, address, ask, token } from "./api.js";
import { Chart } from "./charts.js";
import { showDeadlocks } from "./deadlocks.js";
import { byId, el, setText } from "./dom.js";
import { diagnose } from "./diagnose.js";
import { moment, rate, count, seconds, words } from "./format.js";
import { History } from "./history.js";
import { showMethods } from "./methods.js";
import * as panels from "./panels.js";
import { Stream } from "./stream.js";

/** What is asked for beside the stream, and how often, in milliseconds. */
const ASKED = {
  health: 5_000,
  deadlocks: 15_000,
  constraints: 10_000,
  tables: 60_000,
};

/** Which of it to ask for at once when something happened. */
const AFTER = {
  check_failed: ["health"],
  check_recovered: ["health"],
  alert_raised: ["health"],
  alert_escalated: ["health"],
  alert_cleared: ["health"],
  breaker: ["health"],
  deadlock_seen: ["deadlocks"],
};

/** Numbers that are older than this are shown to be old. */
const STALE_MS = 10_000;

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
    else if (name === "lagged") panels.note("info", "this page was too slow for some events");
    else if (data.event) this.#happened(data);
  }

  #happened(event) {
    panels.log(event);
    for (const section of AFTER[event.event] ?? []) this.#ask(section);
  }

  #snapshot(snapshot) {
    this.#heard = Date.now();
    Object.assign(this.#told, snapshot);
    const { metrics, pool, sessions, alerts, recent } = snapshot;
    this.#history.add(snapshot.at_unix_ms, metrics, pool, recent);
    if (metrics) showMethods(metrics);
    if (pool) panels.showPool(pool);
    if (sessions) panels.showSessions(sessions, pool);
    if (alerts) panels.showAlerts(alerts);
    this.#figures();
    this.#draw();
    this.#freshness();
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
    this.#freshness();
  }

  #freshness() {
    const age = Date.now() - this.#heard;
    const stale = this.#heard > 0 && age > STALE_MS;
    document.body.toggleAttribute("data-stale", stale || (this.#heard > 0 && this.#state === "reconnecting"));
    const link = byId("link");
    link.dataset.state = stale ? "reconnecting" : this.#state;
    const since = this.#heard > 0 ? `; the numbers are of ${moment(this.#heard)}` : "";
    const text = {
      connecting: "Connecting",
      live: stale ? `No news${since}` : "Live",
      reconnecting: `Reconnecting${since}`,
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
      this.#told.summary = report.summary;
      panels.showVerdict(report.summary);
      panels.showRecommendations(report.recommendations);
      title(report.summary);
    }
    if (section === "deadlocks") {
      this.#told.deadlocks = report;
      showDeadlocks(report);
    }
    if (section === "constraints") panels.showViolations(report);
    if (section === "tables") panels.showTables(report);
    this.#figures();
  }

  #failed(section, refused) {
    if (refused.status === 401 || refused.status === 403) signIn(refused);
    else if (section === "health") panels.showNoVerdict(refused.message);
  }
}

function title(summary) {
  setText(byId("name"), summary.database);
  document.title = `${summary.database}: ${summary.status}`;
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
  panels.clearLog();
  page = new Page(database);
}

function chosen() {
  return new URLSearchParams(location.search).get("database");
}

byId("access-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("token");
  token.set(input.value.trim());
  input.value = "";
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
