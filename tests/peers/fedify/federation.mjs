// The Fedify server proper: actors, WebFinger, collections, notes, inboxes. No queue: what is sent is sent when the
// command returns, and what is received was handled when the sender gets its answer.

import { createFederation, MemoryKvStore } from "@fedify/fedify";
import {
  Accept,
  Activity,
  Announce,
  Block,
  Create,
  Delete,
  Endpoints,
  Follow,
  Like,
  Note,
  Person,
  Undo,
  Update,
} from "@fedify/vocab";
import { understood } from "./understood.mjs";

export function makeFederation(state, firstKnock) {
  const federation = createFederation({
    kv: new MemoryKvStore(),
    allowPrivateAddress: true, // the tests live on 127.0.0.1
    firstKnock,
    onOutboxError: (error) => void state.errors.push(`outbox: ${error.message}`),
  });
  addActors(federation, state);
  addCollections(federation, state);
  addInboxes(federation, state);
  federation.setObjectDispatcher(Note, "/users/{identifier}/notes/{id}", (context, values) => {
    const note = state.notes.get(context.getObjectUri(Note, values).href);
    return note?.isPublic ? note.object : null;
  });
  federation.setNodeInfoDispatcher("/nodeinfo/2.1", () => ({
    software: { name: "fedify-peer", version: "1.0.0" },
    protocols: ["activitypub"],
    usage: { users: { total: state.keys.size }, localPosts: state.notes.size, localComments: 0 },
  }));
  return federation;
}

function addActors(federation, state) {
  federation
    .setActorDispatcher("/users/{identifier}", (context, identifier) =>
      state.keys.has(identifier) ? personOf(context, state, identifier) : null,
    )
    .setKeyPairsDispatcher((_, identifier) => state.keys.get(identifier) ?? []);
}

export async function personOf(context, state, identifier) {
  const pairs = await context.getActorKeyPairs(identifier);
  return new Person({
    id: context.getActorUri(identifier),
    preferredUsername: identifier,
    name: state.names.get(identifier) ?? identifier.toUpperCase(),
    summary: "<p>A peer for tests.</p>",
    url: context.getActorUri(identifier),
    inbox: context.getInboxUri(identifier),
    outbox: context.getOutboxUri(identifier),
    followers: context.getFollowersUri(identifier),
    endpoints: new Endpoints({ sharedInbox: context.getInboxUri() }),
    publicKey: pairs[0].cryptographicKey,
    assertionMethods: pairs.map((pair) => pair.multikey),
  });
}

function addCollections(federation, state) {
  federation.setFollowersDispatcher("/users/{identifier}/followers", (_, identifier) => ({
    items: [...(state.followers.get(identifier)?.values() ?? [])],
  }));
  federation.setOutboxDispatcher("/users/{identifier}/outbox", (context, identifier) => {
    const actor = context.getActorUri(identifier).href;
    const isPosted = (activity) => activity instanceof Create && activity.actorId?.href === actor;
    return { items: [...state.sent.values()].filter(isPosted).reverse() };
  });
}

// A listener is called only for what Fedify has verified: that is what `received` shows.
function addInboxes(federation, state) {
  const listeners = federation.setInboxListeners("/users/{identifier}/inbox", "/inbox");
  for (const type of [Activity, Create, Update, Delete, Like, Announce, Block]) {
    listeners.on(type, (context, activity) => record(state, context, activity));
  }
  listeners
    .on(Follow, (context, follow) => onFollow(state, context, follow))
    .on(Accept, (context, accept) => onAccept(state, context, accept))
    .on(Undo, (context, undo) => onUndo(state, context, undo))
    .setSharedKeyDispatcher(() => ({ identifier: [...state.keys.keys()][0] }))
    .onError((_, error) => void state.errors.push(`inbox: ${error.stack}`))
    .onUnverifiedActivity((_, activity, reason) => {
      state.errors.push(`not verified: ${activity.constructor.name} ${activity.id?.href}: ${reason.type}`);
    });
}

async function record(state, context, activity) {
  state.received.push(await understood(context, activity));
}

async function onFollow(state, context, follow) {
  await record(state, context, follow);
  const followee = context.parseUri(follow.objectId);
  const follower = await follow.getActor(context);
  if (followee?.type !== "actor" || follower?.inboxId == null) return;
  const { identifier } = followee;
  state.followers.get(identifier).set(follower.id.href, follower);
  const accept = new Accept({
    id: new URL(`/activities/${crypto.randomUUID()}`, context.origin),
    actor: follow.objectId,
    object: follow,
  });
  await context.sendActivity({ identifier }, follower, accept);
}

async function onAccept(state, context, accept) {
  await record(state, context, accept);
  // Only the followee can accept, and only a Follow that was sent: an embedded one is as good as its id.
  const follow = state.sent.get(accept.objectId?.href);
  if (!(follow instanceof Follow) || follow.objectId.href !== accept.actorId?.href) return;
  const { identifier } = context.parseUri(follow.actorId);
  state.following.add(`${identifier} ${follow.objectId.href}`);
}

async function onUndo(state, context, undo) {
  await record(state, context, undo);
  const undone = await undo.getObject(context);
  if (!(undone instanceof Follow) || undone.actorId?.href !== undo.actorId?.href) return;
  const followee = context.parseUri(undone.objectId);
  if (followee?.type === "actor") state.followers.get(followee.identifier).delete(undo.actorId.href);
}
