// What is outside of the service: a receiver of webhooks, and a Slack. Both write down what they get.
import http from "node:http";

export const receive = async () => {
  const got = { webhooks: [], slack: [], takes: true, grant: null, close: null };
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (part) => { body += part; });
    request.on("end", () => {
      const url = new URL(request.url, "http://receiver");
      const json = (value) => { response.setHeader("content-type", "application/json"); response.end(JSON.stringify(value)); };
      if (url.pathname === "/oauth/v2/authorize") {
        // A person who presses Allow at once.
        const back = new URL(url.searchParams.get("redirect_uri"));
        back.searchParams.set("code", `code-${Date.now()}`);
        back.searchParams.set("state", url.searchParams.get("state"));
        response.writeHead(302, { location: back.href }).end();
      } else if (url.pathname === "/api/oauth.v2.access") {
        const { token, team, channel } = got.grant ?? { token: "xoxb-canary", team: "Acme Robotics", channel: "#ops-alerts" };
        json({ ok: true, access_token: token, token_type: "bot", scope: "chat:write,incoming-webhook", team: { id: "T1", name: team },
          incoming_webhook: { channel, channel_id: "C1", url: "https://hooks.slack.com/services/x" } });
      } else if (url.pathname === "/api/chat.postMessage") {
        if (request.headers.authorization === "Bearer xoxb-revoked") { json({ ok: false, error: "token_revoked" }); return; }
        got.slack.push(JSON.parse(body));
        json({ ok: true, ts: "1.1" });
      } else if (url.pathname.startsWith("/gone")) {
        // Never to be tried again, but for a person who asks for it.
        if (got.takes) got.webhooks.push({ headers: request.headers, body });
        response.writeHead(got.takes ? 200 : 410).end();
      } else { got.webhooks.push({ headers: request.headers, body }); response.writeHead(204).end(); }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  got.url = `http://127.0.0.1:${server.address().port}`;
  got.close = () => { server.closeAllConnections(); server.close(); };
  return got;
};
