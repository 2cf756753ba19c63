// What Fedify made of an activity: the values that its accessors give, not the JSON that was sent.

import { Activity, isActor, Tombstone } from "@fedify/vocab";

const href = (url) => url?.href ?? null;
const hrefs = (urls) => urls.map((url) => url.href);
// What cannot be had, being gone or on a server that does not show it, is null.
const loaders = ({ documentLoader, contextLoader }) => ({ documentLoader, contextLoader, suppressError: true });
const kind = (value) => (value == null ? null : value.constructor.name);

export async function understood(context, activity) {
  const object = await activity.getObject(loaders(context));
  return {
    type: kind(activity),
    id: href(activity.id),
    actor: href(activity.actorId),
    objectId: href(activity.objectId),
    to: hrefs(activity.toIds),
    cc: hrefs(activity.ccIds),
    published: activity.published?.toString() ?? null,
    object: object == null ? null : await describe(context, object),
  };
}

export async function describe(context, object) {
  const base = { type: kind(object), id: href(object.id) };
  if (object instanceof Activity) {
    return { ...base, actor: href(object.actorId), objectId: href(object.objectId) };
  }
  if (object instanceof Tombstone) return base;
  const tags = [];
  for await (const tag of object.getTags(loaders(context))) {
    tags.push({ type: kind(tag), name: tag.name?.toString() ?? null, href: href(tag.href) });
  }
  return {
    ...base,
    name: object.name?.toString() ?? null,
    attributedTo: href(object.attributionId),
    to: hrefs(object.toIds),
    cc: hrefs(object.ccIds),
    content: object.content?.toString() ?? null,
    summary: object.summary?.toString() ?? null,
    inReplyTo: href(object.replyTargetId),
    url: href(object.url?.href instanceof URL ? object.url.href : object.url),
    published: object.published?.toString() ?? null,
    updated: object.updated?.toString() ?? null,
    tags,
    ...(isActor(object) ? await describeActor(context, object) : {}),
  };
}

async function describeActor(context, actor) {
  const keys = [];
  for await (const key of actor.getPublicKeys(loaders(context))) {
    keys.push({ id: href(key.id), owner: href(key.ownerId), algorithm: key.publicKey.algorithm.name });
  }
  for await (const key of actor.getAssertionMethods(loaders(context))) {
    keys.push({ id: href(key.id), owner: href(key.controllerId), algorithm: key.publicKey.algorithm.name });
  }
  return {
    preferredUsername: actor.preferredUsername?.toString() ?? null,
    inbox: href(actor.inboxId),
    sharedInbox: href(actor.endpoints?.sharedInbox),
    outbox: href(actor.outboxId),
    followers: href(actor.followersId),
    keys,
  };
}
