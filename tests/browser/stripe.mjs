// A Stripe, as far as this service calls it: customers by their workspace, one subscription each, seats, meters, and the page
// of the portal. It can go away.
import http from "node:http";

const DAY = 86_400;

export const stripe = async () => {
  const got = { away: false, customers: new Map(), meters: [], portals: [] };
  const now = Math.floor(Date.now() / 1000);
  const subscribe = (customer, { status = "active", quantity = 12, amount = 1_200 } = {}) => ({
    id: `sub_${customer.slice(4)}`, object: "subscription", customer, status, created: now - 90 * DAY, currency: "eur",
    current_period_start: now - 24 * DAY, current_period_end: now + 6 * DAY, cancel_at_period_end: false,
    items: { object: "list", data: [{
      id: `si_${customer.slice(4)}`, quantity,
      price: { id: "price_team", currency: "eur", unit_amount: amount, nickname: "Team", product: "prod_team", recurring: { interval: "month", interval_count: 1, usage_type: "licensed" }, metadata: { included_runs: "5000" } },
    }] },
  });
  // By the workspace's slug; a workspace that is not here has no subscription.
  got.plans = { acme: { quantity: 12 }, initech: { status: "past_due", quantity: 5 } };
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (part) => { body += part; });
    request.on("end", () => {
      const url = new URL(request.url, "http://stripe"), form = new URLSearchParams(body), path = url.pathname;
      const json = (value, status = 200) => { response.writeHead(status, { "content-type": "application/json" }); response.end(JSON.stringify(value)); };
      const none = () => json({ error: { type: "invalid_request_error", code: "resource_missing", message: "No such thing" } }, 404);
      if (path.startsWith("/p/session/")) {
        // What a person sees at Stripe, and the way back.
        response.writeHead(200, { "content-type": "text/html" });
        response.end(`<!doctype html><title>Portal</title><h1>Your subscription</h1><a href="${got.portals.at(-1).return_url}">Back</a>`);
        return;
      }
      if (got.away) { json({ error: { type: "api_error", message: "away" } }, 503); return; }
      if (path === "/v1/customers/search") json({ object: "search_result", data: [...got.customers.values()].filter((c) => url.searchParams.get("query").includes(c.metadata.settings_workspace)) });
      else if (path === "/v1/customers" && request.method === "POST") {
        const id = `cus_${form.get("name")}0000000`, made = { id, object: "customer", name: form.get("name"), metadata: { settings_workspace: form.get("metadata[settings_workspace]") } };
        got.customers.set(id, made);
        const plan = got.plans[made.name];
        if (plan) made.subscription = subscribe(id, plan);
        json(made);
      } else if (path === "/v1/customers") json({ object: "list", data: [] });
      else if (path.startsWith("/v1/customers/")) { const found = got.customers.get(path.split("/")[3]); if (found) json(found); else none(); }
      else if (path === "/v1/subscriptions") { const s = got.customers.get(url.searchParams.get("customer"))?.subscription; json({ object: "list", data: s ? [s] : [] }); }
      else if (path.startsWith("/v1/subscriptions/")) {
        const s = [...got.customers.values()].map((c) => c.subscription).find((s) => s?.id === path.split("/")[3]);
        if (!s) { none(); return; }
        if (request.method === "POST") s.items.data[0].quantity = Number(form.get("items[0][quantity]"));
        json(s);
      } else if (path === "/v1/products/prod_team") json({ id: "prod_team", object: "product", name: "Team", metadata: {} });
      else if (path === "/v1/billing/meter_events") { got.meters.push(Object.fromEntries(form)); json({ object: "billing.meter_event" }); }
      else if (path === "/v1/billing_portal/sessions") {
        got.portals.push(Object.fromEntries(form));
        json({ id: `bps_${got.portals.length}`, object: "billing_portal.session", url: `${got.url}/p/session/${got.portals.length}` });
      } else none();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  got.url = `http://127.0.0.1:${server.address().port}`;
  got.close = () => { server.closeAllConnections(); server.close(); };
  return got;
};
