// Fedify servers for the tests. Prints "READY URL" and then starts a server for every POST to that URL:
//
//   POST /servers {"firstKnock": "rfc9421", "accepts": "rfc9421"}  →  {"url": "http://127.0.0.1:PORT"}
//   DELETE /servers?url=…                                          →  204
//
// Each server knows nothing of the others and nothing of earlier tests. The process ends when its standard input does,
// so it never outlives the tests that started it.

import "./polyfills.mjs";
import "./outgoing.mjs";
import { createServer } from "node:http";
import { listen, readJson, reply, replyError } from "./http.mjs";
import { makeKeys } from "./keys.mjs";
import { startPeer } from "./peer.mjs";

const keys = await makeKeys(); // RSA keys take their time: all servers share them
const peers = new Map();

async function route(request, response) {
  const url = new URL(request.url, "http://127.0.0.1");
  if (url.pathname === "/servers" && request.method === "POST") {
    const peer = await startPeer({ keys, ...(await readJson(request)) });
    peers.set(peer.url, peer);
    return reply(response, 200, { url: peer.url });
  }
  const wanted = url.searchParams.get("url");
  if (url.pathname === "/servers" && request.method === "DELETE" && peers.has(wanted)) {
    peers.get(wanted).close();
    peers.delete(wanted);
    return reply(response, 204);
  }
  return reply(response, 404, { error: `${request.method} ${request.url} is not known here` });
}

const control = createServer((request, response) => {
  route(request, response).catch((error) => replyError(response, error));
});
const address = await listen(control);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
console.log(`READY ${address}`);
