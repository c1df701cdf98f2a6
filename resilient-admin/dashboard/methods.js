// The table of methods, which can be put in another order by its columns' buttons.

import { byId, cell, clear, el, empty, setText } from "./dom.js";
import { count, percent, seconds, words } from "./format.js";

function sum(counts) {
  return Object.values(counts).reduce((all, n) => all + n, 0);
}

function byFault(counts) {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([fault, n]) => `${words(fault)} ${count(n)}`)
    .join(", ");
}

function ratio(part, all) {
  return all === 0 ? 0 : part / all;
}

const COLUMNS = [
  { title: "Method", key: (m) => m.name, cell: (m) => m.name, ascending: true },
  { title: "Retries", key: (m) => m.retried, cell: (m) => count(m.retried), number: true },
  { title: "Why", key: (m) => m.why, cell: (m) => m.why || "–", ascending: true },
  { title: "Calls", key: (m) => m.calls, cell: (m) => count(m.calls), number: true },
  { title: "Failed", key: (m) => m.failed, cell: (m) => failures(m), number: true },
  { title: "Unknown", key: (m) => m.unknown, cell: (m) => count(m.unknown), number: true },
  { title: "p50", key: (m) => m.latency.p50_seconds, cell: (m) => seconds(m.latency.p50_seconds), number: true },
  { title: "p99", key: (m) => m.latency.p99_seconds, cell: (m) => seconds(m.latency.p99_seconds), number: true },
  { title: "Waited", key: (m) => m.backoff_seconds, cell: (m) => seconds(m.backoff_seconds), number: true },
];

function failures(m) {
  return m.failed === 0 ? "0" : `${count(m.failed)} (${percent(ratio(m.failed, m.calls))})`;
}

let order = { column: 1, ascending: false };
let methods = [];
let parts = null;

function build() {
  const buttons = COLUMNS.map((column, n) => {
    const button = el("button", { type: "button", class: "sort" }, column.title, el("span", { class: "arrow", "aria-hidden": "true" }));
    button.addEventListener("click", () => {
      order = order.column === n
        ? { column: n, ascending: !order.ascending }
        : { column: n, ascending: column.ascending ?? false };
      draw();
    });
    return button;
  });
  const heads = COLUMNS.map((column, n) => el("th", {
    role: "columnheader", scope: "col", class: column.number ? "number" : null,
  }, buttons[n]));
  const body = el("tbody", { role: "rowgroup" });
  const whole = el("table", { role: "table", class: "sortable" },
    el("caption", { class: "unseen" }, "Methods; the buttons in the first row put them in order"),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)),
    body);
  return { whole, heads, body, rows: new Map() };
}

/** Shows what the calls of each method did. */
export function showMethods(snapshot) {
  methods = Object.entries(snapshot).map(([name, m]) => ({
    ...m, name, retried: sum(m.retries), why: byFault(m.retries), unknown: m.outcomes.unknown ?? 0,
  }));
  draw();
}

/** Forgets them; the order stays. */
export function clearMethods() {
  methods = [];
  parts = null;
  clear(byId("methods-table"));
}

function draw() {
  const host = byId("methods-table");
  if (methods.length === 0) {
    parts = null;
    host.replaceChildren(empty("No resilient method was called yet. Each appears here with its first call."));
    return;
  }
  if (!parts) {
    parts = build();
    host.replaceChildren(parts.whole);
  }
  const { key } = COLUMNS[order.column];
  const compare = (a, b) => (typeof key(a) === "string" ? key(a).localeCompare(key(b)) : key(a) - key(b));
  const sorted = methods.toSorted((a, b) => (order.ascending ? 1 : -1) * compare(a, b) || a.name.localeCompare(b.name));
  parts.heads.forEach((head, n) => {
    const here = n === order.column;
    head.setAttribute("aria-sort", here ? (order.ascending ? "ascending" : "descending") : "none");
  });
  // Rows stay the same elements, so that what is marked or being read stays where it is.
  const known = new Set(sorted.map((m) => m.name));
  for (const [name, row] of parts.rows) {
    if (!known.has(name)) {
      row.remove();
      parts.rows.delete(name);
    }
  }
  sorted.forEach((m, n) => {
    let row = parts.rows.get(m.name);
    if (!row) {
      row = el("tr", { role: "row", "data-method": m.name }, COLUMNS.map((column) => cell(column, m)));
      parts.rows.set(m.name, row);
    } else {
      COLUMNS.forEach((column, c) => setText(row.children[c].firstChild, column.cell(m)));
    }
    row.classList.toggle("troubled", m.unknown > 0);
    if (parts.body.children[n] !== row) parts.body.insertBefore(row, parts.body.children[n] ?? null);
  });
}
