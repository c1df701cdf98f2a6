// Who fights whom over which table: methods on the left, fights on the right, a line from each
// method to its fights. All of it is said in words below the picture too.

import { byId, clear, el, empty, mark, method, show, svg, table } from "./dom.js";
import { count, moment, plural } from "./format.js";

/** The most fights that are drawn, and that are listed. */
const DRAWN = 8;
const LISTED = 20;
const ROW = 46;
const BOX = 32;

/** `?` is how the server's report calls a session that is not of this process. */
function methodName(name) {
  return name === "?" ? "another program" : name;
}

function over(pair) {
  return pair.tables.length === 0 ? "an unknown table" : pair.tables.join(" and ");
}

function sentence(pair) {
  const [first, second] = pair.methods.map(methodName);
  const who = first === second ? `${first} with itself` : `${first} and ${second}`;
  return `${who}, over ${over(pair)}: ${plural(pair.count, "time")}, ${count(pair.last_hour)} within the last hour`;
}

/** Cuts a text to what fits into `width` pixels of small type. */
function fitted(text, width) {
  const most = Math.max(6, Math.floor(width / 7.2));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function picture(pairs, width) {
  const names = [...new Set(pairs.flatMap((pair) => pair.methods))];
  const left = Math.round(width * 0.44);
  const right = Math.round(width * 0.64);
  const rows = Math.max(names.length, pairs.length);
  const height = rows * ROW;
  // Both columns are spread over the same height.
  const middle = (n, of) => ((n + 0.5) * height) / of;
  const most = Math.max(...pairs.map((pair) => pair.count));
  const lines = pairs.flatMap((pair, p) => {
    const to = middle(p, pairs.length);
    const thick = 1.5 + 4.5 * (pair.count / most);
    return pair.methods.map((name, side) => {
      const from = middle(names.indexOf(name), names.length);
      const apart = side === 0 ? -5 : 5;
      const bend = (right - left) / 2;
      return svg("path", {
        class: "fight", "data-level": pair.severity, "stroke-width": thick.toFixed(1),
        d: `M${left} ${from + apart} C${left + bend} ${from + apart} ${right - bend} ${to + apart} ${right} ${to + apart}`,
      });
    });
  });
  const box = (x, y, wide, kind, first, second, data) => svg("g", { class: kind, ...data },
    svg("title", {}, `${first}, ${second}`),
    svg("rect", { x, y: y - BOX / 2, width: wide, height: BOX, rx: 4 }),
    svg("text", { x: x + 9, y: y - 2 }, fitted(first, wide - 16)),
    svg("text", { x: x + 9, y: y + 11, class: "minor" }, fitted(second, wide - 16)));
  const methods = names.map((name, n) => {
    const fights = pairs.filter((pair) => pair.methods.includes(name));
    const times = fights.reduce((sum, pair) => sum + pair.count, 0);
    return box(0.5, middle(n, names.length), left - 1, "method", methodName(name),
      plural(times, "deadlock"), { "data-method": name });
  });
  const fights = pairs.map((pair, p) => box(right, middle(p, pairs.length), width - right - 0.5, "over",
    over(pair), `${count(pair.count)} × · ${pair.severity}`,
    { "data-tables": pair.tables.join(","), "data-level": pair.severity }));
  return svg("svg", {
    role: "img", "aria-label": `Which methods deadlock over which table: ${pairs.map(sentence).join("; ")}`,
    viewBox: `0 0 ${width} ${height}`, width, height,
  }, lines, methods, fights);
}

let last = null;

/** Shows a report on deadlocks; draws the last one again if there is none, as the width changed. */
export function showDeadlocks(report = last) {
  last = report;
  if (!report) return;
  const width = byId("deadlocks-graph").clientWidth;
  const pairs = report.pairs.slice(0, DRAWN);
  show(byId("deadlocks-graph"), { pairs, width }, () => (pairs.length > 0 && width > 0 ? picture(pairs, width) : null));
  show(byId("deadlocks-text"), report, () => {
    if (report.total === 0) return empty("No deadlock so far. Where one is seen, this shows which methods fought over which table.");
    return [
      el("p", {}, mark(report.severity), ` ${plural(report.total, "deadlock")} so far, ${count(report.last_hour)} within the last hour.`),
      report.pairs.length > 0 ? el("ul", { class: "plain" }, report.pairs.slice(0, LISTED).map((pair) => el("li", {}, sentence(pair)))) : null,
      report.pairs.length > LISTED ? el("p", { class: "hint" }, `and ${plural(report.pairs.length - LISTED, "rarer pair")}`) : null,
      report.advice.length > 0 ? el("ul", { class: "advice" }, report.advice.slice(0, DRAWN).map((advice) => el("li", {}, advice.text))) : null,
      lately(report.last),
    ];
  });
}

/** Forgets the last report. */
export function clearDeadlocks() {
  last = null;
  clear(byId("deadlocks-graph"));
  clear(byId("deadlocks-text"));
}

const COLUMNS = [
  { title: "Method", cell: (one) => method(one.method ?? "another program") },
  { title: "Waited for", cell: (one) => waitedFor(one.waits_for) },
  { title: "Statement", cell: (one) => el("code", {}, one.statement ?? "not told by the server") },
  { title: "Ended", cell: (one) => (one.victim ? mark("warning", "rolled back") : "went on") },
];

function waitedFor(lock) {
  if (!lock) return "not known";
  const where = [lock.table, lock.index].filter(Boolean).join(", ");
  return where ? `${where} (${lock.mode})` : lock.mode;
}

function lately(deadlocks) {
  const newest = deadlocks[0];
  if (!newest) return null;
  const participants = table(`Participants of the deadlock at ${moment(newest.at_unix_ms)}`, COLUMNS, newest.participants);
  return [el("h3", {}, `The last one, at ${moment(newest.at_unix_ms)}`), participants];
}

new ResizeObserver(() => showDeadlocks()).observe(byId("deadlocks-graph"));
