// Elements are made here and nowhere else. Whatever comes from the server becomes a text node or
// an attribute; nothing is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element. Children are nodes, texts, or lists of them; empty ones are left out. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a part of an SVG picture. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

/** Sets a text only if it is another one, so that nobody hears it twice. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const shown = new WeakMap();

/**
 * Puts what `make` returns into a node, if `data` is not what was shown there last: what does not
 * change keeps its selection and focus.
 */
export function show(node, data, make) {
  const key = JSON.stringify(data);
  if (shown.get(node) === key) return;
  shown.set(node, key);
  node.replaceChildren(...[make(data)].flat(Infinity).filter(Boolean));
}

/** Takes away what is shown in a node. */
export function clear(node) {
  shown.delete(node);
  node.replaceChildren();
}

/** A sentence where there is nothing to list. */
export function empty(text) {
  return el("p", { class: "empty" }, text);
}

/**
 * A table whose rows become blocks on a narrow screen, where each cell carries its column's name.
 * A column is `{ title, cell(row), number, key }`; `cell` returns texts or nodes.
 */
export function table(caption, columns, rows, attributesOf = () => ({})) {
  // Laid out as blocks, a table is one only by its roles.
  const head = columns.map((column) => el("th", {
    role: "columnheader", scope: "col", class: column.number ? "number" : null,
  }, column.title));
  const body = rows.map((row) => el("tr", { role: "row", ...attributesOf(row) },
    columns.map((column) => cell(column, row))));
  return el("table", { role: "table" },
    el("caption", { class: "unseen" }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
    el("tbody", { role: "rowgroup" }, body));
}

/** One cell of such a table. */
export function cell(column, row) {
  const content = [column.cell(row)].flat();
  return el("td", {
    role: "cell", class: column.number ? "number" : null, "data-label": column.title,
  }, el("span", {}, content));
}

/** A method's name, which is broken between its parts if it has to be. */
export function method(name) {
  return String(name).split(/(?<=::)/).flatMap((part, n) => (n === 0 ? [part] : [el("wbr"), part]));
}

/** A word that says how bad something is, in its colour. */
export function mark(level, text = level) {
  return el("span", { class: "mark", "data-level": level }, text);
}
