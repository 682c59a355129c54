// The README's pictures: BINARY is the program; they go to docs/images.
import { start } from "./world.mjs";
import { context, dialogOpen, launch } from "./lib.mjs";

const folder = new URL("../../docs/images/", import.meta.url).pathname;
const browser = await launch();
const world = await start(process.env.BINARY, "sqlite");
const made = await context(browser, world, "admin", { viewport: { width: 1200, height: 780 }, colorScheme: "light" });
const page = await made.newPage();
await page.goto(`${world.settings}/members`);
await page.screenshot({ path: `${folder}console-members.png` });
await page.goto(`${world.settings}/api-keys`);
await page.click("a[href$='api-keys/new']");
await dialogOpen(page);
await page.fill("#name", "Release dashboard");
for (const scope of ["workflows:read", "runs:read", "secrets:read"]) await page.check(`[value="${scope}"]`);
await page.screenshot({ path: `${folder}console-api-key.png` });
await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
await page.goto(`${world.settings}/audit-log`);
await page.screenshot({ path: `${folder}console-audit-log.png` });
await browser.close();
await world.stop();
