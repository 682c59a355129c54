// Notifications, webhooks, deliveries and Slack: what people do with them, with script and without, against a receiver that
// runs here and the service's own mailbox.
import crypto from "node:crypto";
import { context, dialogOpen, ok } from "./lib.mjs";
import { mailTo } from "./world.mjs";

const open = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const made = await context(browser, world, "admin", { javaScriptEnabled: script, permissions: ["clipboard-read", "clipboard-write"] });
  const page = await made.newPage();
  const seen = () => (script ? dialogOpen(page) : page.waitForSelector(".dlg-page"));
  const inside = script ? "dialog" : ".dlg-page";
  const press = (text) => page.click(`${inside} button:has-text("${text}")`);
  const said = async (text) => { await page.locator(".flash", { hasText: text }).waitFor({ timeout: 10_000 }); return true; };
  const follow = async (selector) => { await page.click(selector); await seen(); };
  // An entry of a row's menu, which opens without script too.
  const menu = async (id, verb) => { await page.click(`[popovertarget="menu-${id}"]`); await follow(`#menu-${id} a[href$="${verb}"]`); };
  // What comes of a delivery comes a moment later: its page is looked at until it says so.
  const until = async (text) => {
    for (let tries = 0; tries < 100; tries++) {
      if (await page.isVisible(`.kv .badge:has-text("${text}")`)) return true;
      await page.waitForTimeout(100);
      await page.reload();
    }
    return false;
  };
  return { how, made, page, seen, inside, press, said, follow, menu, until };
};

// As a workspace is at first, whatever the pictures and the run before left.
const clean = async (world) => {
  await world.api("PUT", "/workspace/notifications", { preferences: ["run_failed", "approval_requested", "workflow_deployed", "mcp_server_degraded", "secret_rotated"].map((event) => ({ event, channels: ["email"], recipients: [] })) });
  for (const path of ["/connections", "/webhooks/subscriptions"]) for (const { id } of (await world.api("GET", path)).items) await world.api("DELETE", `${path}/${id}`);
};

export const notifications = async (browser, world, script) => {
  const { how, made, page, press, said, follow, until } = await open(browser, world, script);
  await clean(world);
  const url = `${world.settings}/notifications`;
  await page.goto(url);
  ok(await page.isDisabled('[name="run_failed"][value="slack"]'), `${how}: a channel that is not connected can't be ticked`);
  ok(await page.isVisible("#why-slack:has-text('There is no active Slack connection')"), `${how}: and why stands below`);
  const wanted = script ? ["oncall@acme.example", "nobody"] : ["night@acme.example", "nobody"];
  await page.uncheck('[name="workflow_deployed"][value="email"]');
  await page.fill("#run_failed-recipients", wanted.join("\n"));
  if (script) ok((await page.textContent("[data-dirty-text]")) === "2 unsaved changes", "the bar counts what changed");
  await page.click("button:has-text('Save changes')");
  await page.waitForSelector("#run_failed-recipients-error:has-text('Line 2')");
  ok((await page.inputValue("#run_failed-recipients")) === wanted.join("\n") && !(await page.isChecked('[name="workflow_deployed"][value="email"]')), `${how}: a fault keeps what was chosen`);
  await page.fill("#run_failed-recipients", wanted[0]);
  await page.click("button:has-text('Save changes')");
  ok(await said("Notifications saved"), `${how}: saved`);
  const { preferences } = await world.api("GET", "/workspace/notifications");
  const of = (event) => preferences.find((p) => p.event === event);
  ok(of("run_failed").recipients.join() === wanted[0] && of("workflow_deployed").channels.length === 0, `${how}: and the API says the same`);
  const before = (await (await fetch(`${world.base}/dev/mailbox`, { headers: { accept: "application/json" } })).json()).items.filter((m) => m.to === "admin@acme.example").length;
  await follow("a[href$='test?channel=email']");
  await press("Send test");
  ok(await said("A test is on its way"), `${how}: a test is sent`);
  ok(await until("Delivered"), `${how}: and its page says that it was delivered`);
  await mailTo(world, "admin@acme.example", before);
  await page.goto(url);
  await page.check('[name="workflow_deployed"][value="email"]');
  await page.fill("#run_failed-recipients", "");
  await page.click("button:has-text('Save changes')");
  await said("Notifications saved");
  await made.close();
};

const signed = (secret, { headers, body }) => {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const sum = crypto.createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64");
  return headers["webhook-signature"].split(" ").includes(`v1,${sum}`);
};

export const webhooks = async (browser, world, script) => {
  const { how, made, page, inside, press, said, follow, menu, until } = await open(browser, world, script);
  await clean(world);
  const list = `${world.settings}/webhooks`, got = world.outside, address = `${got.url}/gone/${script ? "a" : "b"}`;
  got.takes = true;
  await page.goto(list);
  await follow("a[href$='webhooks/new']");
  await page.fill("#url", "https://169.254.169.254/latest");
  await press("Create webhook");
  await page.waitForSelector("#url-error");
  await page.fill("#url", address);
  await page.uncheck("[name=event][value=secret_rotated]");
  await press("Create webhook");
  const secret = await page.inputValue("#secret");
  ok(secret.startsWith("whsec_"), `${how}: the secret is shown`);
  if (script) {
    await page.click("[data-done]");
    ok(await page.isVisible(".leave"), "leaving it uncopied warns");
    await page.click("[data-copy]");
    ok((await page.evaluate(() => navigator.clipboard.readText())) === secret, "the secret is copied whole");
  }
  await page.click("[data-done]");
  await page.waitForSelector(`text=${address}`);
  ok(!(await page.content()).includes(secret), `${how}: the list does not hold it`);
  const { items } = await world.api("GET", "/webhooks/subscriptions");
  const { id } = items.find((s) => s.url === address);
  // A test, taken and signed.
  const test = async (outcome) => {
    await page.goto(`${world.settings}/notifications`);
    await follow("a[href$='test?channel=webhook']");
    await press("Send test");
    await said("A test is on its way");
    return until(outcome);
  };
  const count = got.webhooks.length;
  ok(await test("Delivered") && got.webhooks.length === count + 1 && signed(secret, got.webhooks.at(-1)), `${how}: a test arrives, signed with the secret that was shown`);
  // Rotated: both secrets sign.
  await page.goto(list);
  await menu(id, "rotate");
  ok(await page.isVisible(`${inside} :text("For 24 hours")`), `${how}: rotating says how long both count`);
  await press("Rotate secret");
  const next = await page.waitForSelector("#secret").then(() => page.inputValue("#secret"));
  ok(next !== secret && await page.isVisible(`${inside} :text("The secret of before is valid until")`), `${how}: another secret, and until when the old one counts`);
  if (script) await page.click("[data-copy]");
  await page.click("[data-done]");
  await page.waitForSelector("text=Signed with two secrets");
  ok(await test("Delivered") && signed(secret, got.webhooks.at(-1)) && signed(next, got.webhooks.at(-1)), `${how}: both secrets sign`);
  // Given up, found in the list, and tried again.
  got.takes = false;
  ok(await test("Failed"), `${how}: what the receiver says is gone is given up`);
  ok(await page.isVisible("text=the receiver says that it is gone"), `${how}: with the reason`);
  await page.goto(`${world.settings}/deliveries`);
  await page.selectOption("#status", "failed");
  await page.click("button:has-text('Apply')");
  await page.waitForURL(/status=failed/);
  const failed = await page.locator("tbody tr").count();
  ok(failed >= 1 && (await page.locator("tbody .badge.danger").count()) === failed, `${how}: the list shows the failed ones alone`);
  got.takes = true;
  await page.click("tbody tr:first-child button:has-text('Retry')");
  ok(await said("tried again") && await until("Delivered"), `${how}: a retry is delivered`);
  ok((await page.locator(".attempts tbody tr").count()) === 2, `${how}: and both attempts stand there`);
  // Off, on, gone.
  await page.goto(list);
  await menu(id, "status");
  await press("Disable webhook");
  ok(await said("disabled"), `${how}: disabled`);
  await page.goto(`${world.settings}/notifications`);
  ok(await page.isVisible("#why-webhook:has-text('Every webhook subscription is disabled')") && await page.isDisabled('[name="run_failed"][value="webhook"]'), `${how}: and no channel any more`);
  await page.goto(list);
  await menu(id, "status");
  await press("Enable webhook");
  ok(await said("enabled"), `${how}: enabled`);
  await menu(id, "delete");
  await press("Delete webhook");
  ok(await said("deleted") && (await world.api("GET", "/webhooks/subscriptions")).items.every((s) => s.id !== id), `${how}: deleted`);
  await made.close();
};

export const connections = async (browser, world, script) => {
  const { how, made, page, press, said, follow, until } = await open(browser, world, script);
  await clean(world);
  const list = `${world.settings}/connections`, got = world.outside;
  await page.goto(list);
  await page.click("button:has-text('Connect Slack')");
  ok(await said("Slack is connected: Acme Robotics"), `${how}: to Slack's page and back`);
  ok(new URL(page.url()).pathname === "/acme/settings/connections" && !page.url().includes("code"), `${how}: the code is gone from the address`);
  ok(await page.isVisible(".badge.ok:has-text('Active')") && await page.isVisible("text=#ops-alerts"), `${how}: with the channel that was chosen there`);
  const count = got.slack.length;
  await page.goto(`${world.settings}/notifications`);
  await page.check('[name="run_failed"][value="slack"]');
  await page.click("button:has-text('Save changes')");
  ok(await said("Notifications saved"), `${how}: Slack can be chosen now`);
  await follow("a[href$='test?channel=slack']");
  await press("Send test");
  await said("A test is on its way");
  ok(await until("Delivered") && got.slack.length === count + 1 && got.slack.at(-1).channel === "C1", `${how}: a test is posted in the channel`);
  await page.goto(list);
  await follow("a[href$='/channel']");
  await page.fill("#channel", "not a channel");
  await press("Save channel");
  await page.waitForSelector("#channel-error");
  await page.fill("#channel", "#releases");
  await press("Save channel");
  ok(await said("Channel saved") && await page.isVisible("dd:has-text('#releases')"), `${how}: another channel`);
  await follow("a[href$='/disconnect']");
  ok(await page.isVisible("text=Chosen for Slack at present"), `${how}: what is chosen for Slack is said before`);
  await press("Disconnect");
  ok(await said("Slack disconnected") && await page.isVisible(".badge:has-text('Disconnected')"), `${how}: disconnected`);
  await page.goto(`${world.settings}/notifications`);
  ok(await page.isChecked('[name="run_failed"][value="slack"]') && await page.isDisabled('[name="secret_rotated"][value="slack"]'), `${how}: the choice is kept, and can be dropped`);
  await page.uncheck('[name="run_failed"][value="slack"]');
  await page.click("button:has-text('Save changes')");
  await said("Notifications saved");
  await page.goto(list);
  await page.click("button:has-text('Authorize again')");
  ok(await said("Slack is connected"), `${how}: authorized again`);
  await follow("a[href$='/delete']");
  await press("Delete connection");
  ok(await said("deleted") && await page.isVisible("button:has-text('Connect Slack')"), `${how}: deleted`);
  await made.close();
};
