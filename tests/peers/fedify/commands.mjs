// What tests tell a Fedify server to do. Every command takes (context, state, {as, …}) and answers JSON; `as` names the
// actor that does it. Whatever cannot be found or delivered is an error, so that no test passes by silence.

import { Temporal } from "@js-temporal/polyfill";
import {
  Announce,
  Block,
  Create,
  Delete,
  Follow,
  Hashtag,
  isActor,
  Like,
  Mention,
  Note,
  PUBLIC_COLLECTION,
  Tombstone,
  Undo,
  Update,
} from "@fedify/vocab";
import { personOf } from "./federation.mjs";
import { describe } from "./understood.mjs";

const escapeHtml = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const activityId = (context) => new URL(`/activities/${crypto.randomUUID()}`, context.origin);

async function find(context, as, uri) {
  const documentLoader = await context.getDocumentLoader({ identifier: as });
  const found = await context.lookupObject(uri, { documentLoader });
  if (found == null) throw new Error(`Fedify found nothing at ${uri}`);
  return found;
}

async function findActor(context, as, uri) {
  const found = await find(context, as, uri);
  if (!isActor(found)) throw new Error(`${uri} is no actor but ${found.constructor.name}`);
  return found;
}

async function findAuthor(context, as, uri) {
  const object = await find(context, as, uri);
  return findActor(context, as, object.attributionId.href);
}

async function send(context, state, as, recipients, activity) {
  state.sent.set(activity.id.href, activity);
  await context.sendActivity({ identifier: as }, recipients, activity, { preferSharedInbox: true });
  return { id: activity.id.href };
}

/** Follow `uri`, an actor's id. */
async function follow(context, state, { as, uri }) {
  const target = await findActor(context, as, uri);
  const activity = new Follow({ id: activityId(context), actor: context.getActorUri(as), object: target.id });
  return send(context, state, as, target, activity);
}

/** Block the actor `uri`. */
async function block(context, state, { as, uri }) {
  const target = await findActor(context, as, uri);
  const activity = new Block({ id: activityId(context), actor: context.getActorUri(as), object: target.id });
  return send(context, state, as, target, activity);
}

/** Like the note `uri`. */
async function like(context, state, { as, uri }) {
  const author = await findAuthor(context, as, uri);
  const activity = new Like({ id: activityId(context), actor: context.getActorUri(as), object: new URL(uri) });
  return send(context, state, as, author, activity);
}

/** Boost the note `uri` to everybody: to the author and the followers. */
async function announce(context, state, { as, uri }) {
  const author = await findAuthor(context, as, uri);
  const activity = new Announce({
    id: activityId(context),
    actor: context.getActorUri(as),
    object: new URL(uri),
    published: Temporal.Now.instant(),
    to: PUBLIC_COLLECTION,
    ccs: [context.getFollowersUri(as), author.id],
  });
  return send(context, state, as, audience(state, as, [author]), activity);
}

/** Undo the activity `id` that was sent before. */
async function undo(context, state, { as, id }) {
  const undone = state.sent.get(id);
  if (undone === undefined) throw new Error(`${id} was never sent`);
  const activity = new Undo({ id: activityId(context), actor: context.getActorUri(as), object: undone });
  const aboutNote = undone instanceof Like || undone instanceof Announce;
  const about = await (aboutNote ? findAuthor : findActor)(context, as, undone.objectId.href);
  if (undone instanceof Follow) state.following.delete(`${as} ${undone.objectId.href}`);
  return send(context, state, as, undone instanceof Announce ? audience(state, as, [about]) : about, activity);
}

/** Post a Note: `text`, and optionally `mentions` (actor ids), `hashtags`, `in_reply_to` (a note's id), `direct`. */
async function post(context, state, { as, text, mentions = [], hashtags = [], in_reply_to: inReplyTo = null, direct = false }) {
  const mentioned = await Promise.all(mentions.map((uri) => findActor(context, as, uri)));
  const id = crypto.randomUUID();
  const object = new Note({
    id: context.getObjectUri(Note, { identifier: as, id }),
    attribution: context.getActorUri(as),
    content: contentOf(context, text, mentioned, hashtags),
    published: Temporal.Now.instant(),
    replyTarget: inReplyTo === null ? null : new URL(inReplyTo),
    tags: [...mentioned.map(mentionOf), ...hashtags.map((name) => hashtagOf(context, name))],
    ...(direct
      ? { tos: mentioned.map((actor) => actor.id) }
      : { to: PUBLIC_COLLECTION, ccs: [context.getFollowersUri(as), ...mentioned.map((actor) => actor.id)] }),
  });
  state.notes.set(object.id.href, { object, isPublic: !direct, mentioned });
  const activity = new Create({
    id: activityId(context),
    actor: context.getActorUri(as),
    object,
    published: object.published,
    tos: object.toIds,
    ccs: object.ccIds,
  });
  await send(context, state, as, direct ? mentioned : audience(state, as, mentioned), activity);
  return { id: object.id.href };
}

/** Change the text of the own note `id`. */
async function edit(context, state, { as, id, text }) {
  const note = state.notes.get(id);
  note.object = note.object.clone({ content: contentOf(context, text, note.mentioned, []), updated: Temporal.Now.instant() });
  const activity = new Update({
    id: activityId(context),
    actor: context.getActorUri(as),
    object: note.object,
    tos: note.object.toIds,
    ccs: note.object.ccIds,
  });
  return send(context, state, as, audience(state, as, note.mentioned), activity);
}

/** Delete the own note `id`. */
async function remove(context, state, { as, id }) {
  const note = state.notes.get(id);
  state.notes.delete(id);
  const activity = new Delete({
    id: activityId(context),
    actor: context.getActorUri(as),
    object: new Tombstone({ id: new URL(id) }),
    tos: note.object.toIds,
    ccs: note.object.ccIds,
  });
  return send(context, state, as, audience(state, as, note.mentioned), activity);
}

/** What Fedify sees at `uri`, fetched with a signed GET. */
async function lookup(context, _, { as, uri }) {
  return describe(context, await find(context, as, uri));
}

/** The WebFinger answer for `uri`. Fedify asks for acct: by https only; an http: URI is asked for where it lives. */
async function webfinger(context, _, { uri }) {
  return context.lookupWebFinger(uri);
}

function audience(state, as, others) {
  const all = [...state.followers.get(as).values(), ...others];
  return [...new Map(all.map((actor) => [actor.id.href, actor])).values()];
}

function contentOf(context, text, mentioned, hashtags) {
  const links = [
    ...mentioned.map((actor) => `<a href="${actor.id.href}" class="u-url mention">@${actor.preferredUsername}</a>`),
    escapeHtml(text),
    ...hashtags.map((name) => `<a href="${tagUrl(context, name)}" class="mention hashtag" rel="tag">#${name}</a>`),
  ];
  return `<p>${links.join(" ")}</p>`;
}

const tagUrl = (context, name) => new URL(`/tags/${encodeURIComponent(name)}`, context.origin).href;
const hashtagOf = (context, name) => new Hashtag({ href: new URL(tagUrl(context, name)), name: `#${name}` });
const mentionOf = (actor) =>
  new Mention({ href: actor.id, name: `@${actor.preferredUsername}@${new URL(actor.id).host}` });

/** The members of the collection `uri`, page by page: their ids, and for activities the ids of what they are about. */
async function collection(context, _, { as, uri }) {
  const documentLoader = await context.getDocumentLoader({ identifier: as });
  const found = await find(context, as, uri);
  const items = [];
  for await (const item of context.traverseCollection(found, { documentLoader })) {
    items.push({ type: item.constructor.name, id: item.id.href, objectId: item.objectId?.href ?? null });
  }
  return { type: found.constructor.name, total: found.totalItems, items };
}

/** Change the actor's name, and tell the followers. */
async function rename(context, state, { as, name }) {
  state.names.set(as, name);
  const activity = new Update({
    id: activityId(context),
    actor: context.getActorUri(as),
    object: await personOf(context, state, as),
    to: PUBLIC_COLLECTION,
  });
  return send(context, state, as, audience(state, as, []), activity);
}

export const commands = {
  follow,
  block,
  like,
  announce,
  undo,
  post,
  edit,
  delete: remove,
  rename,
  lookup,
  collection,
  webfinger,
};
