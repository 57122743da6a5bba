// Makes or uses a passkey when its form is sent, puts what the browser returns into the form, and sends it.
"use strict";
const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const known = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

async function made(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: known(options.excludeCredentials),
  };
  const credential = await navigator.credentials.create({ publicKey });
  const { clientDataJSON, attestationObject } = credential.response;
  return [credential, { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject) }];
}

async function used(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: known(options.allowCredentials) };
  const credential = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  const answer = { clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature) };
  return [credential, userHandle ? { ...answer, userHandle: text(userHandle) } : answer];
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = form.querySelector(".error");
    problem.hidden = true;
    try {
      const act = form.dataset.passkey === "create" ? made : used;
      const [credential, response] = await act(JSON.parse(form.dataset.options));
      form.elements.passkey.value = JSON.stringify({
        id: credential.id,
        rawId: text(credential.rawId),
        type: credential.type,
        response,
        clientExtensionResults: credential.getClientExtensionResults(),
      });
      form.submit();
    } catch {
      problem.hidden = false;
    }
  });
}
