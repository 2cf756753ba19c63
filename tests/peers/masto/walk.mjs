// masto.js, as the web clients use it: the main paths of two people, with streams. Tokens come from the environment;
// what goes wrong is an exception, and the last line says that all went well.
import assert from "node:assert/strict";
import { createRestAPIClient, createStreamingAPIClient } from "masto";

const { URL: url, ALICE, BOB } = process.env;
const alice = createRestAPIClient({ url, accessToken: ALICE });
const bob = createRestAPIClient({ url, accessToken: BOB });

const instance = await alice.v2.instance.fetch();
assert.equal(instance.configuration.statuses.maxCharacters, 140);
const streamingApiUrl = instance.configuration.urls.streaming;
assert.match(streamingApiUrl, /^wss?:\/\//);

const me = await alice.v1.accounts.verifyCredentials();
const him = await bob.v1.accounts.verifyCredentials();
await alice.v1.accounts.updateCredentials({ displayName: "Alice", source: { language: "en" } });
await bob.v1.accounts.$select(me.id).follow();
const [relation] = await bob.v1.accounts.relationships.fetch({ id: [me.id] });
assert.equal(relation.following, true);

// A stream of everything for bob, and one more stream on the same socket.
const streaming = createStreamingAPIClient({ streamingApiUrl, accessToken: BOB });
await streaming.prepare?.();
const events = [];
const waiting = [];
const take = async (stream) => {
  for await (const event of stream) {
    events.push(event);
    for (const look of [...waiting]) look();
  }
};
const seen = (what, test) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} was streamed`)), 20_000);
    const look = () => {
      const found = events.find(test);
      if (found === undefined) return;
      clearTimeout(timer);
      waiting.splice(waiting.indexOf(look), 1);
      resolve(found);
    };
    waiting.push(look);
    look();
  });
const user = streaming.user.subscribe();
const tag = streaming.hashtag.subscribe({ tag: "streams" });
const reading = [take(user), take(tag)];
const until = async (what, test, act) => {
  // Subscriptions are not acknowledged: the first thing is done again until it is seen.
  for (let tries = 0; tries < 20; tries++) {
    await act();
    const found = await Promise.race([seen(what, test), new Promise((r) => setTimeout(r, 500))]).catch(() => undefined);
    if (found) return found;
  }
  throw new Error(`no ${what} was streamed`);
};
await until(
  "post of a hashtag",
  (e) => e.event === "update" && e.stream.includes("hashtag"),
  () => alice.v1.statuses.create({ status: `now ${Math.random()} #streams` }),
);
const status = await alice.v1.statuses.create({ status: "@bob watch this", language: "en" });
await seen("post at home", (e) => e.event === "update" && e.stream.includes("user") && e.payload.id === status.id);
await seen("mention", (e) => e.event === "notification" && e.payload.status?.id === status.id);
await alice.v1.statuses.$select(status.id).update({ status: "@bob watch that" });
await seen("edit", (e) => e.event === "status.update" && e.payload.id === status.id);

await bob.v1.statuses.$select(status.id).favourite();
await bob.v1.statuses.$select(status.id).reblog();
await bob.v1.statuses.$select(status.id).bookmark();
const context = await bob.v1.statuses.$select(status.id).context.fetch();
assert.deepEqual(context.descendants, []);
const home = [];
for await (const page of bob.v1.timelines.home.list({ limit: 2 })) home.push(...page);
assert.equal(new Set(home.map((one) => one.id)).size, home.length);
assert.ok(home.some((one) => one.id === status.id));
const picture = await alice.v2.media.create({
  file: new Blob([Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==", "base64")], { type: "image/png" }),
  description: "a point",
});
const shown = await alice.v1.statuses.create({ status: "with a picture", mediaIds: [picture.id] });
assert.equal(shown.mediaAttachments[0].description, "a point");
const asking = await alice.v1.statuses.create({ status: "Which?", poll: { options: ["a", "b"], expiresIn: 3600 } });
assert.equal((await bob.v1.polls.$select(asking.poll.id).votes.create({ choices: [1] })).voted, true);
const quoting = await bob.v1.statuses.create({ status: "So she says", quotedStatusId: shown.id });
assert.equal(quoting.quote.state, "accepted");

const groups = await alice.v2.notifications.list();
assert.ok(groups.notificationGroups.some((group) => group.type === "favourite"));
const found = await bob.v2.search.list({ q: "alice", type: "accounts" });
assert.equal(found.accounts[0].id, me.id);
const filter = await bob.v2.filters.create({
  title: "Work", context: ["home"], filterAction: "warn", keywordsAttributes: [{ keyword: "deadline", wholeWord: true }],
});
await bob.v2.filters.$select(filter.id).update({ title: "Jobs" });
await bob.v2.filters.$select(filter.id).remove();
const list = await bob.v1.lists.create({ title: "Team" });
await bob.v1.lists.$select(list.id).accounts.create({ accountIds: [me.id] });
assert.ok((await bob.v1.timelines.list.$select(list.id).list()).length > 0);
await bob.v1.lists.$select(list.id).remove();
await bob.v1.markers.create({ home: { lastReadId: status.id } });
await bob.v1.tags.$select("streams").follow();
await bob.v1.notifications.clear();
assert.deepEqual(await bob.v1.notifications.list(), []);
await alice.v1.statuses.$select(status.id).remove();
await seen("deletion", (e) => e.event === "delete" && e.payload === status.id);
await assert.rejects(bob.v1.statuses.$select(status.id).fetch(), { statusCode: 404 });
await assert.rejects(bob.v1.statuses.create({ status: "x".repeat(141) }), { statusCode: 422 });
assert.ok(him.id !== me.id);

user.unsubscribe();
tag.unsubscribe();
streaming.close();
await Promise.race([Promise.all(reading), new Promise((r) => setTimeout(r, 1000))]);
console.log("ALL WELL");
process.exit(0);
