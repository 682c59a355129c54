// Everything, on one store after the other. BINARY is the program, PICTURES a folder for pictures, POSTGRES the URL of an
// empty database, THROWAWAY the program that starts another one, PROVIDER the script of an OpenID provider.
import fs from "node:fs";
import { start, mailTo } from "./world.mjs";
import { complaints, count, launch, ok } from "./lib.mjs";
import { markup, reflow, screens } from "./accessibility.mjs";
import * as flows from "./flows.mjs";
import * as provider from "./provider.mjs";
import * as told from "./told.mjs";
import * as values from "./values.mjs";

const { BINARY, PICTURES, POSTGRES, PROVIDER, THROWAWAY } = process.env;
if (!BINARY || !POSTGRES || !PROVIDER || !THROWAWAY) throw new Error("BINARY, POSTGRES, PROVIDER and THROWAWAY have to be set: start scripts/browser-test.sh");
if (PICTURES) fs.mkdirSync(PICTURES, { recursive: true });

const part = async (name, run) => {
  const started = Date.now();
  try { await run(); } catch (e) { ok(false, `${name}: ${e.stack}`); }
  console.log(`${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
};

const browser = await launch();
for (const store of ["sqlite", POSTGRES]) {
  const world = await start(BINARY, store);
  world.invitation = await mailTo(world, "dana.cole@acme.example");
  const on = world.store;
  await part(`${on}: weight and time`, () => flows.figures(world));
  if (store === "sqlite") {
    await part(`${on}: screens`, () => screens(browser, world, PICTURES));
    await part(`${on}: reflow`, () => reflow(browser, world));
  }
  await part(`${on}: markup`, () => markup(world));
  for (const script of [true, false]) {
    const how = script ? "with script" : "without script";
    for (const name of ["signing", "joining", "people", "leaving", "keys", "workspace"]) await part(`${on}: ${name} ${how}`, () => flows[name](browser, world, script));
    for (const name of ["variables", "imports", "secrets", "models", "digest"]) await part(`${on}: ${name} ${how}`, () => values[name](browser, world, script));
    for (const name of ["notifications", "webhooks", "connections"]) await part(`${on}: ${name} ${how}`, () => told[name](browser, world, script));
  }
  await part(`${on}: keyboard`, () => flows.keyboard(browser, world));
  await part(`${on}: roles`, () => values.roles(browser, world));
  await part(`${on}: strangers`, () => flows.strangers(world));
  await world.stop();
  const there = await provider.start(BINARY, store === "sqlite" ? store : "postgres", { provider: PROVIDER, postgres: THROWAWAY });
  for (const script of [true, false]) await part(`${on}: sign-in at a provider ${script ? "with" : "without"} script`, () => provider.flow(browser, there, script, PICTURES));
  await there.stop();
}
await browser.close();
ok(complaints.length === 0, `pages complained:\n${complaints.join("\n")}`);
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed ? 1 : 0);
