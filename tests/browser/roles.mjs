// Who may do what, as people see it: sections that open or say whom to ask, buttons that are there or not, and what comes of
// posting by hand all the same.
import { context, ok } from "./lib.mjs";

const forbidden = async (page, who, world, paths) => {
  for (const path of paths) {
    const answer = await page.goto(world.settings + path);
    ok(answer.status() === 403 && await page.isVisible("text=You are here as"), `${who}: ${path} is not for them`);
  }
};
const open = async (page, who, world, paths) => {
  for (const path of paths) ok((await page.goto(world.settings + path)).status() === 200, `${who}: ${path} opens`);
};
// What can be pressed on a page to change something: a delivery's page is for reading.
const buttons = (page) => page.locator("main a[data-dialog]:not(.c-what a), main form[method=post] button, main button[popovertarget^=menu-]").count();

export const roles = async (browser, world) => {
  for (const script of [true, false]) {
    const visit = async (who, look) => {
      const made = await context(browser, world, who, { javaScriptEnabled: script });
      await look(await made.newPage(), `${who}${script ? "" : ", no script"}`);
      await made.close();
    };
    await visit("editor", async (page, who) => {
      await forbidden(page, who, world, ["/secrets", "/secrets/new", `/secrets/${world.secrets.stripe.id}/reveal`, "/models", "/audit-digest", "/variables/new", "/variables/import", "/system-models", "/api-keys", "/billing", "/members/invite", `/members/${world.people.jonas.id}/remove`, `/members/${world.people.jonas.id}/erase`]);
      for (const path of ["/workspace", "/environments", "/members", "/variables?env=production", "/connections", "/notifications", "/webhooks", "/deliveries"]) {
        await open(page, who, world, [path]);
        ok((await buttons(page)) === 0, `${who}: ${path} is read, with nothing to press`);
      }
      ok(await page.locator("nav a:has-text('API keys') .lock").count() === 1, `${who}: what an admin could let them see is listed, locked`);
    });
    await visit("viewer", async (page, who) => {
      await forbidden(page, who, world, ["/secrets", "/models", "/audit-digest", "/audit-log", "/audit-log/export", "/api-keys", "/billing", "/members", "/connections", "/notifications", "/webhooks", "/deliveries", "/variables/new", "/system-models"]);
      for (const path of ["/workspace", "/environments", "/variables?env=production"]) {
        await open(page, who, world, [path]);
        ok((await buttons(page)) === 0, `${who}: ${path} is read, with nothing to press`);
      }
      ok(await page.isVisible("text=OPENAI_API_KEY"), `${who}: variables are names`);
    });
    // An admin who owns no platform.
    await visit("jonas", async (page, who) => {
      await open(page, who, world, ["/workspace", "/environments/new", "/members/invite", "/api-keys/new", "/variables/new", "/secrets/new", "/connections", "/models/new", "/notifications", "/webhooks/new", "/audit-digest", "/audit-log/export", "/billing", "/sessions"]);
      ok((await page.locator("nav .locked").count()) === 0 && (await page.locator("nav a:has-text('System models')").count()) === 0, `${who}: nothing is locked, and what is the platform's is no entry`);
      await forbidden(page, who, world, ["/system-models", "/system-models/new", `/system-models/${world.models.house.id}/edit`]);
      await page.goto(`${world.settings}/models`);
      ok((await page.locator("section", { hasText: "Managed by the platform" }).locator("tbody a, tbody button[type=submit]").count()) === 0, `${who}: the platform's models are shown and not changed`);
    });
    // An owner of the platform who is no member: sees that the workspace is there, and none of its secrets.
    await visit("admin", async (page, who) => {
      const stranger = { ...world, settings: `${world.base}/globex/settings` };
      await open(page, `${who} as no member`, stranger, ["/workspace", "/system-models"]);
      ok((await page.textContent(".me-name")).includes("Platform owner"), `${who}: is told as what they are there`);
      await forbidden(page, `${who} as no member`, stranger, ["/secrets", "/secrets/new"]);
    });
  }
  for (const who of ["editor", "viewer"]) {
    const own = { origin: world.base, cookie: `settings=${world.people[who].token}` };
    const answer = await fetch(`${world.settings}/secrets/${world.secrets.stripe.id}/reveal`, { method: "POST", redirect: "manual", body: new URLSearchParams({}), headers: own });
    ok(answer.status === 403 && !(await answer.text()).includes("canary"), `${who}: can't reveal by hand`);
  }
  const crossing = await fetch(`${world.settings}/secrets/${world.secrets.stripe.id}/reveal`, { method: "POST", redirect: "manual", body: new URLSearchParams({}), headers: { origin: "https://evil.example", cookie: `settings=${world.people.admin.token}` } });
  ok(crossing.status === 403 && !(await crossing.text()).includes("canary"), "another site can't have a secret revealed");
};
