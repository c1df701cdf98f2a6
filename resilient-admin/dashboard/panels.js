// The panels that are sentences, lists and tables; each takes a report and shows it.

import { byId, clear, el, empty, mark, method, setText, show, table } from "./dom.js";
import { count, milliseconds, moment, percent, plural, rate, seconds, words } from "./format.js";

const STATUS = {
  healthy: "Healthy",
  degraded: "Degraded",
  unhealthy: "Unhealthy",
  unreachable: "Not reachable",
};

/** The verdict, and why. `summary` is that of a health report. */
export function showVerdict(summary) {
  const status = byId("status");
  status.dataset.status = summary.status;
  setText(status, STATUS[summary.status] ?? words(summary.status));
  show(byId("reasons"), { reasons: summary.reasons, status: summary.status }, ({ reasons }) => (reasons.length === 0
    ? el("li", {}, "Nothing is known against it.")
    : reasons.map((reason) => el("li", {}, mark(reason.status, words(reason.area)), " ", reason.text))));
}

/** The same where there is no report at all. */
export function showNoVerdict(text) {
  showVerdict({ status: "unreachable", reasons: [{ status: "unhealthy", area: "connection", text }] });
}

/** The numbers beside the verdict. */
export function showFigures({ history, summary, deadlocks }) {
  const figures = [
    ["Calls", `${rate(history.lately("calls"))} /s`],
    ["Failed", `${rate(history.lately("failed"))} /s`],
    ["Retries", `${rate(history.lately("retries"))} /s`],
    ["p99", seconds(history.latest.p99)],
    ["Deadlocks", `${count(deadlocks?.last_hour)} /h`],
    ["Check took", seconds(summary?.response_time_seconds)],
    ["Breaker", summary?.breaker ? words(summary.breaker) : "none"],
  ];
  show(byId("figures"), figures, () => figures.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** The pool now: a bar of what is in use and open, and those who wait. */
export function showPool(pool) {
  show(byId("pool-gauge"), {
    in_use: pool.in_use, idle: pool.idle, most: pool.max_connections, waiting: pool.waiting,
    waited: pool.most_waiting, warning: pool.warning, failures: pool.acquire_failures, p99: pool.acquire.p99_seconds,
  }, (now) => {
    const used = el("span", { class: "used" });
    const idle = el("span", { class: "idle" });
    const share = (n) => `${now.most === 0 ? 0 : Math.min(100, (n / now.most) * 100)}%`;
    used.style.setProperty("width", share(now.in_use));
    idle.style.setProperty("width", share(now.idle));
    const full = now.most > 0 && now.in_use >= now.most;
    return [
      el("div", {
        class: "gauge", "data-full": full ? "yes" : "no", role: "meter", "aria-label": "Connections in use",
        "aria-valuemin": 0, "aria-valuemax": now.most, "aria-valuenow": now.in_use,
        "aria-valuetext": `${now.in_use} of ${now.most} in use`,
      }, used, idle),
      el("p", { class: "gauge-text" },
        el("b", {}, `${now.in_use} of ${now.most}`), " in use, ", `${now.idle} idle, `,
        el("span", { id: "waiting" }, now.waiting === 0 ? "nobody waits" : mark("warning", `${plural(now.waiting, "caller")} waiting`)),
        `. At most ${count(now.waited)} waited at a time, 99 of 100 for less than ${seconds(now.p99)}; ${count(now.failures)} found no connection.`),
      now.warning ? el("p", { class: "notice" }, now.warning) : null,
    ];
  });
}

const SESSIONS = [
  { title: "Method", cell: (one) => method(one.method ?? "begin()") },
  { title: "Open for", cell: (one) => seconds(one.age_seconds), number: true },
  { title: "Idle for", cell: (one) => seconds(one.idle_seconds), number: true },
  { title: "Statements", cell: (one) => count(one.statements), number: true },
  { title: "Server process", cell: (one) => one.server_pid ?? "–", number: true },
];

/** The most rows of a list that may be long. */
const MOST_ROWS = 20;

/** The open transactions, the oldest first, and what is held for too long. */
export function showSessions(sessions, pool) {
  const leaks = pool?.suspected_leaks ?? [];
  const long = sessions.open.filter((one) => one.age_seconds >= sessions.long_after_seconds);
  show(byId("leaks"), { leaks: leaks.map((one) => one.id), long: long.map((one) => one.id) }, () => [
    leaks.length > 0 ? el("div", { class: "notice", "data-level": "critical" },
      el("b", {}, `Suspected leak: ${plural(leaks.length, "connection")} held for too long`),
      el("ul", {}, leaks.slice(0, MOST_ROWS).map((one) => el("li", {},
        `Connection ${one.id}, taken by ${one.held_by ?? "code outside of a resilient method"}${one.server_pid ? `, server process ${one.server_pid}` : ""}, since ${moment(Date.now() - one.held_seconds * 1000)}.`)))) : null,
    long.length > 0 ? el("p", { class: "notice" },
      `${plural(long.length, "transaction")} open for longer than ${seconds(sessions.long_after_seconds)}; at ${seconds(sessions.timeout_seconds)} they are ended.`) : null,
  ]);
  const open = sessions.open.slice(0, MOST_ROWS);
  show(byId("sessions-table"), { open, more: sessions.open.length, warned: sessions.warned, ended: sessions.ended }, () => [
    open.length === 0
      ? empty("No transaction is open at the moment.")
      : table("Open transactions, the oldest first", SESSIONS, open,
        (one) => ({ class: one.age_seconds >= sessions.long_after_seconds ? "troubled" : null })),
    sessions.open.length > open.length ? el("p", { class: "hint" }, `and ${plural(sessions.open.length - open.length, "younger one")}`) : null,
    el("p", { class: "hint" }, `So far ${count(sessions.warned)} warned of, ${count(sessions.ended)} ended for their age.`),
  ]);
}

const VIOLATIONS = [
  { title: "What people are told", cell: (one) => [one.message, one.declared ? null : el("span", { class: "hint" }, " (default text)")] },
  { title: "Code", cell: (one) => el("code", {}, one.code) },
  { title: "Constraint", cell: (one) => `${words(one.kind)} on ${one.table ?? "?"}${one.columns.length > 0 ? ` (${one.columns.join(", ")})` : ""}${one.constraint ? `, ${one.constraint}` : ""}` },
  { title: "Times", cell: (one) => count(one.count), number: true },
];

/** What was violated, and how the declarations differ from the schema. */
export function showViolations(constraints) {
  show(byId("violations-table"), constraints, () => {
    const findings = (constraints.compared?.findings ?? []).filter((one) => one.drift !== "undeclared");
    return [
      constraints.violations.length === 0
        ? empty("No constraint was violated so far. Each appears here with the message that people are shown.")
        : table("Violated constraints, the most frequent first", VIOLATIONS, constraints.violations.slice(0, MOST_ROWS)),
      constraints.not_read ? el("p", { class: "notice" }, `The schema could not be read: ${constraints.not_read}`) : null,
      findings.length > 0 ? [el("h3", {}, "Declared otherwise than the schema has it"), el("ul", { class: "plain" }, findings.slice(0, MOST_ROWS).map((one) => el("li", {},
        mark("warning", words(one.drift)), ` ${one.table}: ${one.declared ? `${one.declared}: ` : ""}${one.help}`)))] : null,
    ];
  });
}

/** The alerts that stand. */
export function showAlerts(active) {
  show(byId("alerts-active"), active, () => (active.length === 0
    ? empty("No alert stands.")
    : el("ul", { class: "plain" }, active.map((one) => el("li", {},
      mark(one.severity), ` ${one.message}`, el("span", { class: "hint" }, ` since ${moment(one.since_unix_ms)}`))))));
}

/** The last ones that are over. */
export function showPastAlerts(history) {
  const over = history.filter((one) => one.cleared_unix_ms)
    .toSorted((a, b) => b.cleared_unix_ms - a.cleared_unix_ms).slice(0, MOST_ROWS);
  const line = (one) => el("li", {},
    `${one.message} `, el("span", { class: "hint" }, `${moment(one.since_unix_ms)} to ${moment(one.cleared_unix_ms)}`));
  const open = byId("alerts-history").querySelector("details")?.open;
  show(byId("alerts-history"), over, () => (over.length === 0 ? null : el("details", { open },
    el("summary", {}, `${plural(over.length, "alert")} that ${over.length === 1 ? "is" : "are"} over`),
    el("ul", { class: "plain" }, over.map(line)))));
}

/** What to do, the most urgent first. */
export function recommendations(list) {
  return el("ul", { class: "plain" }, list.map((one) => el("li", {},
    mark(one.severity, words(one.area)), ` ${one.text}`,
    one.statement ? el("pre", { tabindex: "0" }, el("code", {}, one.statement)) : null)));
}

export function showRecommendations(list) {
  show(byId("recommendations-list"), list, () => (list.length === 0 ? empty("There is nothing to recommend.") : recommendations(list)));
}

const TABLES = [
  { title: "Table", cell: (one) => [one.schema ? `${one.schema}.${one.table}` : one.table] },
  { title: "Rows", cell: (one) => `${one.estimated ? "about " : ""}${count(one.total_rows)}`, number: true },
  { title: "Soft-deleted", cell: (one) => (one.soft_delete_column ? `${count(one.deleted_rows)} (${percent(one.deletion_ratio)})` : "–"), number: true },
  { title: "Missing indexes", cell: (one) => one.missing_indexes.map((index) => index.columns.join(", ")).join("; ") || "none" },
  { title: "State", cell: (one) => [mark(level(one.status), words(one.status)), one.reason ? ` ${one.reason}` : null] },
];

function level(status) {
  return { good: "good", fair: "warning", poor: "critical" }[status] ?? "info";
}

export function showTables(tables) {
  show(byId("tables-table"), tables, () => [
    tables.tables.length === 0
      ? empty("No table is watched. A table appears here once its entity is known to the health checks.")
      : table("Watched tables", TABLES, tables.tables),
    tables.not_read ? el("p", { class: "notice" }, `Not read: ${tables.not_read}`) : null,
  ]);
}

const PARTS = [
  { title: "Part", cell: (part) => part.name },
  { title: "Outcome", cell: (part) => mark({ good: "good", found: "warning", failed: "critical" }[part.outcome] ?? "info", words(part.outcome)) },
  { title: "In words", cell: (part) => part.text },
  { title: "Took", cell: (part) => seconds(part.took_seconds), number: true },
];

/** What diagnostics came to. */
export function showDiagnostics(done) {
  byId("diagnostics-result").replaceChildren(
    table("Parts of the diagnostics", PARTS, done.parts),
    el("h3", {}, "What to do"),
    done.recommendations.length === 0 ? empty("There is nothing to recommend.") : recommendations(done.recommendations),
  );
}

/** The most entries of the log. */
const MOST_LINES = 100;

function told(event) {
  switch (event.event) {
    case "check_failed": return ["critical", `the ${event.check} check failed: ${event.reason}`];
    case "check_recovered": return ["good", `the ${event.check} check is well again after ${milliseconds(event.down_ms)}`];
    case "monitor_failed": return ["warning", `the monitor: ${event.reason}`];
    case "alert_raised": return [event.alert.severity, event.alert.message];
    case "alert_escalated": return [event.alert.severity, `now critical: ${event.alert.message}`];
    case "alert_cleared": return ["good", `over: ${event.alert.message}`];
    case "breaker": return [event.state === "closed" ? "good" : "critical", `the circuit breaker is ${words(event.state)}${event.last_fault ? ` after ${words(event.last_fault)}` : ""}`];
    case "connection_replaced": return ["info", `connection ${event.connection} was replaced: ${event.reason}`];
    case "deadlock_seen": return ["warning", `deadlock of ${event.methods.join(" and ") || "unknown methods"}`];
    case "recovery": return [event.succeeded ? "good" : "critical", `recovery of ${event.subject} ${event.succeeded ? "worked" : "failed"} after ${plural(event.attempts, "attempt")}`];
    case "session_expired": return ["warning", `a transaction of ${event.method ?? "begin()"} is open for ${milliseconds(event.age_ms)}${event.ended ? " and was ended" : ""}`];
    default: return ["info", words(event.event)];
  }
}

/** What is said to those who do not see the page; the rest would be too much to listen to. */
const ANNOUNCED = new Set(["alert_raised", "alert_escalated", "check_failed", "check_recovered"]);

/** Adds something that happened to the log, the newest first. */
export function log(event, now = Date.now()) {
  const [severity, text] = told(event);
  if (ANNOUNCED.has(event.event)) setText(byId("announced"), `${severity}: ${text}`);
  note(severity, text, now);
}

/** The same for what is no event of a database. */
export function note(severity, text, now = Date.now()) {
  const list = byId("log-list");
  const line = el("li", {}, el("time", {}, moment(now)), mark(severity, severity), el("span", {}, text));
  list.querySelector(".empty")?.remove();
  list.prepend(line);
  while (list.children.length > MOST_LINES) list.lastChild.remove();
}

const PANELS = [
  "reasons", "figures", "pool-gauge", "violations-table", "tables-table", "leaks", "sessions-table",
  "alerts-active", "alerts-history", "recommendations-list",
];

/** Forgets all that was reported, and begins the log anew. */
export function clearPanels() {
  const status = byId("status");
  status.dataset.status = "unknown";
  setText(status, "Waiting for the first report");
  for (const id of PANELS) clear(byId(id));
  setText(byId("announced"), "");
  byId("log-list").replaceChildren(el("li", { class: "empty" }, "Nothing yet: alerts, deadlocks, failed checks and recoveries appear here as they happen."));
}
