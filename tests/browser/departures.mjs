// Somebody leaves, and somebody is erased: what is said before, and what is left afterwards.
import { context, ok } from "./lib.mjs";
import { disposable, mailTo } from "./world.mjs";

export const leaving = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const email = `leaver.${script ? "a" : "b"}@people.example`, invited = `left.open.${script ? "a" : "b"}@people.example`;
  await world.api("POST", "/workspace/members", { email, role: "admin" });
  const token = (await (await fetch(await mailTo(world, email), { method: "POST", headers: { accept: "application/json" } })).json()).token;
  await world.api("POST", "/workspace/api-keys", { name: "Left behind", scopes: ["runs:read"] }, token);
  await world.api("POST", "/workspace/members", { email: invited, role: "viewer" }, token);
  await world.api("PUT", "/workspace/notifications", { preferences: [{ event: "approval_requested", channels: ["email"], recipients: [email, "oncall@acme.example"] }] });
  await world.api("PUT", "/workspace/audit-digest", { enabled: true, frequency: "daily", hourUTC: 7, includeRiskLevels: ["high"], recipients: [email] });
  const made = await context(browser, world, "admin", { javaScriptEnabled: script });
  const page = await made.newPage();
  await page.goto(`${world.settings}/members?q=${email}`);
  await page.click("[popovertarget^=menu-]");
  await page.click(".menu:popover-open a:has-text('Remove')");
  await page.waitForSelector("text=Left behind");
  ok(await page.isVisible("text=1 API key that keeps working until somebody revokes it"), `${how}: leaving shows the keys left behind`);
  ok(await page.isVisible(`text=1 open invitation of theirs is taken back: ${invited}`), `${how}: and the invitations that end`);
  ok(await page.isVisible("text=Approval requested, Audit digest"), `${how}: and the mails that go to them`);
  ok((await page.textContent("#mails option:checked")) === "I get them", `${how}: which one takes over, unless one says otherwise`);
  await page.selectOption("#mails", { label: "Jonas Weber gets them" });
  await page.click("button:has-text('Remove member')");
  await page.waitForURL(/api-keys\?creator=departed$/);
  ok((await page.textContent(".flash")).includes("1 API key they made still works"), `${how}: and leads to them`);
  const named = (await world.api("GET", "/workspace/notifications")).preferences.find((p) => p.event === "approval_requested").recipients;
  const digest = await world.api("GET", "/workspace/audit-digest");
  ok(named.join() === "jonas.weber@acme.example,oncall@acme.example" && digest.recipients.join() === "jonas.weber@acme.example" && digest.enabled, `${how}: the mails are handed over`);
  ok(!(await world.api("GET", "/workspace/invitations")).items.some((i) => i.email === invited), `${how}: the invitation is taken back`);
  await page.locator("tr", { hasText: "Left behind" }).first().locator("a:has-text('Revoke')").click();
  await page.click("button:has-text('Revoke key')");
  await page.waitForSelector(".flash:has-text('revoked')");
  ok(true, `${how}: where they are revoked`);
  await made.close();
};

// A person is erased: typed to confirm, answered with a receipt, and nowhere to be found afterwards.
export const erasing = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const [id, email] = await disposable(world);
  const made = await context(browser, world, "admin", { javaScriptEnabled: script });
  const page = await made.newPage();
  const inside = script ? "dialog" : ".dlg-page", button = `${inside} button:has-text("Erase personal data")`;
  const there = async () => (await world.api("GET", "/workspace/members?limit=100")).items.some((m) => m.userId === id);
  await page.goto(`${world.settings}/members?q=${email}`);
  await page.click("[popovertarget^=menu-]");
  await page.click(".menu:popover-open a:has-text('Erase')");
  await page.waitForSelector("#confirm");
  ok(await page.isVisible("text=This can’t be undone") && await page.isVisible("text=every event of the audit log"), `${how}: what goes is said before`);
  if (script) ok((await page.getAttribute(button, "aria-disabled")) === "true", "the button reads as disabled until the address is typed");
  const posts = [];
  page.on("request", (r) => { if (r.method() === "POST") posts.push(r.url()); });
  await page.fill("#confirm", "somebody@else.example");
  await page.press("#confirm", "Enter");
  await page.waitForSelector("#confirm-error:visible");
  ok(await there() && (await page.inputValue("#confirm")) === "somebody@else.example", `${how}: another address erases nobody, and stays in its field`);
  if (script) ok(posts.length === 0, "an early press explains, and sends nothing");
  await page.fill("#confirm", ` ${email.toUpperCase()} `);
  if (script) ok((await page.getAttribute(button, "aria-disabled")) === "false", "typed, it works");
  await page.click(button);
  await page.waitForSelector("#receipt");
  ok(!(await there()) && (await page.inputValue("#receipt")).includes("erasure/"), `${how}: erased, with a receipt`);
  for (const path of ["/members", "/members?state=former", "/audit-log", "/audit-log?action=member.joined", "/deliveries"]) {
    await page.goto(world.settings + path);
    const text = await page.content();
    ok(!text.includes(email) && !text.includes(id), `${how}: ${path} knows nobody of that name`);
  }
  await page.goto(`${world.settings}/audit-log/verify`);
  ok(await page.isVisible("text=The chain holds."), `${how}: and the chain holds`);
  await made.close();
};
