// A real OpenID Connect provider (the npm package oidc-provider) on the loopback. Arguments: port, the clients as JSON.
// Anybody may sign in there with any name: `eve` is the subject `eve` with a verified address `eve@example.org`, and so on.
import { Provider } from "oidc-provider";

const [port, clients] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const people = {
  eve: { name: "Eve Example", groups: ["staff", "teachers"] },
  mallory: { email_verified: false, email: "bob@example.org" },
  root: { groups: ["operators"] },
};

const provider = new Provider(`http://localhost:${port}`, {
  clients,
  claims: { openid: ["sub", "sid"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  // It reports sign-outs to this machine only, which its guard against special addresses would forbid.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  cookies: { keys: ["only for tests"] },
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  pkce: { required: () => true },
  ttl: { Session: 3600, Grant: 3600, AccessToken: 600, IdToken: 600, Interaction: 600 },
  async findAccount(ctx, id) {
    const known = { email: `${id}@example.org`, email_verified: true, name: id, groups: [], ...people[id] };
    return { accountId: id, claims: async () => ({ sub: id, ...known }) };
  },
});
provider.on("server_error", (ctx, error) => console.error(error));
provider.on("backchannel.error", (ctx, error) => console.error(error));
provider.listen(port, "127.0.0.1", () => console.log("ready"));
