// A running service with people in it. It is the real program, on a database of its own. Only what is
// outside of it is ours: a receiver of webhooks, a Slack, and a Stripe.
import { spawn, execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { receive } from "./receiver.mjs";
import { stripe } from "./stripe.mjs";

const PEOPLE = [
  ["jonas", "jonas.weber@acme.example", "Jonas Weber", "admin"],
  ["editor", "lena.fischer@acme.example", "Lena Fischer", "editor"],
  ["priya", "priya.raman@acme.example", "Priya Raman", "editor"],
  ["viewer", "kenji.watanabe@acme.example", "Kenji Watanabe", "viewer"],
  ["long", "alexandria.montgomery-featherstonehaugh@subsidiary.acme-robotics.example", "Alexandria Montgomery-Featherstonehaugh", "viewer"],
  ["gone", "sam.ito@contractor.example", "Sam Ito", "admin"],
];

// `store` is "sqlite", or the URL of an empty Postgres database.
export const start = async (binary, store) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "settings-browser-"));
  const sqlite = store === "sqlite", outside = await receive(), payments = await stripe();
  const child = spawn(binary, ["serve"], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      SETTINGS_BIND: "127.0.0.1:0",
      SETTINGS_DEMO: "on",
      SETTINGS_RATE_LIMIT: "off",
      DATABASE_URL: sqlite ? "sqlite://data/settings.db" : store,
      SETTINGS_OUTBOUND_ALLOW: "127.0.0.0/8",
      SLACK_CLIENT_ID: "1.2",
      SLACK_CLIENT_SECRET: "secret",
      SLACK_API_BASE: outside.url,
      STRIPE_SECRET_KEY: "sk_test_0123456789abcdef",
      STRIPE_API_BASE: payments.url,
      RUST_LOG: "warn",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "", log = "";
  child.stderr.on("data", (d) => { log += d; });
  const first = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the service does not start\n${log}`)), 60_000);
    child.once("exit", (code) => reject(new Error(`the service ended with ${code}\n${log}`)));
    child.stdout.on("data", (d) => {
      said += d;
      const base = /listening on (http:\S+)/.exec(said), link = /sign in as its admin: (\S+)/.exec(said);
      if (base && link) { clearTimeout(late); resolve({ base: base[1], link: link[1] }); }
    });
  });
  const world = { base: first.base, settings: `${first.base}/acme/settings`, people: {}, folder, outside, stripe: payments, store: sqlite ? "SQLite" : "Postgres" };
  world.stop = async () => {
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    outside.close();
    payments.close();
    fs.rmSync(folder, { recursive: true, force: true });
  };
  world.log = () => log;
  world.database = sqlite ? path.join(folder, "data", "settings.db") : store;
  await settle(world, first.link);
  return world;
};

const json = async (url, options = {}, token) => {
  const headers = { accept: "application/json", ...(token && { authorization: `Bearer ${token}` }), ...(options.body && { "content-type": "application/json" }) };
  const answer = await fetch(url, { ...options, headers: { ...headers, ...options.headers } });
  if (!answer.ok) throw new Error(`${options.method ?? "GET"} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
};

export const mailTo = async (world, address, after = 0) => {
  for (let tries = 0; tries < 200; tries++) {
    const { items } = await json(`${world.base}/dev/mailbox`);
    const mine = items.filter((m) => m.to === address);
    if (mine.length > after) return mine[0].link;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no mail to ${address}`);
};

const settle = async (world, link) => {
  const admin = (await json(link, { method: "POST" })).token;
  world.in = (slug) => (method, at, body, token = admin) => json(`${world.base}/w/${slug}${at}`, { method, body: body && JSON.stringify(body) }, token);
  const api = world.api = world.in("acme");
  world.people.admin = { token: admin, email: "admin@acme.example", name: "Maya Okafor" };
  await use(world);
  await api("PUT", "/workspace", { name: "Acme Robotics", seatLimit: 12 });
  for (const [who, email, name, role] of PEOPLE) {
    await api("POST", "/workspace/members", { email, role });
    const token = (await json(await mailTo(world, email), { method: "POST" })).token;
    world.people[who] = { token, email, name, role };
  }
  for (const name of ["staging", "development"]) {
    const { items } = await api("GET", "/workspace/environments");
    await api("PUT", "/workspace/environments", { environments: [...items.map(({ id, name, tier }) => ({ id, name, tier })), { name, tier: name }] });
  }
  const key = (who, name, scopes) => api("POST", "/workspace/api-keys", { name, scopes }, world.people[who].token);
  world.key = await key("jonas", "CI deploy pipeline", ["workflows:read", "workflows:write", "runs:read", "runs:write"]);
  await key("admin", "Grafana dashboards", ["workflows:read", "runs:read"]);
  await key("admin", "SIEM export", ["audit:read"]);
  await key("gone", "Vault sync", ["secrets:read", "workspace:read"]);
  world.used = await key("admin", "Nightly backup", ["workspace:read"]);
  await json(`${world.base}/workspace`, { headers: { "x-api-key": world.used.key } });
  await fill(world);
  // Names come from an identity provider; people who come by e-mailed links have none, so the database is told.
  name(world, [["admin@acme.example", "Maya Okafor"], ...PEOPLE.map(([, email, name]) => [email, name])]);
  // A second workspace with nothing in it, a third in which things went wrong, and one of somebody else.
  const organization = (name, slug, adminEmail = "admin@acme.example") => json(`${world.base}/api/organizations`, { method: "POST", body: JSON.stringify({ name, slug, adminEmail }) }, admin);
  await organization("Northwind Labs", "northwind");
  await organization("Initech", "initech");
  await organization("Globex", "globex", "jonas.weber@acme.example");
  const { items } = await api("GET", "/workspace/members?limit=100");
  for (const m of items) for (const p of Object.values(world.people)) if (p.email === m.email) p.id = m.userId;
  await api("DELETE", `/workspace/members/${world.people.gone.id}`);
  for (const [email, role] of [["dana.cole@acme.example", "editor"], ["noor.haddad@contractor.example", "viewer"]]) await api("POST", "/workspace/members", { email, role }, world.people[role === "viewer" ? "jonas" : "admin"].token);
  world.invitation = await mailTo(world, "dana.cole@acme.example");
  await api("POST", "/workspace/members", { email: "late.comer@people.example", role: "viewer" });
  world.late = await mailTo(world, "late.comer@people.example");
  sql(world, "UPDATE invitations SET expires_at = created_at + 1 WHERE email = 'late.comer@people.example'", (await api("GET", "/workspace")).id);
  await trouble(world);
  await until("a subscription", async () => (await world.api("GET", "/billing/summary")).plan);
};

// What was read of a subscription is as good as new for five minutes: these have passed.
export const age = async (world) => sql(world, "UPDATE billing_accounts SET read_at = read_at - 600000000", (await world.api("GET", "/workspace")).id);

// A member more, to be erased.
export const disposable = async (world) => {
  const email = `disposable.${world.disposables = (world.disposables ?? 0) + 1}@people.example`;
  await world.api("POST", "/workspace/members", { email, role: "editor" });
  await json(await mailTo(world, email), { method: "POST" });
  const { items } = await world.api("GET", "/workspace/members?limit=100");
  return [items.find((m) => m.email === email).userId, email];
};

// A Slack that revoked its token, so that what is for it waits; and a payment that failed.
const trouble = async (world) => {
  const api = world.in("initech");
  await connect(world, api, { token: "xoxb-revoked", team: "Initech", channel: "#tps-reports" });
  await api("PUT", "/workspace/notifications", { preferences: [{ event: "run_failed", channels: ["email", "slack"], recipients: [] }] });
  await api("POST", "/workspace/notifications/test", { channel: "slack" });
  await until("a parked delivery", async () => (await api("GET", "/workspace/notifications/deliveries?status=parked")).items[0]);
  await until("a payment that is past due", async () => (await api("GET", "/billing/summary")).plan?.status === "past_due");
};

// What was used this month.
const use = async (world) => {
  const { key } = await world.api("POST", "/workspace/api-keys", { name: "Runner", scopes: ["runs:write"] });
  const report = (metric, day, quantity) => json(`${world.base}/usage`, { method: "POST", headers: { "x-api-key": key }, body: JSON.stringify({ id: `${metric}-${day}`, metric, quantity, at: new Date(Date.now() - day * 86_400_000).toISOString() }) });
  for (let day = 22; day >= 0; day--) {
    const weekend = [0, 6].includes(new Date(Date.now() - day * 86_400_000).getUTCDay());
    await Promise.all([report("runs", day, weekend ? 12 : 110 + ((day * 37) % 90)), report("model_tokens", day, (weekend ? 3_000 : 90_000) + day * 4_211)]);
  }
};

export const until = async (what, look) => {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no ${what} after 20 seconds`);
};

// Variables in three environments, and a workflow that says what it uses.
const fill = async (world) => {
  const { items } = await world.api("GET", "/workspace/environments");
  world.environments = Object.fromEntries(items.map((e) => [e.name, e.id]));
  const organizationId = (await world.api("GET", "/workspace")).id;
  const variable = (name, environment, value) => api(world, "POST", "/api/variables", { organizationId, environmentId: world.environments[environment], name, value });
  for (const [name, production, staging, development] of [
    ["DEBUG_MODE", "false", "true", "true"],
    ["MASTODON_ACCESS_TOKEN", "a1", "a2", null],
    ["MASTODON_SERVER_URL", "https://social.acme.example", "https://social.acme.example", "https://mastodon.example"],
    ["OPENAI_API_KEY", "sk-1", "sk-1", "sk-1"],
    ["WAREHOUSE_URL", null, "https://warehouse.acme.example", null],
  ]) {
    if (production) (world.variables ??= {})[name] = await variable(name, "production", production);
    if (staging) await variable(name, "staging", staging);
    if (development) await variable(name, "development", development);
  }
  const secret = (name, environment, value, sealed = false) => world.api("POST", "/secrets", { name, value, sealed, environmentId: world.environments[environment] });
  world.secrets = {
    stripe: await secret("Stripe restricted key", "production", "rk_live_canary"),
    signing: await secret("Webhook signing key", "production", "whsec_canary", true),
    warehouse: await secret("Warehouse password", "staging", "correct horse\nbattery staple"),
  };
  await world.api("POST", `/secrets/${world.secrets.warehouse.id}/rotate`, { value: "correct horse\nbattery staple" });
  await world.api("PUT", "/references/workflow/wf-2", { name: "Charge customers", uses: [{ kind: "secret", id: world.secrets.stripe.id }] });
  const model = (body) => world.api("POST", "/settings/model-integrations", body);
  world.models = {
    claude: await model({ provider: "anthropic", name: "Claude for releases", description: "Release notes and changelogs", credential: { token: "sk-ant-canary" } }),
    bedrock: await model({ provider: "aws_bedrock", name: "Claude on Bedrock", modelUrl: "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-3-sonnet/invoke", credential: { clientKey: "AKIACANARY", secretKey: "canary" } }),
  };
  const system = (body) => api(world, "POST", "/api/system-models", body);
  world.models.house = await system({ name: "House GPT", description: "For every workspace", modelUrl: "https://api.openai.com/v1/chat/completions", token: "sk-canary" });
  world.models.old = await system({ name: "House GPT (old)", modelUrl: "https://legacy.openai.com/v1/chat/completions", token: "sk-canary" });
  await api(world, "PUT", `/api/system-models/${world.models.old.id}/visibility`, { visible: false });
  await world.api("PUT", "/references/prompt/pr-9", { name: "Write changelog", uses: [{ kind: "model", id: world.models.claude.id }, { kind: "model", id: world.models.house.id }] });
  await tell(world);
  const uses = ["OPENAI_API_KEY", "MASTODON_ACCESS_TOKEN"].map((name) => ({ kind: "variable", id: world.variables[name].id }));
  await world.api("PUT", "/references/workflow/wf-1", { name: "Publish release notes", uses });
  await world.api("PUT", "/references/prompt/pr-7", { name: "Summarise incident", uses: uses.slice(0, 1) });
};
const connect = async (world, api, grant) => {
  world.outside.grant = grant;
  const { url } = await api("POST", "/connections/slack/authorize");
  const back = new URL((await fetch(url, { redirect: "manual" })).headers.get("location"));
  await api("GET", `/connections/slack/callback${back.search}`);
  world.outside.grant = null;
};
// Slack connected, webhooks in every state, and deliveries that came to an end.
const tell = async (world) => {
  await connect(world, world.api);
  const hook = (url, events) => world.api("POST", "/webhooks/subscriptions", { url, events });
  const old = await hook("https://legacy.acme.example/hooks/in", ["run_failed"]);
  await world.api("PUT", `/webhooks/subscriptions/${old.id}`, { status: "disabled" });
  await hook("https://hooks.acme.example/settings", ["run_failed", "approval_requested", "mcp_server_degraded"]);
  world.webhook = await hook(`${world.outside.url}/gone/sample`, ["run_failed", "secret_rotated"]);
  world.outside.takes = false;
  for (const channel of ["email", "slack", "webhook"]) world.failed = await world.api("POST", "/workspace/notifications/test", { channel });
  for (let tries = 0; tries < 100 && world.failed.status === "pending"; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    world.failed = await world.api("GET", `/workspace/notifications/deliveries/${world.failed.id}`);
  }
  await world.api("PUT", "/workspace/notifications", { preferences: [
    { event: "run_failed", channels: ["email", "slack", "webhook"], recipients: ["oncall@acme.example", "jonas.weber@acme.example"] },
    { event: "workflow_deployed", channels: ["slack"] },
  ] });
};
const api = (world, method, at, body) => json(world.base + at, { method, body: JSON.stringify(body) }, world.people.admin.token);

// What only the database can be told: names, and that time has passed. `workspace` is needed where rows belong to one.
export const sql = (world, text, workspace) => {
  if (world.store === "Postgres") execFileSync("psql", ["-q", "-v", "ON_ERROR_STOP=1", "-d", world.database, "-c", workspace ? `SET settings.workspace = '${workspace}'; ${text}` : text]);
  else execFileSync("python3", ["-c", "import sqlite3,sys\nd=sqlite3.connect(sys.argv[1],timeout=30)\nd.executescript(sys.argv[2])\nd.commit()", world.database, text]);
};
const name = (world, names) => {
  const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
  sql(world, names.map(([email, name]) => `UPDATE users SET name = ${quoted(name)} WHERE email = ${quoted(email)};`).join("\n"));
};
