// Lines over time, drawn by uPlot, with a legend that also says the numbers.

import { el, setText } from "./dom.js";

/* global uPlot */

const HEIGHTS = { normal: 170, low: 110 };
const dark = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export class Chart {
  #host;
  #legend;
  #note;
  #canvas;
  #format;
  #series = [];
  #plot = null;
  #data = [[]];
  #queued = false;

  /** `format` writes a value; `name` says what is drawn, for those who do not see it. */
  constructor(host, name, format) {
    this.#host = host;
    this.#format = format;
    this.#legend = el("ul", { class: "legend" });
    this.#canvas = el("div", { class: "canvas", role: "img", "aria-label": `${name} over time; the latest values are listed above` });
    this.#note = el("p", { class: "empty" });
    host.append(this.#legend, this.#canvas, this.#note);
    new ResizeObserver(() => this.#queue()).observe(this.#canvas);
    dark.addEventListener("change", () => this.#rebuild());
  }

  /**
   * Draws `data` (times, then a column per series); a series is `{ label, colour, fill, dash }` with
   * the name of a colour of the style sheet. `nothing` is said where there is nothing to draw.
   */
  update(series, data, nothing) {
    const same = JSON.stringify(series) === JSON.stringify(this.#series);
    this.#series = series;
    this.#data = data;
    if (!same) this.#rebuild();
    const drawn = data.slice(1).some((column) => column.some((value) => value !== null));
    this.#canvas.hidden = !drawn;
    this.#legend.hidden = !drawn;
    this.#note.hidden = drawn;
    setText(this.#note, drawn ? "" : nothing);
    this.#values();
    this.#queue();
  }

  /** Forgets what is drawn. */
  clear() {
    this.update([], [[]], "");
  }

  #values() {
    this.#series.forEach((_, n) => {
      const column = this.#data[n + 1] ?? [];
      setText(this.#legend.children[n].lastChild, this.#format(column.at(-1)));
    });
  }

  #queue() {
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame(() => {
      this.#queued = false;
      this.#draw();
    });
  }

  #draw() {
    const width = this.#canvas.clientWidth;
    if (this.#canvas.hidden || width === 0 || this.#series.length === 0) return;
    if (!this.#plot) {
      this.#plot = new uPlot(this.#options(width), this.#data, this.#canvas);
      return;
    }
    if (this.#plot.width !== width) this.#plot.setSize({ width, height: this.#height() });
    this.#plot.setData(this.#data);
  }

  #height() {
    return this.#host.classList.contains("low") ? HEIGHTS.low : HEIGHTS.normal;
  }

  #rebuild() {
    this.#plot?.destroy();
    this.#plot = null;
    this.#legend.replaceChildren(...this.#series.map((one) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("background", `var(${one.colour})`);
      return el("li", {}, swatch, `${one.label} `, el("b", {}));
    }));
    this.#values();
    this.#queue();
  }

  #options(width) {
    const axis = {
      stroke: colour("--muted"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width,
      height: this.#height(),
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 8, 0, 0],
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, this.#host.classList.contains("low") ? 2 : 1e-4)] } },
      axes: [
        { ...axis, grid: { show: false }, size: 24, space: 70, values: [[3600, "{HH}:{mm}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
        { ...axis, size: 58, space: 34, values: (_, ticks) => ticks.map((tick) => this.#format(tick)) },
      ],
      series: [{}, ...this.#series.map((one) => ({
        stroke: colour(one.colour),
        width: 1.5,
        dash: one.dash,
        fill: one.fill ? colour(`${one.colour}-soft`) : undefined,
        points: { show: false },
      }))],
    };
  }
}
