// Everything: some jobs, each on a service and a database of its own, a few at a time. BINARY is the program, PICTURES a
// folder for pictures, POSTGRES the URL of an empty database, THROWAWAY the program that starts another one, PROVIDER the
// script of an OpenID provider. FULL asks for each screen in all four looks, JOBS for so many at a time (2), ONLY for the
// jobs whose name it is a pattern of.
import fs from "node:fs";
import { start } from "./world.mjs";
import { complaints, count, launch, ok } from "./lib.mjs";
import { markup, reflow, screens } from "./accessibility.mjs";
import * as audit from "./audit.mjs";
import * as billing from "./billing.mjs";
import * as departures from "./departures.mjs";
import * as flows from "./flows.mjs";
import * as provider from "./provider.mjs";
import { roles } from "./roles.mjs";
import * as told from "./told.mjs";
import * as values from "./values.mjs";

const { BINARY, FULL, JOBS = "2", ONLY = ".", PICTURES, POSTGRES, PROVIDER, THROWAWAY } = process.env;
if (!BINARY || !POSTGRES || !PROVIDER || !THROWAWAY) throw new Error("BINARY, POSTGRES, PROVIDER and THROWAWAY have to be set: start scripts/browser-test.sh");
if (PICTURES) fs.mkdirSync(PICTURES, { recursive: true });
const full = Boolean(FULL);

// How long a part may take: half of what the whole may, on a machine that has other things to do.
const PATIENCE = 20 * 60_000;
const begun = Date.now();
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;
const part = async (name, run) => {
  const started = Date.now();
  let late;
  const patience = new Promise((_, reject) => { late = setTimeout(() => reject(new Error("it does not end")), PATIENCE); });
  try { await Promise.race([run(), patience]); } catch (e) { ok(false, `${name}: ${e.stack}`); }
  clearTimeout(late);
  console.log(`${seconds(begun).padStart(8)}  ${name}: ${seconds(started)}`);
};
const within = async (store, name, run) => {
  const world = await start(BINARY, store);
  try { await run(world, (what, go) => part(`${name}: ${what}`, go)); } finally { await world.stop(); }
};

const browser = await launch();
// What people do: with script and without, on both stores.
const people = (store, name) => within(store, name, async (world, part) => {
  for (const script of [true, false]) {
    const how = script ? "with script" : "without script";
    for (const [of, names] of [
      [flows, ["signing", "joining", "people", "keys", "workspace"]],
      [departures, ["leaving", "erasing"]],
      [values, ["variables", "imports", "secrets", "models", "digest"]],
      [told, ["notifications", "webhooks", "connections"]],
      [audit, ["auditing"]],
      [billing, ["portal"]],
    ]) for (const flow of names) await part(`${flow} ${how}`, () => of[flow](browser, world, script));
  }
  await part("keyboard", () => flows.keyboard(browser, world));
  await part("roles", () => roles(browser, world));
  await part("strangers", () => flows.strangers(world));
});
const provided = async (store, name) => {
  const there = await provider.start(BINARY, store, { provider: PROVIDER, postgres: THROWAWAY });
  try { for (const script of [true, false]) await part(`${name}: ${script ? "with" : "without"} script`, () => provider.flow(browser, there, script, PICTURES)); } finally { await there.stop(); }
};
// The longest first.
const jobs = [
  ["screens, even", () => within("sqlite", "screens, even", (world) => screens(browser, world, { pictures: PICTURES, full, part: 0, parts: 2 }))],
  ["screens, odd", () => within("sqlite", "screens, odd", (world) => screens(browser, world, { pictures: PICTURES, full, part: 1, parts: 2 }))],
  ["Postgres", () => people(POSTGRES, "Postgres")],
  ["SQLite", () => people("sqlite", "SQLite")],
  ["pages", () => within("sqlite", "pages", async (world, part) => {
    await part("reflow", () => reflow(browser, world));
    await part("markup", () => markup(world));
  })],
  ["provider on Postgres", () => provided("postgres", "provider on Postgres")],
  ["provider on SQLite", () => provided("sqlite", "provider on SQLite")],
].filter(([name]) => new RegExp(ONLY).test(name));

// Times are taken while nothing else of this runs.
if (new RegExp(ONLY).test("figures")) await part("figures", () => within("sqlite", "figures", (world) => flows.figures(world)));
const worker = async () => { for (let job; (job = jobs.shift());) await part(...job); };
await Promise.all(Array.from({ length: Number(JOBS) }, worker));
await browser.close();
ok(complaints.length === 0, `pages complained:\n${complaints.join("\n")}`);
console.log(`${count.passed} passed, ${count.failed} failed, ${seconds(begun)}`);
process.exit(count.failed ? 1 : 0);
