// What people do, with script and without, by mouse and by keyboard; and what strangers try.
import { context, dialogOpen, ok, openDialog } from "./lib.mjs";
import http from "node:http";
import { mailTo } from "./world.mjs";

const focused = (page, what) => page.evaluate((f) => new Function(`return ${f}`)().call(null, document.activeElement), what);
// The next question that the browser asks, answered with no; none where none comes.
const said = (page) => new Promise((done) => {
  const none = setTimeout(() => done({ type: "none", message: "" }), 10_000);
  page.once("dialog", async (d) => { clearTimeout(none); const asked = { type: d.type(), message: d.message() }; await d.dismiss(); done(asked); });
});
const activeId = (page) => focused(page, "(e) => e.id");

export const signing = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const made = await context(browser, world, null, { javaScriptEnabled: script });
  const page = await made.newPage();
  await page.goto(`${world.settings}/members?q=lena`);
  ok(page.url().startsWith(`${world.base}/sign-in?return_to=`), `${how}: who is not signed in is asked to`);
  const address = "admin@acme.example";
  const before = (await (await fetch(`${world.base}/dev/mailbox`, { headers: { accept: "application/json" } })).json()).items.filter((m) => m.to === address).length;
  await page.fill("#email", address);
  await page.click("[type=submit]");
  ok(await page.isVisible("text=Check your mail"), `${how}: a link is sent`);
  await page.goto(await mailTo(world, address, before));
  ok(await page.isVisible("text=This link works once"), `${how}: opening the link changes nothing`);
  await page.click("[type=submit]");
  await page.waitForURL(/settings\/members\?q=lena$/);
  ok(true, `${how}: the link leads back to where one wanted to be`);
  const cookies = await made.cookies();
  const session = cookies.find((c) => c.name === "settings");
  ok(session?.httpOnly && session.sameSite === "Lax" && session.path === "/", `${how}: the cookie is the browser's own`);
  await page.goto(`${world.settings}/sessions`);
  ok((await page.locator("text=This one").count()) === 1, `${how}: one's own session is marked`);
  await page.goto(`${world.settings}/workspace`);
  if (!(await page.isVisible("[aria-label='Sign out']"))) await page.click("button[popovertarget=nav] >> nth=0");
  await page.click("[aria-label='Sign out']");
  await page.waitForURL(/\/sign-in$/);
  ok(!(await made.cookies()).some((c) => c.name === "settings"), `${how}: signing out drops the cookie`);
  const after = await fetch(`${world.settings}/workspace`, { headers: { cookie: `settings=${session.value}` }, redirect: "manual" });
  ok(after.status === 303, `${how}: and ends the session`);
  await made.close();
};

export const joining = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const email = script ? "joins.with@people.example" : "joins.without@people.example";
  await world.api("POST", "/workspace/members", { email, role: "viewer" });
  const made = await context(browser, world, null, { javaScriptEnabled: script });
  const page = await made.newPage();
  await page.goto(await mailTo(world, email));
  ok(await page.isVisible("h1:has-text('Join Acme Robotics')"), `${how}: an invitation says what it is`);
  await page.click("[type=submit]");
  await page.waitForURL(/acme\/settings\/workspace$/);
  ok(await page.isVisible("text=You can see these settings"), `${how}: whoever joined is in, as what was offered`);
  ok((await page.locator("nav .locked").count()) > 0, `${how}: locked entries stay visible`);
  await made.close();
};

export const people = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const made = await context(browser, world, "admin", { javaScriptEnabled: script });
  const page = await made.newPage();
  const seen = script ? () => dialogOpen(page) : () => page.waitForSelector(".dlg-page");
  const inside = script ? "dialog" : ".dlg-page";
  await page.goto(`${world.settings}/members`);
  await page.click("a[href$='members/invite']");
  await seen();
  ok(script ? page.url().endsWith("/members") : page.url().endsWith("/members/invite"), `${how}: a dialog is ${script ? "a dialog" : "a page"}`);
  await page.fill("#email", "jonas.weber@acme.example");
  await page.check("input[value=viewer]");
  await page.click(`${inside} [type=submit]`);
  await page.waitForSelector("#email-error");
  ok((await page.inputValue("#email")) === "jonas.weber@acme.example" && await page.isChecked("input[value=viewer]"), `${how}: a fault keeps what was typed`);
  const email = `${script ? "with" : "without"}.script@people.example`;
  await page.fill("#email", email);
  await page.click(`${inside} [type=submit]`);
  await page.waitForSelector(".flash");
  ok((await page.textContent(".flash")).includes(email), `${how}: invited`);
  await page.reload();
  ok(!(await page.$(".flash")), `${how}: it is said once`);
  const row = page.locator("tr", { hasText: email });
  await row.locator("button:has-text('Resend')").click();
  await page.waitForSelector(".flash:has-text('sent again')");
  ok(true, `${how}: resent`);
  await page.locator("tr", { hasText: email }).locator("a:has-text('Revoke')").click();
  await seen();
  await page.click(`${inside} button:has-text('Revoke invitation')`);
  await page.waitForSelector(".flash:has-text('was revoked')");
  ok((await page.locator("tr", { hasText: email }).count()) === 0, `${how}: revoked`);
  // Roles: change, the last admin, and a version that aged.
  const priya = world.people.priya.id;
  await page.goto(`${world.settings}/members/${priya}/role`);
  await world.api("PUT", `/workspace/members/${priya}`, { role: "viewer" });
  await page.check(".dlg-page input[value=admin]");
  await page.click("button:has-text('Save role')");
  await page.waitForSelector(".versions", { timeout: 10_000 });
  const versions = await page.textContent(".versions");
  ok(versions.includes("Viewer") && versions.includes("Admin"), `${how}: a stale form shows both versions`);
  await page.click("button:has-text('Save role')");
  await page.waitForSelector(".flash");
  ok((await page.textContent(".flash")).includes("is now an admin"), `${how}: saving again keeps mine`);
  await world.api("PUT", `/workspace/members/${priya}`, { role: "editor" });
  await page.goto(`${world.settings}/members?q=PRIYA`);
  ok((await page.locator("#member-list tbody tr").count()) === 1, `${how}: search by address`);
  await page.goto(`${world.settings}/members?role=viewer`);
  ok((await page.locator("#member-list tbody tr").count()) >= 2 && !(await page.textContent("#member-list")).includes("Jonas"), `${how}: filter by role`);
  await made.close();
};

export const keys = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const made = await context(browser, world, "admin", { javaScriptEnabled: script, permissions: ["clipboard-read", "clipboard-write"] });
  const page = await made.newPage();
  await page.goto(`${world.settings}/api-keys`);
  await page.click("a[href$='api-keys/new']");
  await page.waitForSelector("#name");
  await page.fill("#name", `Made with ${how}`);
  if (script) {
    await page.click("[data-preset] >> text=Deploy");
    ok((await page.textContent("[data-tally]")) === "4 of 16 scopes", "a preset selects, the tally counts");
  } else await page.check("[value='runs:read']");
  await page.click("button:has-text('Create key')");
  await page.waitForSelector("#secret");
  const value = await page.inputValue("#secret");
  const answer = await fetch(`${world.base}/workspace`, { headers: { "x-api-key": value } });
  ok(answer.status === 403, `${how}: the key works, within its scopes`);
  if (script) {
    await page.keyboard.press("Escape");
    ok(await page.isVisible(".leave") && await page.isVisible("#secret"), "an uncopied key: the first close warns");
    await page.click("[data-copy]");
    ok((await page.evaluate(() => navigator.clipboard.readText())) === value, "copying copies");
    await page.click("[data-done]");
    await page.waitForURL(/api-keys$/);
  } else {
    ok(!(await page.isVisible("[data-copy]")), "no script: no dead copy button");
    await page.click("text=Done");
  }
  for (const path of ["/api-keys", "/audit-log", "/audit-log?action=api_key.created"]) {
    await page.goto(world.settings + path);
    ok(!(await page.content()).includes(value), `${how}: the value is not on ${path}`);
  }
  // It was used just now: revoking asks again, naming what it breaks.
  await page.goto(`${world.settings}/api-keys`);
  await page.locator("tr", { hasText: `Made with ${how}` }).locator("a:has-text('Revoke')").click();
  await page.click("button:has-text('Revoke key')");
  await page.waitForSelector("text=Revoke anyway");
  ok(await page.isVisible("text=It was used in the last 24 hours"), `${how}: what would break is listed`);
  await page.click("button:has-text('Revoke anyway')");
  await page.waitForSelector(".flash");
  ok((await fetch(`${world.base}/workspace`, { headers: { "x-api-key": value } })).status === 401, `${how}: revoked at once`);
  await made.close();
};

export const workspace = async (browser, world, script) => {
  const how = script ? "script" : "no script";
  const made = await context(browser, world, "admin", { javaScriptEnabled: script });
  const page = await made.newPage();
  await page.goto(`${world.settings}/workspace`);
  const name = `Acme ${script ? "A" : "B"}`;
  await page.fill("#name", name);
  if (script) {
    ok((await page.textContent("[data-dirty-text]")) === "1 unsaved change", "the save bar counts");
    const asking = said(page);
    const click = page.click("nav a[href$='/environments']", { noWaitAfter: true }).catch(() => {});
    ok((await asking).type === "beforeunload" && page.url().endsWith("/workspace"), "leaving with unsaved changes asks");
    await click;
  }
  await page.click("text=Save changes");
  await page.waitForSelector(".flash");
  ok((await page.inputValue("#name")) === name && (await page.textContent(".topbar-title, .ws-name")).includes(name), `${how}: saved`);
  if (script) ok(await focused(page, "(e) => e.classList.contains('flash')"), "what was done is announced");
  // Retention: under the floor, then lower with its confirmation.
  await page.fill("#retention", "5");
  await page.fill("#seats", "1");
  await page.click("text=Save changes");
  await page.waitForSelector("#retention-error");
  ok((await page.inputValue("#retention")) === "5", `${how}: under the floor is refused beside its field`);
  ok(await page.isVisible("#seats-error") && (await page.inputValue("#seats")) === "1", `${how}: and so are too few seats, at once`);
  if (script) {
    const asking = said(page);
    const click = page.click("nav a[href$='/environments']", { noWaitAfter: true }).catch(() => {});
    ok((await asking).type === "beforeunload", "what was refused is unsaved, too: leaving asks");
    await click;
  }
  await page.fill("#seats", "20");
  const lower = script ? "80" : "70";
  await page.fill("#retention", lower);
  await page.click("text=Save changes");
  await page.waitForSelector("button:has-text('Lower retention')");
  ok(await page.isVisible(`text=run data older than ${lower} days`), `${how}: lower retention names what goes`);
  await page.click("button:has-text('Lower retention')");
  await page.waitForSelector(".flash");
  ok((await page.inputValue("#retention")) === lower, `${how}: confirmed and saved`);
  // Somebody else was first.
  await world.api("PUT", "/workspace", { seatLimit: script ? 31 : 32 });
  await page.fill("#name", `${name} again`);
  await page.click("text=Save changes");
  await page.waitForSelector(".versions");
  ok((await page.textContent(".versions")).includes(script ? "31" : "32") && (await page.textContent(".versions")).includes(`${name} again`), `${how}: both versions are shown`);
  await page.click("text=Use what is there now");
  await page.waitForSelector(".versions", { state: "detached" });
  ok((await page.inputValue("#name")) === name && (await page.inputValue("#seats")) === (script ? "31" : "32"), `${how}: theirs is taken in one click`);
  await page.fill("#name", `${name} again`);
  await world.api("PUT", "/workspace", { seatLimit: script ? 33 : 34 });
  await page.click("text=Save changes");
  await page.waitForSelector(".versions");
  await page.click("text=Save changes");
  await page.waitForSelector(".flash");
  await world.api("PUT", "/workspace", { name: "Acme Robotics", seatLimit: 40 });
  // Environments.
  const env = `preview-${script ? "a" : "b"}`;
  await page.goto(`${world.settings}/environments`);
  await page.click("a[href$='environments/new']");
  await page.waitForSelector("#name");
  await page.fill("#name", "Not A Name");
  await page.click("button:has-text('Create environment')");
  await page.waitForSelector("#name-error");
  await page.fill("#name", env);
  await page.click("button:has-text('Create environment')");
  await page.waitForSelector(`.flash:has-text('${env}')`);
  const row = page.locator("tr", { hasText: env });
  await row.locator("a:has-text('Edit')").click();
  await page.waitForSelector("#name");
  await page.fill("#name", `${env}-2`);
  await page.click("button:has-text('Save environment')");
  await page.waitForSelector(`.flash:has-text('${env}-2')`);
  await page.locator("tr", { hasText: `${env}-2` }).locator("a:has-text('Delete')").click();
  await page.waitForSelector("#confirm");
  await page.fill("#confirm", "something else");
  await page.click("button:has-text('Delete environment')", { force: true });
  ok(!(await page.$(".flash:has-text('deleted')")), `${how}: the wrong name deletes nothing`);
  await page.fill("#confirm", `${env}-2`);
  await page.click("button:has-text('Delete environment')");
  await page.waitForSelector(".flash:has-text('deleted')");
  ok((await page.locator("tr", { hasText: env }).count()) === 0, `${how}: deleted`);
  ok((await page.locator("tr", { hasText: "Protected" }).locator(".c-act a, a[data-dialog]").count()) === 0, `${how}: production has no buttons`);
  // The log knows of all that.
  await page.goto(`${world.settings}/audit-log?action=workspace.environment_updated`);
  ok((await page.locator("tbody tr").count()) >= 3, `${how}: each is in the audit log`);
  await page.click(".c-event a >> nth=0");
  await page.waitForSelector(".kv");
  ok(await page.isVisible("text=An environment was added, changed or dropped."), `${how}: and is told in full`);
  await page.goto(`${world.settings}/audit-log/verify`);
  ok(await page.isVisible("text=The chain holds."), `${how}: the chain holds`);
  await made.close();
};

export const keyboard = async (browser, world) => {
  const made = await context(browser, world, "admin");
  const page = await made.newPage();
  await page.goto(`${world.settings}/members`);
  await page.keyboard.press("Tab");
  ok(await focused(page, "(e) => e.className === 'skip'"), "the first Tab reaches the skip link");
  await page.keyboard.press("Enter");
  ok((await activeId(page)) === "main", "which moves to the content");
  await page.focus("a[href$='members/invite']");
  await page.keyboard.press("Enter");
  await dialogOpen(page);
  ok((await activeId(page)) === "email", "a dialog focuses its field");
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press("Tab");
    ok(await page.evaluate(() => document.activeElement === document.body || !!document.activeElement.closest("dialog")), "focus stays in the dialog");
  }
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog[open]", { state: "detached" });
  ok(await focused(page, "(e) => e.getAttribute('href')?.endsWith('members/invite')"), "Escape returns focus to the opener");
  await page.keyboard.press("Enter");
  await dialogOpen(page);
  await page.fill("#email", "x@y.example");
  const asking = said(page);
  await page.keyboard.press("Escape");
  ok((await asking).message.startsWith("Discard") && await page.isVisible("dialog[open]"), "a half-filled dialog asks before it closes");
  page.once("dialog", (d) => d.accept());
  await page.keyboard.press("Escape");
  const menu = `menu-${world.people.editor.id}`;
  await page.focus(`[popovertarget="${menu}"]`);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  ok((await focused(page, "(e) => e.textContent")).includes("Remove"), "a menu is reached by Tab");
  await page.keyboard.press("Escape");
  ok((await focused(page, "(e) => e.getAttribute('popovertarget')")) === menu, "and gives focus back");
  await page.fill("#q", "priya");
  await page.waitForFunction(() => document.querySelectorAll("#member-list tbody tr").length === 1);
  ok(page.url().includes("q=priya"), "filters apply while typing, and the address says so");
  await page.keyboard.press("Control+k");
  ok((await activeId(page)) === "find", "Ctrl+K finds a setting");
  await page.keyboard.type("no such thing");
  ok(await page.isVisible(".nav-none"), "no match is said");
  await page.fill("#find", "retention");
  await page.keyboard.press("Enter");
  await page.waitForURL(/workspace$/);
  ok(true, "settings are found by what they are about");
  await page.click("[name=theme]");
  await page.waitForSelector("html[data-theme=dark]");
  await page.reload();
  ok((await page.getAttribute("html", "data-theme")) === "dark", "the theme stays");
  for (const next of ["light", "auto"]) {
    await page.click("[name=theme]");
    await page.waitForSelector(`html[data-theme=${next}]`);
  }
  ok(true, "the system's theme comes back");
  await made.close();
};

// What strangers try, by hand.
export const strangers = async (world) => {
  const { people, settings, base } = world;
  const post = (path, body, headers) => fetch(settings + path, { method: "POST", redirect: "manual", body: new URLSearchParams(body), headers: { cookie: `settings=${people.admin.token}`, ...headers } });
  const own = { origin: base };
  const invite = { email: "stranger@people.example", role: "admin" };
  ok((await post("/members/invite", invite, { origin: "https://evil.example" })).status === 403, "a form of another origin is refused");
  ok((await post("/members/invite", invite, { origin: "null" })).status === 403, "and one of no origin");
  ok((await post("/members/invite", invite, {})).status === 303, "what is no browser is not signed in by a cookie");
  ok((await post("/members/invite", invite, { ...own, cookie: `settings=${people.viewer.token}` })).status === 403, "a viewer can't invite by hand");
  ok((await post("/api-keys/new", { name: "x", scope: "runs:read" }, { ...own, cookie: `settings=${people.editor.token}` })).status === 403, "an editor can't make keys by hand");
  const { items } = await world.api("GET", "/workspace/invitations");
  ok(!items.some((i) => i.email === invite.email), "nobody was invited by any of that");
  ok((await fetch(`${base}/workspace`, { headers: { cookie: `settings=${people.admin.token}` } })).status === 401, "the API does not take the cookie");
  ok((await fetch(`${settings}/workspace`, { headers: { authorization: `Bearer ${people.admin.token}` }, redirect: "manual" })).status === 303, "the console takes nothing else");
  ok((await fetch(`${settings}/workspace`, { headers: { "x-api-key": world.used.key }, redirect: "manual" })).status === 303, "not even a key");
  for (const back of ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example"]) {
    const page = await (await fetch(`${base}/sign-in?return_to=${encodeURIComponent(back)}`)).text();
    ok(page.includes('name="return_to" value=""'), `no way back to ${back}`);
  }
  const crossing = await fetch(`${base}/sign-in/sgn_x`, { method: "POST", headers: { origin: "https://evil.example" }, redirect: "manual" });
  ok(crossing.status === 403 && !crossing.headers.get("set-cookie"), "nobody is signed in by another site");
  // What a page asks to be typed is compared by the server as well.
  const staging = world.environments.staging;
  const gone = await post(`/environments/${staging}/delete`, { confirm: "something else" }, own);
  ok(gone.status === 422 && (await world.api("GET", "/workspace/environments")).items.some((e) => e.id === staging), "an environment whose name was not typed stays");
  const kept = await post(`/members/${people.priya.id}/erase`, { confirm: "somebody@else.example" }, own);
  ok(kept.status === 422 && (await world.api("GET", "/workspace/members?limit=100")).items.some((m) => m.userId === people.priya.id), "and so does a person whose address was not");
  const page = await fetch(`${settings}/members`, { headers: { cookie: `settings=${people.admin.token}` } });
  ok(page.headers.get("cache-control") === "no-store" && /default-src 'none'/.test(page.headers.get("content-security-policy")) && page.headers.get("referrer-policy") === "same-origin", "headers");
};

// Weight and time of every page, as a browser with an empty cache would see them.
export const figures = async (world) => {
  const sizes = {};
  // What travels, not what is unpacked.
  const fetched = (url, headers) => new Promise((resolve, reject) => {
    const started = performance.now();
    http.get(url, { headers: { "accept-encoding": "gzip", ...headers } }, (answer) => {
      let bytes = 0;
      answer.on("data", (part) => { bytes += part.length; });
      answer.on("end", () => resolve([bytes, performance.now() - started]));
    }).on("error", reject);
  });
  const cookie = { cookie: `settings=${world.people.admin.token}` };
  const html = await (await fetch(`${world.settings}/members`, { headers: cookie })).text();
  const assets = [...html.matchAll(/\/static\/[^"]+/g)].map((m) => m[0]);
  let shared = 0;
  for (const asset of assets) shared += (await fetched(world.base + asset))[0];
  for (const path of ["/workspace", "/environments", "/members", "/members/invite", "/roles", "/api-keys", "/api-keys/new", "/variables", "/variables?view=compare", "/variables/new", "/secrets", "/models", "/models/new", "/system-models", "/billing", "/audit-digest", "/audit-log", "/audit-log/verify", "/audit-log/export", "/sessions"]) {
    const [bytes] = await fetched(world.settings + path, cookie);
    const times = [];
    for (let i = 0; i < 7; i++) times.push((await fetched(world.settings + path, cookie))[1]);
    const median = times.sort((a, b) => a - b)[3];
    sizes[path] = `${(bytes / 1024).toFixed(1)} KB, ${median.toFixed(0)} ms`;
    ok(bytes + shared < 60 * 1024, `${path} weighs ${((bytes + shared) / 1024).toFixed(1)} KB with style and script`);
    ok(median < 100, `${path} takes ${median.toFixed(0)} ms`);
  }
  console.log(`${world.store}: style and script ${(shared / 1024).toFixed(1)} KB, once`, sizes);
};
