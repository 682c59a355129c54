// Billing: what is paid and used, and the way to Stripe's page and back, for who may; against a Stripe that runs here.
import { context, ok } from "./lib.mjs";
import { age, until } from "./world.mjs";

export const portal = async (browser, world, script) => {
  const how = script ? "script" : "no script", url = `${world.settings}/billing`;
  const made = await context(browser, world, "admin", { javaScriptEnabled: script });
  const page = await made.newPage();
  await page.goto(url);
  ok(await page.isVisible("dd:has-text('Team')") && await page.isVisible("dd:has-text('EUR 12.00 per seat')") && await page.isVisible(".badge.ok:has-text('Active')"), `${how}: the plan, its price and its state`);
  const { usage, seats } = await world.api("GET", "/billing/summary");
  ok(await page.isVisible(`text=${seats.used} of ${seats.limit} seats`), `${how}: seats in use`);
  for (const { metric, quantity, history } of usage) {
    const name = metric === "runs" ? "Runs" : "Model tokens", part = page.locator(".metric", { hasText: name });
    const said = quantity.toLocaleString("en-US");
    ok((await part.locator("svg.chart").getAttribute("aria-label")).includes(`${said} in all`) && await part.locator(`strong:has-text("${said}")`).isVisible(), `${how}: ${metric} are charted and said`);
    ok((await part.locator("svg.chart rect").count()) === history.length, `${how}: a bar for each day of ${metric}`);
    await part.locator("summary").click();
    ok((await part.locator("tbody tr").count()) === history.length && await part.locator("tbody tr").last().isVisible(), `${how}: and the numbers behind ${metric}`);
  }
  ok(await page.isVisible("text=of 5,000 included"), `${how}: what the plan includes`);
  // To Stripe's page, which knows where to come back to.
  const before = world.stripe.portals.length;
  await page.click("button:has-text('Manage subscription')");
  await page.waitForURL(`${world.stripe.url}/p/session/${before + 1}`);
  ok(await page.isVisible("h1:has-text('Your subscription')"), `${how}: the button leads to the session's page`);
  ok(world.stripe.portals.at(-1).return_url === url, `${how}: which was told the way back`);
  await page.click("text=Back");
  await page.waitForURL(url);
  // Seats are bought by raising the limit.
  const limit = script ? 14 : 15;
  await world.api("PUT", "/workspace", { seatLimit: limit });
  await until("seats bought", () => [...world.stripe.customers.values()].find((c) => c.name === "acme").subscription.items.data[0].quantity === limit);
  await page.reload();
  ok(await page.isVisible(`text=of ${limit} seats`), `${how}: and the page says so`);
  // Stripe away: what was known, and no portal.
  await age(world);
  world.stripe.away = true;
  await page.goto(url);
  ok(await page.isVisible("text=Stripe didn’t answer") && await page.isVisible("dd:has-text('Team')"), `${how}: Stripe away, the last known plan is shown as such`);
  await page.click("button:has-text('Manage subscription')");
  ok(await page.isVisible("[role=alert]:has-text('Stripe’s page was not opened')"), `${how}: and the portal says that it is not there`);
  world.stripe.away = false;
  await made.close();
  // Who may not.
  for (const who of ["editor", "viewer"]) {
    const theirs = await context(browser, world, who, { javaScriptEnabled: script });
    const their = await theirs.newPage();
    ok((await their.goto(url)).status() === 403 && (await their.locator("button:has-text('Manage subscription')").count()) === 0 && !(await their.content()).includes("Team"), `${how}: ${who} sees no bill`);
    const posted = await fetch(`${url}/portal`, { method: "POST", redirect: "manual", body: new URLSearchParams(), headers: { origin: world.base, cookie: `settings=${world.people[who].token}` } });
    ok(posted.status === 403 && world.stripe.portals.length === before + 1, `${how}: and ${who} opens no portal by hand`);
    await theirs.close();
  }
};
