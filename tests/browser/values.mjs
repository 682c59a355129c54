// Variables, secrets, models and the audit digest: what people do with them, with script and without; and that no page
// holds a value but the one that reveals it.
import { context, dialogOpen, ok } from "./lib.mjs";

const open = async (browser, world, script, who = "admin") => {
  const how = script ? "script" : "no script";
  const made = await context(browser, world, who, { javaScriptEnabled: script, permissions: ["clipboard-read", "clipboard-write"] });
  const page = await made.newPage();
  // Everything that the service sends to this page, so that a value can be looked for in all of it.
  const sent = [];
  page.on("response", async (r) => { if (r.url().startsWith(world.base) && !r.url().includes("/static/")) sent.push(await r.text().catch(() => "")); });
  const seen = () => (script ? dialogOpen(page) : page.waitForSelector(".dlg-page"));
  const inside = script ? "dialog" : ".dlg-page";
  const press = (text) => page.click(`${inside} button:has-text("${text}")`);
  // The page before may have had a word of its own: this very one is waited for.
  const said = async (text) => { await page.locator(".flash", { hasText: text }).waitFor({ timeout: 10_000 }); return true; };
  const row = (text) => page.locator("tbody tr", { hasText: text });
  const silent = (value) => !sent.some((text) => text.includes(value));
  return { how, made, page, seen, inside, press, said, row, silent, sent };
};
const api = (world, method, at, body) => fetch(world.base + at, { method, body: body && JSON.stringify(body), headers: { authorization: `Bearer ${world.people.admin.token}`, accept: "application/json", ...(body && { "content-type": "application/json" }) } });
// Whether a variable has this value: told by the comparison of an import, for no call gives a value.
const holds = async (world, environment, line) => {
  const organizationId = (await world.api("GET", "/workspace")).id;
  const answer = await api(world, "POST", "/api/variables/import/preview", { organizationId, environmentId: world.environments[environment], content: line });
  return (await answer.json()).items?.[0]?.change === "same";
};

export const variables = async (browser, world, script) => {
  const { how, made, page, seen, inside, press, said, row, silent } = await open(browser, world, script);
  const name = script ? "WITH_SCRIPT" : "WITHOUT_SCRIPT", value = `canary-${name}`;
  await page.goto(`${world.settings}/variables?env=staging`);
  await page.click("a[href*='variables/new']");
  await seen();
  ok((await page.inputValue("#environment")) === world.environments.staging, `${how}: the environment one came from is chosen`);
  await page.fill("#name", name.toLowerCase().replace("_", " "));
  await page.fill("#value", value);
  ok((await page.evaluate(() => getComputedStyle(document.querySelector("#value")).webkitTextSecurity)) === "disc", `${how}: a value is masked`);
  await page.check(`${inside} .peek input`);
  ok((await page.evaluate(() => getComputedStyle(document.querySelector("#value")).webkitTextSecurity)) === "none", `${how}: and shown to who types it`);
  await press("Create variable");
  await page.waitForSelector("#name-error");
  ok((await page.inputValue("#value")) === "" && await page.isVisible("text=What you entered is kept"), `${how}: a fault keeps the value, unseen`);
  if (script) { await page.click("[data-offer]"); ok((await page.inputValue("#name")) === name, "the usual spelling is offered"); } else await page.fill("#name", name);
  await press("Create variable");
  ok(await said(`Variable ${name} created`), `${how}: created`);
  ok(page.url().endsWith("variables?env=staging") && await holds(world, "staging", `${name}=${value}`), `${how}: with the value that was typed first`);
  // Rename, keeping the value.
  await row(name).locator("a:has-text('Edit')").click();
  await seen();
  ok((await page.inputValue("#value")) === "", `${how}: an edit does not show the value`);
  await page.fill("#name", `${name}_2`);
  await press("Save variable");
  ok(await said(`${name}_2 saved`) && await holds(world, "staging", `${name}_2=${value}`), `${how}: a blank value is kept`);
  // Production asks first, and nothing has to be typed again.
  const organizationId = (await world.api("GET", "/workspace")).id;
  const made_ = await (await api(world, "POST", "/api/variables", { organizationId, environmentId: world.environments.production, name, value: "before" })).json();
  await world.api("PUT", `/references/workflow/${name}`, { name: `Uses ${name}`, uses: [{ kind: "variable", id: made_.id }] });
  await page.goto(`${world.settings}/variables?env=production&q=${name}`);
  await page.click(`[popovertarget="uses-${made_.id}"]`);
  ok(await page.isVisible(`text=Uses ${name}`), `${how}: what uses a variable is on it`);
  await page.keyboard.press("Escape");
  await row(name).locator("a:has-text('Edit')").click();
  await seen();
  await page.fill("#value", value);
  await press("Save variable");
  await page.waitForSelector("text=its present value is lost");
  await press("Save anyway");
  ok(await said(`${name} saved`) && await holds(world, "production", `${name}=${value}`), `${how}: confirmed, with the value that was typed before`);
  await page.goto(`${world.settings}/variables?q=${name}`);
  await page.locator(`a[href$='${made_.id}/delete']`).click();
  await seen();
  await press("Delete variable");
  await page.waitForSelector(`${inside} :text("It uses the variable and fails without it.")`);
  await press("Delete anyway");
  ok(await said("deleted"), `${how}: deleted once its uses were confirmed`);
  if (script) {
    await page.goto(`${world.settings}/variables`);
    await page.fill("#q", `${name}_2`);
    await page.waitForFunction(() => document.querySelectorAll("#variable-list tbody tr").length === 1);
    ok(page.url().includes(`q=${name}_2`), "variables are found while typing");
  }
  // What is missing is added from the comparison.
  await page.goto(`${world.settings}/variables?view=compare`);
  await page.locator(`a[href*='variables/new?env=production&name=${name}_2']`).click();
  await seen();
  ok((await page.inputValue("#name")) === `${name}_2` && (await page.inputValue("#environment")) === world.environments.production, `${how}: what is missing is added where it is`);
  for (const path of ["/variables", "/variables?view=compare", "/environments", "/audit-log", "/audit-log?action=variable.updated"]) await page.goto(world.settings + path);
  ok(silent(value), `${how}: nothing that was sent holds the value`);
  await made.close();
};

export const imports = async (browser, world, script) => {
  const { how, made, page, seen, press, said, silent } = await open(browser, world, script);
  const mark = script ? "A" : "B", value = `canary-import-${mark}`;
  await page.goto(`${world.settings}/variables?env=development`);
  await page.click("a[href*='variables/import']");
  await seen();
  const file = `# from a file\nDEBUG_MODE=true\nIMPORTED_${mark}="${value}"\n`;
  await page.fill("#content", `${file}not a line\n`);
  await press("Preview import");
  await page.waitForSelector("text=1 line can’t be taken over");
  ok(await page.isVisible("text=Line 4: "), `${how}: a fault names its line`);
  ok((await page.inputValue("#content")) === (script ? `${file}not a line\n` : ""), `${how}: the file ${script ? "stays in the browser" : "is not sent back"}`);
  if (script) await page.setInputFiles("[data-file]", { name: ".env", mimeType: "text/plain", buffer: Buffer.from(file) });
  else await page.fill("#content", file);
  if (script) await page.waitForFunction((text) => document.querySelector("#content").value === text, file);
  await press("Preview import");
  await page.waitForSelector(".plan");
  ok((await page.textContent(".plan caption")).startsWith("1 added, 0 changed, 1 stay"), `${how}: a preview says what would happen`);
  ok(!(await holds(world, "development", `IMPORTED_${mark}="${value}"`)), `${how}: and changes nothing`);
  await press("Import 1 variable");
  ok(await said("1 added, 0 changed") && page.url().endsWith("?env=development"), `${how}: imported`);
  ok(await holds(world, "development", `IMPORTED_${mark}="${value}"`), `${how}: with the value of the file`);
  // Into production: what is overwritten is listed first.
  await page.goto(`${world.settings}/variables/import?env=production`);
  await page.fill("#content", `MASTODON_ACCESS_TOKEN=${value}\n`);
  await page.click("button:has-text('Preview import')");
  await page.waitForSelector(".plan");
  await page.click("button:has-text('Import 1 variable')");
  await page.waitForSelector("text=It is in production; its present value is lost");
  await page.click("button:has-text('Overwrite and import')");
  ok(await said("0 added, 1 changed") && await holds(world, "production", `MASTODON_ACCESS_TOKEN=${value}`), `${how}: confirmed and imported`);
  ok(silent(value), `${how}: nothing that was sent holds a value of the file`);
  await made.close();
};

export const secrets = async (browser, world, script) => {
  const { how, made, page, seen, press, said, row, sent } = await open(browser, world, script);
  const name = `Signing key ${script ? "A" : "B"}`, value = `-----BEGIN ${name}-----\nline </textarea> & more\n-----END-----\n`;
  await page.goto(`${world.settings}/secrets`);
  await page.click("a[href*='secrets/new']");
  await seen();
  await page.fill("#name", name);
  await page.fill("#value", value);
  await page.selectOption("#environment", world.environments.production);
  await press("Create secret");
  ok(await said(`“${name}” created`), `${how}: created`);
  ok(!sent.some((text) => text.includes("-----BEGIN")), `${how}: without a word of its value`);
  const { items } = await world.api("GET", "/secrets?limit=100");
  const id = items.find((s) => s.name === name).id;
  const accessed = async () => (await world.api("GET", "/audit/events?action=secret.accessed&limit=100")).items.length;
  const before = await accessed();
  await row(name).locator("a:has-text('Reveal')").click();
  await seen();
  ok(await page.isVisible("text=This is logged.") && await accessed() === before, `${how}: a reveal says first that it is logged`);
  await press("Reveal value");
  await page.waitForSelector("#secret");
  ok((await page.inputValue("#secret")) === value, `${how}: the value is shown byte for byte`);
  ok(await accessed() === before + 1, `${how}: its event is there`);
  if (script) {
    ok(page.url().endsWith("/secrets?env=production"), "its address shows nothing");
    await page.click("[data-copy]");
    ok((await page.evaluate(() => navigator.clipboard.readText())) === value, "copying copies");
    await page.click("dialog .dlg-foot [data-close]");
    await page.waitForSelector("dialog[open]", { state: "detached" });
    ok(!(await page.content()).includes("-----BEGIN"), "closed, it is gone from the page");
    await page.reload();
    ok(!(await page.content()).includes("-----BEGIN"), "and a reload does not bring it back");
  } else {
    await page.reload();
    ok(await page.isVisible("text=This was shown already") && !(await page.content()).includes("-----BEGIN"), "no script: a reload shows it no second time");
  }
  ok(await accessed() === before + 1, `${how}: and leaves no second event`);
  // Shown as a page, left and come back to.
  const other = await made.newPage();
  await other.goto(`${world.settings}/secrets/${id}/reveal`);
  await other.click("button:has-text('Reveal value')");
  await other.waitForSelector("#secret");
  await other.goto(`${world.settings}/workspace`);
  // Without the page in its memory the browser wants to send the form again, and asks first: an error page here.
  await other.goBack().catch(() => {});
  const there = () => other.evaluate(() => document.documentElement.outerHTML + [...document.querySelectorAll("textarea")].map((t) => t.value).join(""));
  let kept = null;
  // The error page may take the place of what was asked while it is asked.
  for (let tries = 0; kept === null && tries < 20; tries++) kept = await there().catch(() => other.waitForLoadState().then(() => null));
  if (kept === null) throw new Error("the page that was gone back to can't be read");
  await other.close();
  ok(!kept.includes("-----BEGIN"), `${how}: going back does not show it again`);
  // Rotate in production: confirmed, and not typed again.
  await page.goto(`${world.settings}/secrets`);
  await row(name).locator("a:has-text('Rotate')").click();
  await seen();
  await page.fill("#value", `rotated ${name}`);
  await press("Rotate secret");
  await page.waitForSelector("text=whoever still uses that fails");
  await press("Rotate anyway");
  ok(await said("rotated"), `${how}: rotated`);
  ok((await world.api("POST", `/secrets/${id}/reveal`, {})).value === `rotated ${name}`, `${how}: to the value that was typed before`);
  // Sealed for good.
  await row(name).locator("[popovertarget^=menu-]").click();
  await page.click(".menu:popover-open a:has-text('Seal')");
  await seen();
  await press("Seal secret");
  ok(await said("Nobody can reveal it any more"), `${how}: sealed`);
  ok((await row(name).locator("a:has-text('Reveal')").count()) === 0 && await row(name).locator("text=Sealed").isVisible(), `${how}: and says so`);
  ok((await api(world, "POST", `/w/acme/secrets/${id}/reveal`, {})).status === 409, `${how}: for every door`);
  await row(name).locator("[popovertarget^=menu-]").click();
  await page.click(".menu:popover-open a:has-text('Delete')");
  await seen();
  await press("Delete secret");
  await page.waitForSelector("text=Delete anyway");
  await press("Delete anyway");
  ok(await said("deleted") && (await row(name).count()) === 0, `${how}: deleted`);
  await made.close();
};

export const models = async (browser, world, script) => {
  const { how, made, page, seen, inside, press, said, row, silent } = await open(browser, world, script);
  const name = `Model ${script ? "A" : "B"}`, secret = `canary-${name}`;
  await page.goto(`${world.settings}/models`);
  await page.click("a[href$='models/new']");
  await seen();
  ok(await page.isVisible("#token") && !(await page.isVisible("#clientKey")), `${how}: the fields of the chosen kind are seen`);
  await page.check(`${inside} [value=aws_bedrock]`);
  await page.check(`${inside} [value=client_key]`);
  ok(!(await page.isVisible("#token")) && await page.isVisible("#secretKey"), `${how}: and change with it`);
  await page.fill("#name", name);
  await page.fill("#url", "https://10.0.0.7/v1");
  await page.fill("#clientKey", "AKIACANARY");
  await page.fill("#secretKey", secret);
  await press("Create model");
  await page.waitForSelector("#url-error");
  ok(await page.isChecked("[value=client_key]") && (await page.inputValue("#name")) === name, `${how}: a fault keeps what was typed`);
  await page.fill("#url", "https://bedrock-runtime.us-east-1.amazonaws.com/model/x/invoke");
  await press("Create model");
  ok(await said(`“${name}” created`), `${how}: created`);
  const there = (await world.api("GET", "/settings/model-integrations?limit=100")).items.find((m) => m.name === name);
  ok(there.hasClientKey && there.provider === "aws_bedrock", `${how}: with the pair that was typed first`);
  await row(name).locator("a:has-text('Test')").click();
  await seen();
  await press("Run test");
  await page.waitForSelector("text=Result of the test");
  ok(await page.isVisible(`${inside} :text("It can’t be reached.")`) && await page.isVisible(`${inside} :text("Took")`), `${how}: a test says what is wrong`);
  await page.click(`${inside} a:has-text("Done")`);
  // Another origin needs the credential again.
  await page.goto(`${world.settings}/models`);
  await row(name).locator("a:has-text('Edit')").click();
  await seen();
  await page.fill("#url", "https://models.acme.example/v1");
  await press("Save model");
  await page.waitForSelector("#clientKey-error");
  ok((await page.textContent("#clientKey-error")).includes("never sent to another place"), `${how}: a new origin needs the credential again`);
  await page.check(`${inside} [value=token]`);
  await page.fill("#token", secret);
  await press("Save model");
  ok(await said(`“${name}” saved`), `${how}: saved with another kind`);
  const moved = (await world.api("GET", "/settings/model-integrations?limit=100")).items.find((m) => m.name === name);
  ok(moved.hasToken && moved.modelUrl === "https://models.acme.example/v1", `${how}: and at another place`);
  await world.api("PUT", `/references/prompt/${script ? "ma" : "mb"}`, { name: `Asks ${name}`, uses: [{ kind: "model", id: moved.id }] });
  await row(name).locator("a:has-text('Delete')").click();
  await seen();
  ok(await page.isVisible(`${inside} :text("Asks ${name}")`), `${how}: what uses a model is named`);
  await press("Delete model");
  await page.waitForSelector("text=Delete anyway");
  await press("Delete anyway");
  ok(await said("deleted"), `${how}: deleted`);
  // The platform's.
  ok(await page.isVisible("text=Managed by the platform") && (await page.locator("section", { hasText: "Managed by the platform" }).locator("tbody a").count()) === 0, `${how}: system models are shown and not changed here`);
  const choices = async () => (await (await api(world, "GET", `/api/models/selectable?organizationId=${(await world.api("GET", "/workspace")).id}`)).json()).items.map((m) => m.name);
  await page.goto(`${world.settings}/system-models`);
  const flip = row("House GPT").first().locator("[role=switch]");
  ok((await flip.getAttribute("aria-checked")) === "true", `${how}: a switch says what it is`);
  await flip.click();
  ok(await said("Prompts that use it keep working") && !(await choices()).includes("House GPT"), `${how}: hidden at once`);
  await row("House GPT").first().locator("[role=switch]").click();
  ok(await said("visible to every workspace") && (await choices()).includes("House GPT"), `${how}: and visible again`);
  ok(silent(secret) && silent("AKIACANARY"), `${how}: nothing that was sent holds a credential`);
  await made.close();
};

export const digest = async (browser, world, script) => {
  const { how, made, page, said } = await open(browser, world, script);
  const stored = () => world.api("GET", "/workspace/audit-digest");
  await page.goto(`${world.settings}/audit-digest`);
  const runs = () => page.locator("#next-runs li").allTextContents();
  ok((await runs()).length === 3, `${how}: the next three runs are shown`);
  await page.check("[value=weekly]");
  ok(await page.isVisible("#dayOfWeek") && !(await page.isVisible("#dayOfMonth")), `${how}: a weekly digest asks for its day`);
  await page.check("[value=monthly]");
  ok(await page.isVisible("#dayOfMonth") && !(await page.isVisible("#dayOfWeek")), `${how}: a monthly one for its own`);
  await page.selectOption("#dayOfMonth", "28");
  await page.selectOption("#hour", "5");
  if (script) {
    await page.waitForFunction(() => [...document.querySelectorAll("#next-runs li")].every((li) => / 28 /.test(li.textContent) && /05:00 UTC/.test(li.textContent)));
    ok((await stored()).frequency !== "monthly" || (await stored()).hourUTC !== 5, "the next runs follow what is chosen, before it is saved");
  }
  await page.check("[name=enabled]");
  await page.fill("#recipients", "security@acme.example\nnobody\n");
  await page.click("text=Save changes");
  await page.waitForSelector("#recipients-error");
  ok((await page.textContent("#recipients-error")).includes("Line 2") && (await page.inputValue("#recipients")).startsWith("security@acme.example\nnobody"), `${how}: a fault names its line and keeps the rest`);
  await page.fill("#recipients", "security@acme.example\nmaya@acme.example\n");
  await page.check("[value=medium]");
  await page.click("text=Save changes");
  ok(await said("The next one goes on"), `${how}: saved`);
  ok(await page.isVisible("text=On day 28 of every month at 05:00 UTC, to 2 people."), `${how}: and said in a sentence`);
  const now = await stored();
  ok(now.enabled && now.dayOfMonth === 28 && now.dayOfWeek === undefined && now.recipients.length === 2 && now.includeRiskLevels.includes("medium"), `${how}: as chosen`);
  // Somebody else was first.
  await world.api("PUT", "/workspace/audit-digest", { enabled: true, frequency: "daily", hourUTC: 7, includeRiskLevels: ["high"], recipients: ["other@acme.example"] });
  await page.click("text=Save changes");
  await page.waitForSelector(".versions");
  ok((await page.textContent(".versions")).includes("other@acme.example"), `${how}: both versions are shown`);
  await page.goto(`${world.settings}/audit-digest/preview`);
  ok((await page.locator(".runs li").count()) === 3 && await page.isVisible("text=Every day at 07:00 UTC."), `${how}: a preview of what is saved`);
  await page.goto(`${world.settings}/audit-digest`);
  await page.uncheck("[name=enabled]");
  await page.click("text=Save changes");
  ok(await said("It is off") && (await stored()).nextDueAt === null, `${how}: switched off`);
  await made.close();
};
