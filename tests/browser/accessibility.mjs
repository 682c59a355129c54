// axe on every screen, wide and narrow, light and dark; the markup itself; and reflow.
import fs from "node:fs";
import { HtmlValidate } from "html-validate";
import { context, ok } from "./lib.mjs";
import { apart, states } from "./states.mjs";

const axe = fs.readFileSync(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const run = async (page, name) => {
  const found = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
  ok(found.violations.length === 0, `axe ${name}: ${found.violations.map((v) => `${v.id} ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} :: ${n.any[0]?.message ?? n.failureSummary}`).join(" | ")}`).join("; ")}`);
};

const SIZES = { 1440: 1000, 390: 844 };
const size = (width) => ({ width, height: SIZES[width] });

// One screen in some sizes and themes, the first of which it is opened in. What it is does not depend on its size, so that
// it is resized, not opened again; but for the few that are reached another way where it is narrow.
const visit = async (page, world, [name, , go], looks, pictures) => {
  let opened = false;
  for (const [width, theme] of looks) {
    await page.setViewportSize(size(width));
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    if (!opened || apart.has(name)) await go(page, world);
    opened = true;
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    // What sticks to the window is drawn where the window is.
    if (pictures) await page.evaluate(() => window.scrollTo(0, 0));
    if (pictures) await page.screenshot({ path: `${pictures}/${name}-${width}-${theme}.png`, fullPage: !(await page.$("dialog[open]")) && !/menu|drawer|uses/.test(name) });
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
    await run(page, `${name} ${width} ${theme}`);
  }
};

// axe on every screen: wide in one theme and narrow in the other, in turns; with `full`, all four. And a picture of each.
// `part` of `parts` is what one of several does.
export const screens = async (browser, world, { pictures, full, part = 0, parts = 1 }) => {
  const pages = new Map();
  const pageOf = async (who) => {
    if (!pages.has(who)) pages.set(who, await (await context(browser, world, who, { viewport: size(1440) })).newPage());
    return pages.get(who);
  };
  for (const [i, state] of states.entries()) {
    if (i % parts !== part) continue;
    const [name, who] = state, even = Math.floor(i / parts) % 2 === 0;
    const all = [[1440, "light"], [390, "dark"], [1440, "dark"], [390, "light"]];
    const looks = full ? all : even ? all.slice(0, 2) : all.slice(2);
    try { await visit(await pageOf(who), world, state, looks, pictures); } catch (e) {
      ok(false, `${name}: ${e.message.split("\n")[0]}`);
      await pages.get(who)?.context().close();
      pages.delete(who);
    }
  }
  for (const page of pages.values()) await page.context().close();
};

const paths = (world) => ["/workspace", "/environments", "/environments/new", "/members", "/members/invite", `/members/${world.people.editor.id}/role`, `/members/${world.people.long.id}/remove`, `/members/${world.people.jonas.id}/remove`, "/roles", "/api-keys", "/api-keys?creator=departed", "/api-keys/new", `/api-keys/${world.key.id}/revoke`, "/variables", "/variables?env=production", "/variables?view=compare", "/variables/new", "/variables/import", `/variables/${world.variables.OPENAI_API_KEY.id}/edit`, `/variables/${world.variables.OPENAI_API_KEY.id}/delete`, "/secrets", "/secrets/new", ...["rotate", "seal", "reveal", "delete"].map((verb) => `/secrets/${world.secrets.stripe.id}/${verb}`), "/models", "/models/new", ...["edit", "test", "delete"].map((verb) => `/models/${world.models.bedrock.id}/${verb}`), "/system-models", `/system-models/${world.models.house.id}/edit`, "/notifications", "/notifications/test?channel=slack", "/webhooks", "/webhooks/new", ...["edit", "rotate", "status", "delete"].map((verb) => `/webhooks/${world.webhook.id}/${verb}`), "/deliveries", "/deliveries?status=failed", `/deliveries/${world.failed.id}`, "/connections", "/billing", "/audit-digest", "/audit-digest/preview", "/audit-log", "/audit-log/2", "/audit-log/verify", "/audit-log/export", "/sessions", "/sessions/others/end", "/find?q=role", "/nothing"];

export const reflow = async (browser, world) => {
  const spacing = "*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important} p{margin-block-end:2em!important}";
  const wideFont = ":root{--font:'DejaVu Sans'!important;--mono:'DejaVu Sans Mono'!important}";
  const views = [["320", 320, 640, ""], ["320 with spacing", 320, 640, spacing], ["1280 at 200 %", 640, 450, ""], ["768", 768, 1024, ""], ["900", 900, 900, ""], ["1024", 1024, 900, ""], ["1040", 1040, 900, ""], ["1040 with a wide font", 1040, 900, wideFont], ["320 with a wide font", 320, 640, wideFont]];
  const made = await context(browser, world, "admin");
  const page = await made.newPage();
  for (const path of paths(world)) {
    await page.goto(world.settings + path);
    for (const [label, width, height, css] of views) {
      await page.setViewportSize({ width, height });
      const [wider, parts] = await page.evaluate((text) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(text);
        document.adoptedStyleSheets = [sheet];
        const width = document.documentElement.clientWidth;
        const parts = [...document.querySelectorAll("main *")].filter((e) => { const r = e.getBoundingClientRect(); return r.width > 2 && r.right > width + 1 && !e.closest("pre,.vh,.cell-label,thead,[popover]"); });
        return [document.documentElement.scrollWidth > width, parts.slice(0, 3).map((e) => `${e.tagName}.${e.className}`)];
      }, css);
      ok(!wider && parts.length === 0, `reflow ${label} ${path}: ${wider} ${parts}`);
    }
  }
  await made.close();
};

// What every page says to the browser; the mailbox of the demonstration is a page, too.
const headers = new Map([
  ["content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fragment"],
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "same-origin"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
  ["permissions-policy", "camera=(), microphone=(), geolocation=(), payment=()"],
  ["cache-control", "no-store"],
]);

export const markup = async (world) => {
  const off = ["no-redundant-role", "void-style", "long-title", "no-implicit-button-type", "doctype-style", "attribute-boolean-style", "text-content", "no-trailing-whitespace"];
  const validator = new HtmlValidate({ extends: ["html-validate:standard"], rules: { ...Object.fromEntries(off.map((r) => [r, "off"])), "no-inline-style": "error" } });
  const check = async (url, who) => {
    const answer = await fetch(url, { headers: who ? { cookie: `settings=${world.people[who].token}` } : {} });
    const text = await answer.text(), said = [...headers].filter(([name, value]) => answer.headers.get(name) !== value && !(name === "referrer-policy" && !who));
    ok(said.length === 0, `headers of ${url}: ${said.map(([name]) => `${name}: ${answer.headers.get(name)}`)}`);
    const found = (await validator.validateString(text)).results.flatMap((r) => r.messages);
    ok(found.length === 0, `markup ${url} ${who}: ${found.map((m) => `${m.ruleId} ${m.message} @ ${text.split("\n")[m.line - 1]?.slice(Math.max(0, m.column - 40), m.column + 60)}`).slice(0, 4).join(" | ")}`);
    ok(!/\sstyle=|\son[a-z]+=/.test(text), `${url}: a style or event attribute`);
  };
  for (const path of paths(world)) for (const who of ["admin", "editor", "viewer"]) await check(world.settings + path, who);
  for (const path of ["/sign-in", "/sign-in/sgn_x", "/invitations/inv_x"]) await check(world.base + path, null);
  await check(`${world.base}/`, "admin");
  await check(`${world.base}/dev/mailbox`, null);
};
