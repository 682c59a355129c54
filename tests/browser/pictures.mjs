// Pictures alone, for looking at: PICTURES is the folder, ONLY a pattern of `name-width-theme`.
import fs from "node:fs";
import { start } from "./world.mjs";
import { context, launch } from "./lib.mjs";
import { states } from "./states.mjs";

const { BINARY, PICTURES = "pictures", ONLY = "." } = process.env;
fs.mkdirSync(PICTURES, { recursive: true });
const browser = await launch();
const world = await start(BINARY, "sqlite");
for (const [width, height] of [[1440, 1000], [390, 844]]) for (const [name, who, go] of states) {
  const themes = ["light", "dark"].filter((theme) => new RegExp(ONLY).test(`${name}-${width}-${theme}`));
  if (!themes.length) continue;
  const made = await context(browser, world, who, { viewport: { width, height } });
  const page = await made.newPage();
  try {
    await go(page, world);
    for (const theme of themes) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await page.screenshot({ path: `${PICTURES}/${name}-${width}-${theme}.png`, fullPage: width === 390 && !(await page.$("dialog[open]")) && !/menu|drawer|uses/.test(name) });
    }
  } catch (e) { console.log(name, width, e.message.split("\n")[0]); }
  await made.close();
}
await browser.close();
await world.stop();
