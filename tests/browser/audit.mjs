// The audit log: found, told in full, taken away as a file, and proved; and another workspace, where none of it is.
import fs from "node:fs";
import { context, dialogOpen, ok } from "./lib.mjs";

export const auditing = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const made = await context(browser, world, "admin", { javaScriptEnabled: script });
  const page = await made.newPage();
  const seen = () => (script ? dialogOpen(page) : page.waitForSelector(".dlg-page"));
  await page.goto(`${world.settings}/audit-log`);
  await page.selectOption("#action", "api_key.created");
  await page.click("button:has-text('Apply')");
  await page.waitForURL(/action=api_key\.created/);
  const rows = await page.locator("tbody tr").count();
  ok(rows > 0 && (await page.locator("tbody tr", { hasText: "api_key.created" }).count()) === rows, `${how}: the log is filtered, and its address says by what`);
  await page.click(".c-event a >> nth=0");
  await seen();
  ok(await page.isVisible("text=Chain and request"), `${how}: an event is told in full`);
  // Taken away, as filtered.
  await page.goto(`${world.settings}/audit-log?action=api_key.created`);
  await page.click("a[href*='audit-log/export']");
  await seen();
  for (const [button, lines] of [["Download JSON Lines", (text) => text.trim().split("\n").filter((l) => l.includes('"api_key.created"')).length], ["Download CSV", (text) => text.trim().split("\n").filter((l) => l.includes("api_key.created")).length]]) {
    const coming = page.waitForEvent("download");
    await page.click(`text=${button}`);
    const file = await (await coming).path();
    ok(lines(fs.readFileSync(file, "utf8")) >= rows, `${how}: ${button} holds what was filtered`);
  }
  await page.goto(`${world.settings}/audit-log`);
  await page.click("a[href$='audit-log/verify']");
  await seen();
  ok(await page.isVisible("text=The chain holds."), `${how}: the chain is verified`);
  // Another workspace, by the switcher.
  await page.goto(`${world.settings}/workspace`);
  await page.click(".ws-link");
  await page.click("a:has-text('Northwind Labs')");
  await page.waitForURL(/\/northwind\/settings/);
  ok((await page.textContent(".ws-name")).includes("Northwind Labs"), `${how}: the switcher leads to another workspace`);
  await page.goto(`${world.base}/northwind`);
  ok(page.url().startsWith(`${world.base}/northwind/settings`), `${how}: whose name alone leads to its settings`);
  await page.goto(`${world.base}/northwind/settings/audit-log?action=api_key.created`);
  ok(await page.isVisible("text=No event matches"), `${how}: and nothing of the first is in it`);
  await made.close();
};
