// What Fedify sends, as it leaves: Fedify knocks a second time in the other dialect without a word, and a test that
// knew only what came of it would not notice that the first was refused.

import { dialectOf } from "./http.mjs";

const log = [];
const sendAway = globalThis.fetch;

globalThis.fetch = async function fetch(resource, options) {
  const { method = "GET", headers, url } = resource instanceof Request ? resource : { url: `${resource}`, ...options };
  const entry = { method, url, ...signatureOf(new Headers(headers)) };
  log.push(entry);
  const response = await sendAway(resource, options);
  entry.status = response.status;
  return response;
};

/** The requests that actors of the server at `url` signed. */
export function sentBy(url) {
  return log.filter((entry) => entry.keyId?.startsWith(`${url}/`));
}

function signatureOf(headers) {
  const field = headers.get("signature-input") ?? headers.get("signature") ?? "";
  return { dialect: dialectOf(headers), keyId: /keyid="([^"]*)"/i.exec(field)?.[1] ?? null };
}
