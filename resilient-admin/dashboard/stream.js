// Server-sent events over `fetch`: an `EventSource` cannot send a token.

import { headers, refusal } from "./api.js";

/** The longest event that is read, in characters. */
const LONGEST = 4_000_000;
/** Without a byte for so long the connection is given up; the server sends comments more often. */
const SILENCE_MS = 45_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

/** Takes a stream's text in any pieces, and calls `emit(event, data)` for each event in it. */
export class Parser {
  #rest = "";
  #event = "";
  #data = [];
  #size = 0;
  #emit;

  constructor(emit) {
    this.#emit = emit;
  }

  feed(text) {
    this.#rest += text;
    // A lone carriage return at the end may be half of a line's end.
    const whole = /\r\n|\n|\r(?!$)/g;
    let from = 0;
    for (let found = whole.exec(this.#rest); found; found = whole.exec(this.#rest)) {
      this.#line(this.#rest.slice(from, found.index));
      from = whole.lastIndex;
    }
    this.#rest = this.#rest.slice(from);
    if (this.#rest.length + this.#size > LONGEST) throw new Error("an event is too long");
  }

  #line(line) {
    if (line === "") {
      if (this.#data.length > 0) this.#emit(this.#event || "message", this.#data.join("\n"));
      this.#event = "";
      this.#data = [];
      this.#size = 0;
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    if (field === "data") {
      this.#data.push(value);
      this.#size += value.length;
    }
  }
}

/**
 * Follows an address for as long as it is wanted, and comes back after each end with a delay that
 * grows up to 15 s. Calls `onEvent(name, text)`, and `onState(state, refusal)` with `live`,
 * `reconnecting` or `refused`; after `refused` it has stopped.
 */
export class Stream {
  #url;
  #onEvent;
  #onState;
  #stopped = new AbortController();
  #failures = 0;
  #wake = null;

  constructor(url, onEvent, onState) {
    this.#url = url;
    this.#onEvent = onEvent;
    this.#onState = onState;
  }

  stop() {
    this.#stopped.abort();
    this.hurry();
  }

  /** Comes back now instead of later. */
  hurry() {
    this.#wake?.();
  }

  async run() {
    while (!this.#stopped.signal.aborted) {
      const refused = await this.#follow();
      if (this.#stopped.signal.aborted) return;
      if (refused && (refused.status === 401 || refused.status === 403)) {
        this.#onState("refused", refused);
        return;
      }
      this.#failures += 1;
      this.#onState("reconnecting", refused);
      await this.#delay();
    }
  }

  async #follow() {
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, this.#stopped.signal]);
    let watchdog = setTimeout(() => ended.abort(), SILENCE_MS);
    try {
      const response = await fetch(this.#url, {
        headers: headers("text/event-stream"), cache: "no-store", credentials: "same-origin", signal,
      });
      if (!response.ok) return await refusal(response);
      const parser = new Parser((name, text) => {
        this.#failures = 0;
        this.#onEvent(name, text);
      });
      this.#onState("live", null);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => ended.abort(), SILENCE_MS);
        parser.feed(part.value);
      }
    } catch {
      // Lost, silent, or too long: all the same to whoever comes back.
    } finally {
      clearTimeout(watchdog);
      ended.abort();
    }
    return null;
  }

  #delay() {
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(this.#failures, 10));
    // Many pages that lost one server do not come back together.
    const wait = longest / 2 + Math.random() * (longest / 2);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}
