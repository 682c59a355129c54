// Every screen that there is, and how to get there. Used by the accessibility checks and by the pictures.
import { dialogOpen, openDialog } from "./lib.mjs";

const at = (path) => (page, world) => page.goto(world.settings + path);
const dialog = (path, opener, then) => async (page, world) => {
  await page.goto(world.settings + path);
  await openDialog(page, opener(world));
  if (then) await then(page, world);
};
const row = (who, action) => async (page, world) => {
  const id = world.people[who].id;
  await page.goto(`${world.settings}/members`);
  await page.click(`[popovertarget="menu-${id}"]`);
  await page.click(`#menu-${id} a[href$="${id}/${action}"]`);
  await dialogOpen(page);
};

// name, who, how, and whether the picture shows the whole page
export const states = [
  ["sign-in", null, (p, w) => p.goto(`${w.base}/sign-in`)],
  ["sign-in-fault", null, async (p, w) => { await p.goto(`${w.base}/sign-in`); await p.evaluate(() => { document.querySelector("form").noValidate = true; }); await p.fill("#email", "nobody"); await p.click("[type=submit]"); await p.waitForSelector("#email-error"); }],
  ["link-dead", null, async (p, w) => { await p.goto(`${w.base}/sign-in/sgn_unknown`); await p.click("[type=submit]"); await p.waitForSelector("text=This link does not work"); }],
  ["invitation", null, (p, w) => p.goto(w.invitation)],
  ["invitation-dead", null, (p, w) => p.goto(`${w.base}/invitations/inv_unknown`)],
  ["choose", "admin", (p, w) => p.goto(`${w.base}/`)],
  ["switcher", "admin", async (p, w) => { await at("/workspace")(p, w); const menu = p.locator("button[popovertarget=nav] >> nth=0"); if (await menu.isVisible()) await menu.click(); await openDialog(p, ".ws-link"); }],
  ["general", "admin", at("/workspace")],
  ["general-dirty", "admin", async (p, w) => { await at("/workspace")(p, w); await p.fill("#name", "Acme Robotics Europe"); await p.fill("#seats", "20"); }],
  ["general-faults", "admin", async (p, w) => { await at("/workspace")(p, w); await p.evaluate(() => { document.querySelector("form[data-savebar]").noValidate = true; }); await p.fill("#name", " "); await p.fill("#retention", "0"); await p.fill("#seats", "1"); await p.click("text=Save changes"); await p.waitForSelector("#name-error"); }],
  ["general-confirm", "admin", async (p, w) => { await at("/workspace")(p, w); await p.fill("#retention", "45"); await p.click("text=Save changes"); await p.waitForSelector("text=Lower the data retention?"); }],
  ["general-viewer", "viewer", at("/workspace")],
  ["environments", "admin", at("/environments")],
  ["environment-new", "admin", dialog("/environments", () => "a[href$='environments/new']")],
  ["environment-delete", "admin", dialog("/environments", () => "a[href$='/delete'] >> nth=0")],
  ["members", "admin", at("/members")],
  ["members-none", "admin", at("/members?q=zzz")],
  ["members-menu", "admin", async (p, w) => { await at("/members")(p, w); await p.click(`[popovertarget="menu-${w.people.editor.id}"]`); }],
  ["members-editor", "editor", at("/members")],
  ["members-viewer", "viewer", at("/members")],
  ["invite", "admin", dialog("/members", () => "a[href$='members/invite']")],
  ["invite-fault", "admin", dialog("/members", () => "a[href$='members/invite']", async (p) => { await p.fill("#email", "jonas.weber@acme.example"); await p.click("dialog [type=submit]"); await p.waitForSelector("#email-error"); })],
  ["role", "admin", async (p, w) => { const id = w.people.editor.id; await at("/members")(p, w); if (await p.isVisible(`a.only-wide[href$="${id}/role"]`)) await p.click(`a.only-wide[href$="${id}/role"]`); else { await p.click(`[popovertarget="menu-${id}"]`); await p.click(`#menu-${id} a[href$="role"]`); } await dialogOpen(p); }],
  ["remove", "admin", row("jonas", "remove")],
  ["remove-page", "admin", (p, w) => p.goto(`${w.settings}/members/${w.people.jonas.id}/remove`)],
  ["roles", "viewer", at("/roles")],
  ["keys", "admin", at("/api-keys")],
  ["keys-departed", "admin", at("/api-keys?creator=departed")],
  ["keys-editor", "editor", at("/api-keys")],
  ["key-new", "admin", dialog("/api-keys", () => "a[href$='api-keys/new']", async (p) => { await p.fill("#name", "Release dashboard"); for (const s of ["workflows:read", "runs:read", "secrets:read"]) await p.check(`[value="${s}"]`); })],
  ["key-faults", "admin", dialog("/api-keys", () => "a[href$='api-keys/new']", async (p) => { await p.evaluate(() => { document.querySelector("dialog form").noValidate = true; }); await p.click("dialog [type=submit]"); await p.waitForSelector("#scope-error"); })],
  ["key-created", "admin", dialog("/api-keys", () => "a[href$='api-keys/new']", async (p) => { await p.fill("#name", "Release dashboard"); for (const s of ["workflows:read", "runs:read"]) await p.check(`[value="${s}"]`); await p.click("dialog [type=submit]"); await p.waitForSelector("#secret"); })],
  ["key-revoke", "admin", dialog("/api-keys", (w) => `a[href$='${w.key.id}/revoke']`)],
  ["key-in-use", "admin", dialog("/api-keys", (w) => `a[href$='${w.used.id}/revoke']`, async (p) => { await p.click("dialog [type=submit]"); await p.waitForSelector("text=Revoke anyway"); })],
  ["variables", "admin", at("/variables")],
  ["variables-production", "admin", at("/variables?env=production")],
  ["variables-uses", "admin", async (p, w) => { await at("/variables?env=production")(p, w); await p.click("[popovertarget^=uses-] >> nth=0"); }],
  ["variables-none", "admin", at("/variables?q=zzz")],
  ["variables-empty", "admin", (p, w) => p.goto(`${w.base}/northwind/settings/variables`)],
  ["variables-viewer", "viewer", at("/variables")],
  ["variables-compare", "admin", at("/variables?view=compare")],
  ["variables-compare-viewer", "viewer", at("/variables?view=compare&only=differences")],
  ["variable-new", "admin", dialog("/variables", () => "a[href$='variables/new']", async (p) => { await p.fill("#name", "mastodon access token"); await p.fill("#value", "not to be seen"); })],
  ["variable-faults", "admin", dialog("/variables", () => "a[href$='variables/new']", async (p) => { await p.evaluate(() => { document.querySelector("dialog form").noValidate = true; }); await p.fill("#name", "9 lives"); await p.fill("#value", "kept as a draft"); await p.click("dialog [type=submit]"); await p.waitForSelector("#name-error"); })],
  ["variable-edit", "admin", dialog("/variables?env=production", (w) => `a[href$='${w.variables.OPENAI_API_KEY.id}/edit']`)],
  ["variable-confirm", "admin", dialog("/variables?env=production", (w) => `a[href$='${w.variables.OPENAI_API_KEY.id}/edit']`, async (p) => { await p.fill("#value", "sk-2"); await p.click("dialog [type=submit]"); await p.waitForSelector("text=Save anyway"); })],
  ["variable-relied-on", "admin", dialog("/variables?env=production", (w) => `a[href$='${w.variables.OPENAI_API_KEY.id}/delete']`, async (p) => { await p.click("dialog [type=submit]"); await p.waitForSelector("text=Delete anyway"); })],
  ["import", "admin", dialog("/variables?env=staging", () => "a[href*='variables/import']")],
  ["import-faults", "admin", dialog("/variables?env=staging", () => "a[href*='variables/import']", async (p) => { await p.fill("#content", "GOOD=1\nnot a line\nif=2\n"); await p.click("dialog [type=submit]"); await p.waitForSelector("text=2 lines can’t be taken over"); })],
  ["import-preview", "admin", dialog("/variables?env=staging", () => "a[href*='variables/import']", async (p) => { await p.fill("#content", "DEBUG_MODE=true\nOPENAI_API_KEY=sk-new\nSENTRY_DSN=https://x@sentry.example/1\n"); await p.click("dialog [type=submit]"); await p.waitForSelector(".plan"); })],
  ["secrets", "admin", at("/secrets")],
  ["secrets-empty", "admin", (p, w) => p.goto(`${w.base}/northwind/settings/secrets`)],
  ["secrets-menu", "admin", async (p, w) => { await at("/secrets")(p, w); await p.click(`[popovertarget="menu-${w.secrets.stripe.id}"]`); }],
  ["secret-new", "admin", dialog("/secrets", () => "a[href$='secrets/new']")],
  ["secret-rotate", "admin", dialog("/secrets", (w) => `a[href$='${w.secrets.stripe.id}/rotate']`)],
  ["secret-rotate-confirm", "admin", dialog("/secrets", (w) => `a[href$='${w.secrets.stripe.id}/rotate']`, async (p) => { await p.fill("#value", "rk_live_next"); await p.click("dialog [type=submit]"); await p.waitForSelector("text=Rotate anyway"); })],
  ["secret-reveal", "admin", dialog("/secrets", (w) => `a[href$='${w.secrets.warehouse.id}/reveal']`)],
  ["secret-revealed", "admin", dialog("/secrets", (w) => `a[href$='${w.secrets.warehouse.id}/reveal']`, async (p) => { await p.click("dialog [type=submit]"); await p.waitForSelector("#secret"); })],
  ["secret-seal", "admin", (p, w) => p.goto(`${w.settings}/secrets/${w.secrets.stripe.id}/seal`)],
  ["secret-sealed", "admin", (p, w) => p.goto(`${w.settings}/secrets/${w.secrets.signing.id}/reveal`)],
  ["secret-relied-on", "admin", async (p, w) => { await p.goto(`${w.settings}/secrets/${w.secrets.stripe.id}/delete`); await p.click("main [type=submit]"); await p.waitForSelector("text=Delete anyway"); }],
  ["models", "admin", at("/models")],
  ["models-second-admin", "jonas", at("/models")],
  ["models-empty", "admin", (p, w) => p.goto(`${w.base}/northwind/settings/models`)],
  ["model-new", "admin", dialog("/models", () => "a[href$='models/new']", async (p) => { await p.check("[value=aws_bedrock]"); await p.check("[value=client_key]"); })],
  ["model-faults", "admin", dialog("/models", () => "a[href$='models/new']", async (p) => { await p.check("[value=custom]"); await p.fill("#url", "http://10.0.0.7/v1"); await p.click("dialog [type=submit]"); await p.waitForSelector("#url-error"); })],
  ["model-edit", "admin", dialog("/models", (w) => `a[href$='${w.models.claude.id}/edit']`)],
  ["model-moved", "admin", dialog("/models", (w) => `a[href$='${w.models.claude.id}/edit']`, async (p) => { await p.fill("#url", "https://models.acme.example/v1/messages"); await p.click("dialog [type=submit]"); await p.waitForSelector("#token-error"); })],
  ["model-tested", "admin", dialog("/models", (w) => `a[href$='${w.models.claude.id}/test']`, async (p) => { await p.click("dialog [type=submit]"); await p.waitForSelector("text=Result of the test"); })],
  ["model-relied-on", "admin", dialog("/models", (w) => `a[href$='${w.models.claude.id}/delete']`, async (p) => { await p.click("dialog [type=submit]"); await p.waitForSelector("text=Delete anyway"); })],
  ["system-models", "admin", at("/system-models")],
  ["system-model-relied-on", "admin", dialog("/system-models", (w) => `a[href$='${w.models.house.id}/delete']`, async (p) => { await p.click("dialog [type=submit]"); await p.waitForSelector("text=Delete anyway"); })],
  ["digest", "admin", at("/audit-digest")],
  ["digest-dirty", "admin", async (p, w) => { await at("/audit-digest")(p, w); await p.check("[name=enabled]"); await p.check("[value=monthly]"); await p.fill("#recipients", "security@acme.example\nmaya.okafor@acme.example"); }],
  ["digest-faults", "admin", async (p, w) => { await at("/audit-digest")(p, w); await p.check("[name=enabled]"); await p.uncheck("[value=high]"); await p.uncheck("[value=critical]"); await p.fill("#recipients", "security@acme.example\nnobody"); await p.click("text=Save changes"); await p.waitForSelector("#recipients-error"); }],
  ["digest-preview", "admin", at("/audit-digest/preview")],
  ["audit", "admin", at("/audit-log")],
  ["audit-filtered", "admin", at("/audit-log?risk=medium&action=member.updated")],
  ["audit-detail", "admin", dialog("/audit-log?action=workspace.updated", () => ".c-event a >> nth=0", (p) => p.click("summary"))],
  ["audit-verify", "admin", dialog("/audit-log", () => "a[href$='audit-log/verify']")],
  ["sessions", "admin", at("/sessions")],
  ["find", "admin", at("/find?q=seats")],
  ["not-found", "admin", at("/nothing-here")],
  ["drawer", "admin", async (p, w) => { await at("/members")(p, w); const menu = p.locator("button[popovertarget=nav] >> nth=0"); if (await menu.isVisible()) await menu.click(); }],
];
