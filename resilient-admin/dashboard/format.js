// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** What stands where nothing is known. */
export const NOTHING = "–";

function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}

export function count(value) {
  return known(value) ? whole.format(value) : NOTHING;
}

/** Something per second. */
export function rate(value) {
  if (!known(value)) return NOTHING;
  if (value === 0) return "0";
  if (value < 0.01) return "< 0.01";
  return value < 10 ? value.toFixed(value < 1 ? 2 : 1) : whole.format(value);
}

export function percent(ratio) {
  if (!known(ratio)) return NOTHING;
  const value = ratio * 100;
  return `${value !== 0 && value < 10 ? value.toFixed(1) : whole.format(value)} %`;
}

/** A time in the unit that fits it, from microseconds to days. */
export function seconds(value) {
  if (!known(value)) return NOTHING;
  if (value === 0) return "0";
  if (value < 0.001) return `${Math.max(1, Math.round(value * 1e6))} µs`;
  if (value < 1) return `${digits(value * 1000)} ms`;
  if (value < 60) return `${digits(value)} s`;
  if (value < 3600) return two(value, 60, "min", 1, "s");
  if (value < 86400) return two(value, 3600, "h", 60, "min");
  return two(value, 86400, "d", 3600, "h");
}

function two(value, large, largeName, small, smallName) {
  const rest = Math.floor((value % large) / small);
  const first = `${Math.floor(value / large)} ${largeName}`;
  return rest === 0 ? first : `${first} ${rest} ${smallName}`;
}

export function milliseconds(value) {
  return known(value) ? seconds(value / 1000) : NOTHING;
}

function digits(value) {
  return value < 10 ? value.toFixed(1).replace(/\.0$/, "") : whole.format(value);
}

/** The time of day of milliseconds since 1970, with the day if that is not today. */
export function moment(unixMs) {
  if (!known(unixMs)) return NOTHING;
  const at = new Date(unixMs);
  const time = at.toLocaleTimeString("en-GB");
  return at.toDateString() === new Date().toDateString()
    ? time
    : `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}

/** `lock_timeout` as words. */
export function words(name) {
  return String(name ?? "").replaceAll("_", " ");
}

/** `one deadlock`, `12 deadlocks`. */
export function plural(value, one, many = `${one}s`) {
  return value === 1 ? `1 ${one}` : `${count(value)} ${many}`;
}
