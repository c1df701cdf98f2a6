// Copies what the page uses of its dependencies out of node_modules: `npm ci && npm run vendor`.
// The copies are part of the repository, so that the crate builds without npm.
import { copyFile, mkdir } from "node:fs/promises";

const from = new URL("./node_modules/uplot/", import.meta.url);
const to = new URL("./vendor/", import.meta.url);

await mkdir(to, { recursive: true });
await copyFile(new URL("dist/uPlot.iife.min.js", from), new URL("uPlot.iife.min.js", to));
await copyFile(new URL("dist/uPlot.min.css", from), new URL("uPlot.min.css", to));
await copyFile(new URL("LICENSE", from), new URL("uPlot.LICENSE", to));
