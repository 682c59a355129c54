// Signing in at a certified OpenID provider: in, out of it, and by an invitation; as oneself, as somebody new, as somebody
// else. The provider is somebody else's program; PROVIDER names its script.
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { context, ok } from "./lib.mjs";
import { mailTo } from "./world.mjs";

const CLIENT = { client_id: "settings-console", client_secret: "a-secret-of-the-client", token_endpoint_auth_method: "client_secret_basic" };
const OWNER = "root@platform.example";

// The first line of a program's output that fits.
const said = (child, pattern) => new Promise((resolve, reject) => {
  let text = "";
  child.once("exit", (code) => reject(new Error(`it ended with ${code}\n${text}`)));
  const look = (data) => { text += data; const found = pattern.exec(text); if (found) resolve(found[1]); };
  child.stdout.on("data", look);
  child.stderr?.on("data", (data) => { text += data; });
});

// A service whose people sign in at the provider, on a database of its own.
export const start = async (binary, store, { provider, postgres }) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "settings-provider-"));
  const children = [];
  const run = (program, args, options) => { const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], ...options }); children.push(child); return child; };
  const issuer = await said(run(process.execPath, [provider]), /ready (http:\S+)/);
  const database = store === "sqlite" ? `sqlite://${folder}/settings.db` : await said(run(postgres, ["--tcp"]), /DATABASE_URL='([^']+)'/);
  const env = {
    PATH: process.env.PATH, HOME: folder, SETTINGS_BIND: "127.0.0.1:0", SETTINGS_RATE_LIMIT: "off", DATABASE_URL: database, RUST_LOG: "warn",
    AUTH0_ISSUER_BASE_URL: issuer, AUTH0_CLIENT_ID: CLIENT.client_id, AUTH0_CLIENT_SECRET: CLIENT.client_secret,
    AUTH0_SECRET: "0123456789abcdef0123456789abcdef", SETTINGS_PLATFORM_ADMINS: OWNER,
  };
  const base = await said(run(binary, ["serve"], { cwd: folder, env }), /listening on (http:\S+)/);
  await fetch(`${issuer}/test/set`, { method: "POST", body: JSON.stringify({ clients: [{ ...CLIENT, redirect_uris: [`${base}/auth/callback`], post_logout_redirect_uris: [`${base}/`] }] }) });
  const stop = async () => {
    for (const child of children.reverse()) {
      const ended = new Promise((resolve) => { child.removeAllListeners("exit"); child.once("exit", resolve); });
      child.kill("SIGTERM");
      await ended;
    }
    fs.rmSync(folder, { recursive: true, force: true });
  };
  const sql = (text) => store === "sqlite"
    ? execFileSync("python3", ["-c", "import sqlite3,sys\nd=sqlite3.connect(sys.argv[1],timeout=30)\nd.executescript(sys.argv[2])\nd.commit()", `${folder}/settings.db`, text])
    : execFileSync("psql", ["-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", `SET settings.workspace = '${world.workspace}'; ${text}`]);
  const world = { base, issuer, stop, sql, settings: `${base}/acme/settings`, store: store === "sqlite" ? "SQLite" : "Postgres" };
  return world;
};

// At the provider: who one is.
const signIn = async (page, address) => {
  await page.fill("input[name=login]", address);
  await page.fill("input[name=password]", "anything");
  await page.click("button[type=submit]");
  // Its pages that go on by script have a button where there is none.
  const onward = page.locator("button:has-text('Continue')");
  if (page.url().includes("/auth/") && await onward.isVisible()) await onward.click();
};
// The provider's pages want a font from elsewhere, which is nobody's business here.
const apart = async (made) => { await made.route((url) => url.hostname !== "127.0.0.1", (route) => route.fulfill({ body: "" })); return made; };
const sessionOf = async (made) => (await made.cookies()).find((c) => c.name === "settings")?.value;
const api = async (world, token, method, at, body) => {
  const answer = await fetch(world.base + at, { method, body: body && JSON.stringify(body), headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) } });
  if (!answer.ok) throw new Error(`${method} ${at}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};

export const flow = async (browser, world, script, pictures) => {
  const how = `${world.store}, ${script ? "script" : "no script"}`;
  const picture = (page, name) => script && pictures && page.screenshot({ path: path.join(pictures, `provider-${world.store}-${name}.png`) });
  const made = await apart(await context(browser, world, null, { javaScriptEnabled: script }));
  const page = await made.newPage();
  // In, and to the page that was wanted. The first time there is no workspace yet.
  if (!world.token) {
    await page.goto(`${world.base}/sign-in`);
    await page.click("text=Sign in >> nth=-1");
    await signIn(page, OWNER);
    await page.waitForURL((url) => url.origin === world.base && !url.pathname.startsWith("/auth"));
    world.token = await sessionOf(made);
    ({ id: world.workspace } = await api(world, world.token, "POST", "/api/organizations", { name: "Acme Robotics", slug: "acme", adminEmail: OWNER, seatLimit: 20 }));
    await made.clearCookies();
  }
  await page.goto(`${world.settings}/sessions`);
  ok(page.url().startsWith(`${world.base}/sign-in?return_to=`), `${how}: who is not signed in is asked to`);
  await picture(page, "sign-in");
  await page.click("a.btn.primary");
  ok(page.url().startsWith(world.issuer), `${how}: at the provider`);
  await signIn(page, OWNER);
  await page.waitForURL(`${world.settings}/sessions`);
  ok((await page.locator("text=This one").count()) === 1, `${how}: back on the page that was wanted, with the session marked`);
  await picture(page, "sessions");
  const token = await sessionOf(made);
  world.token = token;
  await joins(browser, world, script, how, picture);
  // Out: here, and at the provider.
  await page.goto(`${world.settings}/workspace`);
  if (!(await page.isVisible("[aria-label='Sign out']"))) await page.click("button[popovertarget=nav] >> nth=0");
  await page.click("[aria-label='Sign out']");
  await page.waitForURL((url) => url.href.startsWith(`${world.issuer}/session/end`));
  ok(!(await sessionOf(made)), `${how}: signing out drops the cookie`);
  const after = await fetch(`${world.base}/api/organizations`, { headers: { authorization: `Bearer ${token}` } });
  ok(after.status === 401, `${how}: ends the session`);
  await picture(page, "sign-out");
  await page.click("button[value=yes]");
  await page.waitForURL(`${world.base}/sign-in`);
  await page.click("a.btn.primary");
  ok(await page.isVisible("input[name=login]"), `${how}: and signs out at the provider, which asks again`);
  await signIn(page, OWNER);
  await page.waitForURL((url) => url.origin === world.base && !url.pathname.startsWith("/auth"));
  world.token = await sessionOf(made);
  await made.close();
};

// Invitations: the mail's link leads to the provider and back, whoever one is.
const joins = async (browser, world, script, how, picture) => {
  const name = script ? "with" : "without";
  const invite = async (email) => { await api(world, world.token, "POST", "/w/acme/workspace/members", { email, role: "editor" }); return mailTo(world, email); };
  // Somebody new at the provider.
  const made = await apart(await context(browser, world, null, { javaScriptEnabled: script }));
  const page = await made.newPage();
  const mine = `dana.${name}@people.example`, link = await invite(mine);
  await page.goto(link);
  ok(await page.isVisible("h1:has-text('Join Acme Robotics')") && !(await page.content()).includes(mine), `${how}: an invitation says what it is, and not whose`);
  await picture(page, "invitation");
  await page.click("text=Sign in to join");
  await signIn(page, mine);
  await page.waitForURL(link);
  ok(await page.isVisible(`text=${mine}`), `${how}: back at the invitation`);
  await page.click("button:has-text('Join')");
  await page.waitForURL(/acme\/settings\/workspace$/);
  ok(await page.isVisible("text=You can see these settings"), `${how}: whoever is new is in, as what was offered`);
  ok(Boolean(await sessionOf(made)), `${how}: with a session that works`);
  await page.goto(link);
  ok(await page.isVisible("h1:has-text('does not work')"), `${how}: a link works once`);
  // Signed in as somebody else, who has an account: told so, and one step from being the one who was invited.
  const other = `lena.${name}@people.example`, second = await invite(other);
  await page.goto(second);
  ok(await page.isVisible(`text=${mine}`), `${how}: an invitation says as whom one is signed in`);
  await page.click("button:has-text('Join')");
  ok(await page.isVisible("h1:has-text('You are signed in as somebody else')") && !(await page.content()).includes(other), `${how}: somebody else's is not theirs to take, and does not say whose it is`);
  await picture(page, "somebody-else");
  await page.click("text=Sign in as somebody else");
  await signIn(page, other);
  await page.waitForURL(second);
  await page.click("button:has-text('Join')");
  await page.waitForURL(/acme\/settings\/workspace$/);
  ok(true, `${how}: as the one who was invited they are in`);
  // Somebody whom the provider does not vouch for.
  const third = await invite(`unverified.${name}@people.example`);
  await made.clearCookies();
  await page.goto(third);
  await page.click("text=Sign in to join");
  await signIn(page, `unverified.${name}@people.example`);
  await page.waitForURL(third);
  await page.click("button:has-text('Join')");
  ok(await page.isVisible("h1:has-text('not verified')"), `${how}: an address that nobody vouches for is not enough`);
  // Too late.
  const late = await invite(`late.${name}@people.example`);
  world.sql(`UPDATE invitations SET expires_at = 1 WHERE email = 'late.${name}@people.example'`);
  const answer = await page.goto(late);
  ok(answer.status() === 410 && await page.isVisible("h1:has-text('has expired')"), `${how}: an invitation that is over says so`);
  await picture(page, "expired");
  await page.click("button:has-text('Ask for a new one')");
  ok(await page.isVisible("text=have been told"), `${how}: one click asks for a new one`);
  ok((await mailTo(world, OWNER)).endsWith("/acme/settings/members"), `${how}: and the admin hears of it`);
  await made.close();
};
