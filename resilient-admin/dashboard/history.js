// What the charts draw: a point per snapshot, of the last 30 minutes and no more.

/** How long points are kept, in milliseconds. */
const KEPT_MS = 30 * 60_000;
/** The most points, however fast snapshots come. */
const MOST = 3600;
/** Without a snapshot for so long there is a gap in the lines. */
const GAP_MS = 10_000;

/** Counters of a registry's snapshot, added up over all methods. */
export function totals(metrics) {
  const sum = { calls: 0, failed: 0, retries: 0, byFault: {} };
  for (const method of Object.values(metrics?.methods ?? {})) {
    sum.calls += method.calls;
    sum.failed += method.failed;
    for (const [fault, n] of Object.entries(method.retries)) {
      sum.retries += n;
      sum.byFault[fault] = (sum.byFault[fault] ?? 0) + n;
    }
  }
  return sum;
}

export class History {
  /** The oldest first: `{ at, calls, failed, retries, byFault, p50, …, inUse, idle, waiting }`. */
  points = [];
  /** Every fault that led to a retry, in the order in which they were first seen. */
  faults = [];
  #last = null;

  /** Takes one snapshot; `at` is in milliseconds since 1970. */
  add(at, metrics, pool, recent) {
    const now = { at, ...totals(metrics) };
    const before = this.#last;
    if (before && at <= before.at) return;
    this.#last = now;
    for (const fault of Object.keys(now.byFault)) {
      if (!this.faults.includes(fault)) this.faults.push(fault);
    }
    const point = {
      at,
      p50: seconds(recent, "p50_ms"),
      p95: seconds(recent, "p95_ms"),
      p99: seconds(recent, "p99_ms"),
      inUse: pool?.in_use ?? null,
      open: pool?.open ?? null,
      waiting: pool?.waiting ?? null,
    };
    // Counters that went back are those of a new process.
    if (before && at - before.at <= GAP_MS && now.calls >= before.calls) {
      const elapsed = (at - before.at) / 1000;
      const since = (a, b) => Math.max(0, a - (b ?? 0)) / elapsed;
      point.calls = since(now.calls, before.calls);
      point.failed = since(now.failed, before.failed);
      point.retries = since(now.retries, before.retries);
      point.byFault = Object.fromEntries(Object.entries(now.byFault)
        .map(([fault, n]) => [fault, since(n, before.byFault[fault])]));
    } else if (before) {
      this.points.push({ at: at - 1 });
    }
    this.points.push(point);
    const oldest = at - KEPT_MS;
    let old = Math.max(0, this.points.length - MOST);
    while (old < this.points.length && this.points[old].at < oldest) old += 1;
    if (old > 0) this.points.splice(0, old);
  }

  /** The last point, or an empty one. */
  get latest() {
    return this.points.at(-1) ?? {};
  }

  /** The rate of a counter over the last ten seconds, which is calmer than the last point. */
  lately(name) {
    const since = (this.latest.at ?? 0) - 10_000;
    const known = this.points.filter((point) => point.at > since && typeof point[name] === "number");
    if (known.length === 0) return null;
    return known.reduce((sum, point) => sum + point[name], 0) / known.length;
  }

  /** Columns for a chart: times in seconds, then what each function finds in a point. */
  columns(...of) {
    const value = (find) => this.points.map((point) => find(point) ?? null);
    return [this.points.map((point) => point.at / 1000), ...of.map(value)];
  }
}

function seconds(recent, name) {
  return recent && recent.count > 0 ? recent[name] / 1000 : null;
}
