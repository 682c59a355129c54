// Stripe's own library, told what to do by lines of JSON; each is answered by one.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2]);
const Stripe = require("stripe");

// What it sends for the calls that we make; the answers are of no interest.
const calls = {
  search: (stripe, a) => stripe.customers.search({ query: a.query, limit: 1 }),
  customer: (stripe, a) => stripe.customers.create({ name: a.name, metadata: { settings_workspace: a.workspace } }),
  subscriptions: (stripe, a) => stripe.subscriptions.list({ customer: a.customer, limit: 10 }),
  seats: (stripe, a) => stripe.subscriptions.update(a.subscription, { items: [{ id: a.item, quantity: a.quantity }] }),
  portal: (stripe, a) => stripe.billingPortal.sessions.create({ customer: a.customer, return_url: a.return_url }),
  meter: (stripe, a) =>
    stripe.billing.meterEvents.create({
      event_name: a.event_name,
      identifier: a.identifier,
      timestamp: a.timestamp,
      payload: { stripe_customer_id: a.customer, value: a.value },
    }),
};

const commands = {
  sign: ({ payload, secret, timestamp }) =>
    new Stripe("sk_test_1").webhooks.generateTestHeaderString({ payload, secret, timestamp }),
  verify: ({ payload, secret, header }) => {
    try {
      return new Stripe("sk_test_1").webhooks.constructEvent(payload, header, secret).id;
    } catch (error) {
      return { refused: error.constructor.name };
    }
  },
  call: async ({ base, name, values }) => {
    const { hostname, port } = new URL(base);
    const stripe = new Stripe("sk_test_1", { host: hostname, port, protocol: "http", maxNetworkRetries: 0, telemetry: false });
    await calls[name](stripe, values).catch(() => {});
    return null;
  },
  version: () => new Stripe("sk_test_1").getApiField?.("version") ?? Stripe.API_VERSION,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  console.log(JSON.stringify((await commands[command](rest)) ?? null));
}
