// panva's oidc-provider on 127.0.0.1, set up as the tests ask. Everything that people and the service meet is the provider's
// own; beside it, POST /test/set changes who is registered, the signing keys, and what is wrong with the next ID tokens.
// It ends when its standard input closes, so that no test leaves it behind.
import { createHmac, generateKeyPairSync, createPublicKey, createPrivateKey, sign, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

process.stdin.on("end", () => process.exit(0)).resume();
const b64 = (data) => Buffer.from(typeof data === "string" ? data : JSON.stringify(data)).toString("base64url");
const decode = (part) => JSON.parse(Buffer.from(part, "base64url"));

const state = { clients: [], kids: 0, key: null, fault: "", claimsInToken: false, previous: null, away: false, tokens: 0, lastLogout: null };
const rotate = () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  state.kids += 1;
  state.key = { ...privateKey.export({ format: "jwk" }), kid: `key-${state.kids}`, use: "sig", alg: "RS256" };
};
rotate();

const signed = (header, claims, jwk) => {
  const parts = `${b64(header)}.${b64(claims)}`;
  const signature = sign("RSA-SHA256", Buffer.from(parts), createPrivateKey({ key: jwk, format: "jwk" }));
  return `${parts}.${signature.toString("base64url")}`;
};

// An ID token with one thing wrong, otherwise as the provider made it.
const spoilt = (token, fault) => {
  const [head, body] = token.split(".").slice(0, 2).map(decode);
  const good = (changes) => signed(head, { ...body, ...changes }, state.key);
  const now = Math.floor(Date.now() / 1000);
  switch (fault) {
    case "audience": return good({ aud: "another-client" });
    case "audiences": return good({ aud: [body.aud, "another-client"] });
    case "azp": return good({ azp: "another-client" });
    case "issuer": return good({ iss: "https://another.example" });
    case "expired": return good({ iat: now - 3600, exp: now - 1 });
    case "future": return good({ nbf: now + 3600 });
    case "nonce": return good({ nonce: randomBytes(16).toString("hex") });
    case "at_hash": return good({ at_hash: randomBytes(16).toString("base64url") });
    case "replayed": return state.previous;
    case "none": return `${b64({ ...head, alg: "none" })}.${b64(body)}.`;
    case "forged": return signed(head, body, generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }));
    case "unknown key": return signed({ ...head, kid: "never-published" }, body, generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }));
    case "hs256": {
      const pem = createPublicKey({ key: state.key, format: "jwk" }).export({ type: "spki", format: "pem" });
      const parts = `${b64({ ...head, alg: "HS256" })}.${b64(body)}`;
      return `${parts}.${createHmac("sha256", pem).update(parts).digest("base64url")}`;
    }
    case "access token": return signed({ ...head, typ: "at+jwt" }, body, state.key);
    default: return token;
  }
};

// Whoever signs in is the address that they type; one that begins with "unverified" nobody vouches for.
const account = (sub) => ({
  accountId: sub,
  claims: async () => ({ sub, email: sub, email_verified: !sub.startsWith("unverified"), name: `Person ${sub.split("@")[0]}` }),
});

let answer;
const setUp = (issuer) => {
  const provider = new Provider(issuer, {
    clients: state.clients,
    jwks: { keys: [state.key] },
    pkce: { required: () => true },
    scopes: ["openid", "profile", "email"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    conformIdTokenClaims: !state.claimsInToken,
    findAccount: (_, sub) => account(sub),
    // The person is asked who they are, not what this service may know.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    cookies: { keys: ["test-only"] },
    ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 3600, Grant: 3600 },
  });
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === "/token" && ctx.body?.id_token) {
      const token = ctx.body.id_token;
      ctx.body = { ...ctx.body, id_token: spoilt(token, state.fault) };
      state.previous = token;
    }
  });
  provider.on("server_error", (_, error) => console.error(error));
  answer = provider.callback();
};

const server = createServer((request, response) => {
  if (request.url === "/token") state.tokens += 1;
  if (request.url === "/test/set" && request.method === "POST") {
    let text = "";
    request.on("data", (chunk) => { text += chunk; });
    request.on("end", () => {
      const wanted = JSON.parse(text);
      if (wanted.rotate) rotate();
      Object.assign(state, wanted);
      setUp(issuer);
      response.end(JSON.stringify({ tokens: state.tokens }));
    });
  } else if (state.away) {
    response.writeHead(503).end();
  } else {
    answer(request, response);
  }
});
let issuer;
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  setUp(issuer);
  console.log(`ready ${issuer}`);
});
