// One Fedify server on a loopback port of its own, steered through /control and otherwise an ordinary one.
//
//   GET  /control                    everything that happened here (see `report`)
//   POST /control/COMMAND {…}        the commands of commands.mjs; answers their JSON, or 500 with the error
//
// `firstKnock` is the dialect in which it signs first. `accepts` makes its inboxes refuse (401) what is signed in the
// other dialect, so that tests see which one was verified; without it Fedify takes both.

import { createServer } from "node:http";
import { commands } from "./commands.mjs";
import { makeFederation } from "./federation.mjs";
import {
  dialectOf,
  listen,
  readBody,
  readJson,
  reply,
  replyError,
  sendWebResponse,
  toWebRequest,
} from "./http.mjs";
import { sentBy } from "./outgoing.mjs";

export async function startPeer({ keys, firstKnock, accepts }) {
  const state = {
    keys,
    names: new Map(), // of actors that were renamed
    followers: new Map([...keys.keys()].map((name) => [name, new Map()])), // name → actor id → Recipient
    following: new Set(), // "NAME ACTOR-ID" of what was accepted
    sent: new Map(), // activity id → activity, for what may be undone or answered
    notes: new Map(), // note id → Note
    received: [], // what Fedify verified, as it understood it
    requests: [], // every request but those to /control
    errors: [],
  };
  const federation = makeFederation(state, firstKnock);
  const server = createServer((request, response) => {
    const control = request.url.startsWith("/control");
    const work = control ? steer(request, response) : federate(request, response);
    work.catch((error) => replyError(response, error));
  });
  const url = await listen(server);

  async function federate(request, response) {
    const body = await readBody(request);
    const webRequest = toWebRequest(request, url, body);
    const dialect = dialectOf(webRequest.headers);
    const entry = { method: request.method, path: request.url, dialect, body: body.toString() };
    state.requests.push(entry);
    if (request.method === "POST" && accepts && dialect !== accepts) {
      entry.status = 401;
      return reply(response, 401, { error: `This server takes ${accepts} only` });
    }
    const answer = await federation.fetch(webRequest, {
      contextData: undefined,
      onNotFound: () => new Response("Not found", { status: 404 }),
      onNotAcceptable: () => new Response("Not acceptable", { status: 406 }),
    });
    entry.status = answer.status;
    return sendWebResponse(answer, response);
  }

  async function steer(request, response) {
    if (request.method === "GET") return reply(response, 200, report(url, state));
    const command = commands[request.url.slice("/control/".length)];
    if (command === undefined) return reply(response, 404, { error: `There is no command at ${request.url}` });
    const context = federation.createContext(new URL(url), undefined);
    return reply(response, 200, (await command(context, state, await readJson(request))) ?? {});
  }

  return {
    url,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function report(url, state) {
  return {
    received: state.received,
    requests: state.requests,
    sent: sentBy(url),
    errors: state.errors,
    followers: Object.fromEntries([...state.followers].map(([name, all]) => [name, [...all.keys()]])),
    following: [...state.following],
  };
}
