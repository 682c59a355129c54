// What all checks share: the count, the browser, and a report of everything that a page complains about.
import { chromium } from "playwright-core";

export const count = { passed: 0, failed: 0 };
export const ok = (holds, what) => {
  if (holds) count.passed++;
  else { count.failed++; console.log(`FAIL ${what}`); }
  return holds;
};

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// Errors on the console, failed scripts and violations of the content policy, of every page. A portal that can't be opened
// is a 503.
export const complaints = [];
const expected = (url, text) => /status of (401|403|404|409|410|412|422|428)/.test(text) || (url.endsWith("/billing/portal") && text.includes("status of 503"));

export const context = async (browser, world, who, options = {}) => {
  const made = await browser.newContext({ reducedMotion: "reduce", viewport: { width: 1440, height: 1000 }, ...options });
  if (who) await made.addCookies([{ name: "settings", value: world.people[who].token, url: world.base, httpOnly: true, sameSite: "Lax" }]);
  if (options.javaScriptEnabled !== false) {
    await made.addInitScript(() => document.addEventListener("securitypolicyviolation", (e) => console.error(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sample}`)));
    made.on("page", (page) => {
      page.on("console", (m) => { if (m.type() === "error" && !expected(page.url(), m.text())) complaints.push(`${page.url()} ${m.text()}`); });
      page.on("pageerror", (e) => complaints.push(`${page.url()} ${e.message}`));
    });
  }
  return made;
};

export const dialogOpen = (page) => page.waitForSelector("dialog[open] .dlg");
export const openDialog = async (page, selector) => { await page.click(selector); await dialogOpen(page); };
