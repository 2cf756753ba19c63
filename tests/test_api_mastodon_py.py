"""Mastodon.py walks every method that it has, but for those that stand in a list with a reason."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta
from inspect import getmembers, isfunction
from typing import Any

import mastodon
import pytest
from PIL import Image

from fediverse import announcements, clock
from tests.support.instance import Account, Instance

_COLLECTIONS = "collections of accounts do not exist here"
_ANNUAL = "there are no annual reports here"
_REFRESH = "nothing here is answered before it is complete"
_BY_ITSELF = "asks the server nothing"
_SIGNING_IN = "walked in test_api_clients"
#: Methods that are not walked, and why.
NOT_WALKED = {
    **dict.fromkeys(
        (
            *("account_collections", "account_in_collections", "collection", "collection_create", "collection_delete"),
            *("collection_item_add", "collection_item_delete", "collection_item_revoke", "collection_update"),
        ),
        _COLLECTIONS,
    ),
    **dict.fromkeys(
        (
            *("annual_report", "annual_report_generate", "annual_report_read", "annual_report_state"),
            "annual_reports",
        ),
        _ANNUAL,
    ),
    **dict.fromkeys(("await_async_refresh", "get_async_refresh_info", "get_async_refresh_status"), _REFRESH),
    **dict.fromkeys(
        (
            *("clear_caches", "decode_blurhash", "filters_apply", "get_approx_server_time", "get_pagination_info"),
            *("get_status_length", "get_supported_version", "make_poll", "pagination_iterator"),
            *("pagination_page_iterator", "persistable_login_credentials", "push_subscription_decrypt_push"),
            *("push_subscription_generate_keys", "set_language", "timeline_is_available", "verify_minimum_version"),
            *("retrieve_mastodon_version", "fetch_next", "fetch_previous", "generate_media_edit_attributes"),
        ),
        _BY_ITSELF,
    ),
    **dict.fromkeys(
        ("auth_request_url", "create_app", "fetch_remaining", "log_in", "revoke_access_token"), _SIGNING_IN
    ),
    **dict.fromkeys(
        (
            *("stream_direct", "stream_hashtag", "stream_list", "stream_local", "stream_open_websocket"),
            *("stream_public", "stream_user", "stream_user_notifications"),
        ),
        "walked where streams are tested",
    ),
    "create_account": "walked where registration is tested",
    "email_resend_confirmation": "walked where registration is tested",
    **dict.fromkeys(("oauth_authorization_server_info", "oauth_userinfo"), "asks by https only"),
    "follows": "an endpoint that Mastodon has no more",
    "reports": "refuses to ask any server since Mastodon 2.5",
    "status_translate": "no translator belongs to this server",
    **dict.fromkeys(
        ("admin_create_domain_allow", "admin_delete_domain_allow", "admin_domain_allow", "admin_domain_allows"),
        "there is no mode in which only listed servers are federated with",
    ),
}


class Walker(mastodon.Mastodon):  # type: ignore[misc]
    """A client that knows which of its methods were called."""

    walked: set[str]

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("_") and callable(found):
            super().__getattribute__("walked").add(name)
        return found


def _png(colour: str = "red") -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return io.BytesIO(out.getvalue())


class Walk:
    """One walk: three people, one after the other in a thread of their own."""

    def __init__(self, instance: Instance, people: dict[str, Account], loop: asyncio.AbstractEventLoop) -> None:
        Walker.walked = set()
        self.instance, self._loop = instance, loop
        self.alice, self.bob, self.carol = (
            Walker(access_token=people[name].token, api_base_url=instance.url, request_timeout=30)
            for name in ("alice", "bob", "carol")
        )
        self.me, self.him, self.her = (people[name] for name in ("alice", "bob", "carol"))

    def tick(self) -> None:
        asyncio.run_coroutine_threadsafe(self.instance.tick(), self._loop).result()

    def announce(self, text: str) -> None:
        draft = announcements.Draft(text)
        writing = self.instance.database.write(announcements.create, draft, now=clock.now())
        asyncio.run_coroutine_threadsafe(writing, self._loop).result()

    def the_instance(self) -> None:
        alice = self.alice
        assert alice.instance().domain == alice.instance_v2().domain == self.instance.domain
        assert alice.instance_v1().uri == self.instance.domain
        assert alice.instance_health()
        assert alice.instance_nodeinfo().software.name == "fediverse"
        assert len(alice.instance_activity()) == 12
        assert self.instance.domain not in alice.instance_peers()
        assert alice.instance_rules() == []
        assert len(alice.instance_languages()) > 20
        assert not alice.instance_translation_languages()
        for texts in (alice.instance_extended_description, alice.instance_terms_of_service):
            try:
                texts()
            except mastodon.MastodonNotFoundError:
                continue
        with pytest.raises(mastodon.MastodonAPIError):
            alice.instance_domain_blocks()  # which this instance keeps to itself
        assert alice.custom_emojis() == []
        assert alice.announcements() == []
        assert alice.app_verify_credentials().name
        assert alice.stream_healthy()

    def profiles(self) -> None:
        alice, bob = self.alice, self.bob
        assert str(alice.me().id) == str(alice.account_verify_credentials().id) == str(self.me.id)
        me = alice.account_update_credentials(
            display_name="Alice", note="All of it", avatar=_png(), avatar_mime_type="image/png", header=_png("blue"),
            header_mime_type="image/png", fields=[("Site", "https://example.com")], default_quote_policy="followers",
            discoverable=True, indexable=True,
        )  # fmt: skip
        assert (me.display_name, me.source.quote_policy, me.fields[0].name) == ("Alice", "followers", "Site")
        assert alice.profile().display_name == "Alice"
        assert alice.profile_update(note="Less").note == "Less"
        assert "missing" in alice.account_delete_avatar().avatar or alice.profile().avatar is None
        alice.account_delete_header()
        alice.account_update_credentials(default_quote_policy="public")
        assert alice.preferences()["posting:default:visibility"] == "public"
        assert bob.account(self.me.id).acct == bob.account_lookup("alice").acct == "alice"
        assert [one.acct for one in bob.account_search("ali")] == ["alice"]
        assert [one.acct for one in bob.accounts([self.me.id, self.her.id])] == ["alice", "carol"]
        assert "alice" in {one.acct for one in bob.directory(order="new", local=True)}

    def relations(self) -> None:
        alice, bob, carol = self.alice, self.bob, self.carol
        assert bob.account_follow(self.me.id).following
        carol.account_update_credentials(locked=True)
        assert bob.account_follow(self.her.id).requested
        assert alice.account_follow(self.her.id).requested
        assert {one.acct for one in carol.follow_requests()} == {"alice", "bob"}
        carol.follow_request_reject(self.me.id)
        assert carol.follow_request_authorize(self.him.id).followed_by
        carol.account_update_credentials(locked=False)
        carol.account_follow(self.me.id)
        assert alice.account_remove_from_followers(self.her.id).followed_by is False
        carol.account_follow(self.me.id)
        assert {one.acct for one in alice.account_followers(self.me.id)} == {"bob", "carol"}
        assert {one.acct for one in bob.account_following(self.him.id)} == {"alice", "carol"}
        assert bob.account_note_set(self.me.id, "knows coffee").note == "knows coffee"
        assert bob.account_relationships([self.me.id])[0].note == "knows coffee"
        assert bob.account_endorse(self.me.id).endorsed
        assert bob.account_pin(self.her.id).endorsed
        assert {one.acct for one in bob.endorsements()} == {"alice", "carol"}
        bob.account_unpin(self.her.id)
        assert not bob.account_unendorse(self.me.id).endorsed
        assert bob.account_familiar_followers([self.me.id])[0].accounts[0].acct == "carol"
        assert alice.account_mute(self.him.id, duration=60).muting
        assert [one.acct for one in alice.mutes()] == ["bob"]
        assert not alice.account_unmute(self.him.id).muting
        assert alice.account_block(self.her.id).blocking
        assert [one.acct for one in alice.blocks()] == ["carol"]
        assert not alice.account_unblock(self.her.id).blocking
        assert carol.account_follow(self.me.id).following
        assert not alice.account_unfollow(self.him.id).following
        alice.domain_block("bad.example")
        assert list(alice.domain_blocks()) == ["bad.example"]
        alice.domain_unblock("bad.example")
        assert list(alice.domain_blocks()) == []
        alice.suggestions()
        alice.suggestions_v1()
        alice.suggestions_v2()
        alice.suggestion_delete(self.him.id)

    def statuses(self) -> None:
        alice, bob = self.alice, self.bob
        assert alice.toot("Plain").content
        status = alice.status_post("About #coffee @bob", language="en", idempotency_key="one")
        self.status = status
        assert bob.status(status).id == status.id
        assert [one.id for one in bob.statuses([status.id])] == [status.id]
        reply = bob.status_reply(status, "indeed")
        assert [one.id for one in alice.status_context(status).descendants] == [reply.id]
        assert alice.status_update(status, "About #coffee, better @bob").edited_at
        assert len(alice.status_history(status)) == 2
        assert alice.status_source(status).text.startswith("About")
        bob.status_card(status)
        assert bob.status_favourite(status).favourited
        assert [one.acct for one in alice.status_favourited_by(status)] == ["bob"]
        assert not bob.status_unfavourite(status).favourited
        bob.status_favourite(status)
        assert bob.status_reblog(status).reblog.id == status.id
        assert [one.acct for one in alice.status_reblogged_by(status)] == ["bob"]
        assert not bob.status_unreblog(status).reblogged
        bob.status_reblog(status)
        assert bob.status_bookmark(status).bookmarked
        assert [one.id for one in bob.bookmarks()] == [status.id]
        assert [one.id for one in bob.favourites()] == [status.id]
        assert not bob.status_unbookmark(status).bookmarked
        assert alice.status_mute(status).muted
        assert not alice.status_unmute(status).muted
        assert alice.status_pin(status).pinned
        assert len(bob.account_statuses(self.me.id, pinned=True)) == 1
        assert not alice.status_unpin(status).pinned
        quoting = bob.status_post("So says she", quoted_status_id=status.id)
        assert quoting.quote.state == "accepted"
        assert [one.id for one in alice.status_quotes(status)] == [quoting.id]
        assert alice.status_quote_revoke(status, quoting).quote.state == "revoked"
        alice.status_update_quote_approval_policy(status, "nobody")
        poll = alice.status_post("Which?", poll=alice.make_poll(["tea", "coffee"], 3600))
        assert bob.poll_vote(poll.poll, [1]).voted
        assert alice.poll(poll.poll).votes_count == 1
        waiting = alice.status_post("Later", scheduled_at=datetime.now(UTC) + timedelta(hours=1))
        assert alice.scheduled_statuses()[0].id == waiting.id
        assert alice.scheduled_status(waiting).params.text == "Later"
        alice.scheduled_status_update(waiting, datetime.now(UTC) + timedelta(hours=2))
        alice.scheduled_status_delete(waiting)
        assert "indeed" in bob.status_delete(reply).text

    def media(self) -> None:
        alice = self.alice
        picture = alice.media_post(_png(), mime_type="image/png", description="red", focus=(0.5, -0.5))
        assert alice.media(picture).description == "red"
        assert alice.media_update(picture, description="all red").description == "all red"
        shown = alice.status_post("Look", media_ids=[picture])
        assert shown.media_attachments[0].meta.focus.x == 0.5

    def timelines(self) -> None:
        alice, bob = self.alice, self.bob
        assert bob.timeline_home()
        assert bob.timeline("home")
        assert bob.timeline_public()
        assert bob.timeline_local()
        assert bob.timeline_hashtag("coffee")
        with pytest.raises(mastodon.MastodonNotFoundError):
            bob.timeline_link("https://example.com/never")
        reading = bob.list_create("Team", replies_policy="list")
        assert [one.id for one in bob.lists()] == [reading.id]
        assert bob.list(reading).title == "Team"
        bob.list_accounts_add(reading, [self.me.id])
        assert [one.acct for one in bob.list_accounts(reading)] == ["alice"]
        assert [one.title for one in bob.account_lists(self.me.id)] == ["Team"]
        assert bob.timeline_list(reading)
        assert bob.list_update(reading, "Company").title == "Company"
        bob.list_accounts_delete(reading, [self.me.id])
        bob.list_delete(reading)
        bob.markers_set(["home"], [self.status.id])
        assert bob.markers_get(["home"]).home.last_read_id == self.status.id
        direct = alice.status_post("@bob between us", visibility="direct")
        conversation = bob.conversations()[0]
        assert conversation.last_status.id == direct.id
        assert not bob.conversations_read(conversation).unread

    def tags(self) -> None:
        alice, bob = self.alice, self.bob
        assert bob.tag("coffee").name.lower() == "coffee"
        assert bob.tag_follow("coffee").following
        assert [one.name.lower() for one in bob.followed_tags()] == ["coffee"]
        assert not bob.tag_unfollow("coffee").following
        featured = alice.featured_tag_create("coffee")
        assert [one.id for one in alice.featured_tags()] == [featured.id]
        assert alice.account_featured_tags(self.me.id)
        alice.featured_tag_delete(featured)
        alice.featured_tag_suggestions()
        alice.tag_feature("coffee")
        alice.tag_unfeature("coffee")
        for trending in (bob.trends, bob.trending_tags, bob.trending_statuses, bob.trending_links):
            assert isinstance(trending(), list)

    def filters(self) -> None:
        bob = self.bob
        made = bob.filter_create("spoiler", ["home"])
        assert [one.id for one in bob.filters()] == [made.id]
        assert bob.filter(made).phrase == "spoiler"
        assert bob.filter_update(made, phrase="ending", context=["home"]).phrase == "ending"
        bob.filter_delete(made)
        both = bob.create_filter_v2(
            "Work", ["home", "public"], "warn", keywords_attributes=[{"keyword": "meeting", "whole_word": True}]
        )
        assert [one.title for one in bob.filters_v2()] == ["Work"]
        assert bob.filter_v2(both).filter_action == "warn"
        assert bob.update_filter_v2(both, title="Jobs").title == "Jobs"
        keyword = bob.add_filter_keyword_v2(both, "deadline")
        assert len(bob.filter_keywords_v2(both)) == 2
        bob.delete_filter_keyword_v2(keyword)
        held = bob.add_filter_status_v2(both, self.status)
        assert [one.status_id for one in bob.filter_statuses_v2(both)] == [str(self.status.id)]
        assert bob.filter_status_v2(held).id == held.id
        bob.delete_filter_status_v2(held)
        bob.delete_filter_v2(both)

    def notifications(self) -> None:
        alice, bob = self.alice, self.bob
        told = alice.notifications()
        assert {"favourite", "reblog", "follow"} <= {one.type for one in told}
        assert alice.notifications(told[0].id).id == told[0].id
        assert alice.notifications_unread_count().count > 0
        alice.notifications_dismiss(told[0].id)
        groups = alice.grouped_notifications()
        key = next(one.group_key for one in groups.notification_groups if one.type == "favourite")
        assert alice.grouped_notification(key).notification_groups[0].group_key == key
        assert alice.grouped_notification_accounts(key)
        assert alice.unread_grouped_notifications_count() > 0
        alice.dismiss_grouped_notification(key)
        assert alice.notifications_policy().for_not_following == "accept"
        assert alice.update_notifications_policy(for_not_following="filter").for_not_following == "filter"
        for number in range(3):
            self.carol.status_post(f"@alice question {number}")
        bob.status_post("@alice hello")
        waiting = alice.notification_requests()
        assert {one.account.acct for one in waiting} == {"carol", "bob"}
        first = alice.notification_request(waiting[0])
        alice.accept_notification_request(first)
        alice.dismiss_notification_request(waiting[1])
        alice.accept_multiple_notification_requests([waiting[0].id])
        alice.dismiss_multiple_notification_requests([waiting[1].id])
        assert alice.notifications_merged() in {True, False}
        alice.update_notifications_policy(for_not_following="accept")
        alice.notifications_clear()
        assert alice.notifications() == []
        _, public = alice.push_subscription_generate_keys()
        made = alice.push_subscription_set("https://push.example/1", public, mention_events=True)
        assert alice.push_subscription().id == made.id
        assert alice.push_subscription_update(follow_events=True).alerts.follow
        alice.push_subscription_delete()

    def searching(self) -> None:
        bob = self.bob
        self.tick()
        assert bob.search("alice").accounts[0].acct == "alice"
        assert bob.search_v2("coffee", result_type="hashtags", exclude_unreviewed=False).hashtags
        assert bob.search_v2("coffee", result_type="statuses").statuses
        assert "coffee" in [name.lower() for name in bob.search_v1("coffee").hashtags]

    def moderating(self) -> None:
        alice, bob = self.alice, self.bob
        filed = bob.report(self.her.id, comment="spam", category="spam")
        assert [one.id for one in alice.admin_reports()] == [filed.id]
        assert alice.admin_report(filed.id).comment == "spam"
        assert alice.admin_report_assign(filed.id).assigned_account
        assert not alice.admin_report_unassign(filed.id).assigned_account
        assert alice.admin_report_resolve(filed.id).action_taken
        assert not alice.admin_report_reopen(filed.id).action_taken
        for everybody in (alice.admin_accounts, alice.admin_accounts_v2, alice.admin_accounts_v1):
            assert {"bob", "carol"} <= {one["username"] for one in everybody()}
        assert alice.admin_account(self.her.id).username == "carol"
        for action, back in (
            ("sensitive", alice.admin_account_unsensitive),
            ("disable", alice.admin_account_enable),
            ("silence", alice.admin_account_unsilence),
            ("suspend", alice.admin_account_unsuspend),
        ):
            alice.admin_account_moderate(self.her.id, action=action)
            back(self.her.id)
        for refused in (alice.admin_account_approve, alice.admin_account_reject, alice.admin_account_delete):
            with pytest.raises(mastodon.MastodonAPIError):
                refused(self.her.id)

    def blocking(self) -> None:
        alice = self.alice
        block = alice.admin_create_domain_block("bad.example", severity="suspend")
        assert [one.domain for one in alice.admin_domain_blocks()] == ["bad.example"]
        assert alice.admin_update_domain_block(block.id, severity="silence").severity == "silence"
        alice.admin_delete_domain_block(block.id)
        mail = alice.admin_create_email_domain_block("mail.example")
        assert alice.admin_email_domain_block(mail.id).domain == "mail.example"
        assert len(alice.admin_email_domain_blocks()) == 1
        alice.admin_delete_email_domain_block(mail.id)
        canonical = alice.admin_create_canonical_email_block(email="evil@mail.example")
        assert alice.admin_test_canonical_email_block("e.vil+x@mail.example")[0].id == canonical.id
        assert len(alice.admin_canonical_email_blocks()) == 1
        alice.admin_delete_canonical_email_block(canonical.id)
        address = alice.admin_create_ip_block("192.0.2.0/24", "sign_up_block")
        assert alice.admin_ip_block(address.id).severity == "sign_up_block"
        assert alice.admin_update_ip_block(address.id, severity="no_access").severity == "no_access"
        assert len(alice.admin_ip_blocks()) == 1
        alice.admin_delete_ip_block(address.id)
        since, now = datetime.now(UTC) - timedelta(days=3), datetime.now(UTC)
        assert {one.key for one in alice.admin_measures(since, now, active_users=True, new_users=True)} == {
            "active_users",
            "new_users",
        }
        assert alice.admin_dimensions(since, now, languages=True, software_versions=True)
        assert alice.admin_retention(since, now)
        for trending in (alice.admin_trending_tags, alice.admin_trending_statuses, alice.admin_trending_links):
            assert isinstance(trending(), list)

    def trends(self) -> None:
        alice, tag_id = self.alice, self.bob.tag("coffee").id
        assert alice.admin_approve_trending_tag(tag_id).trendable
        assert not alice.admin_reject_trending_tag(tag_id).trendable
        shown = self.bob.status_post("for all to see")
        assert alice.admin_approve_trending_status(shown).id == shown.id
        assert alice.admin_reject_trending_status(shown).id == shown.id
        for decide in (alice.admin_approve_trending_link, alice.admin_reject_trending_link):
            with pytest.raises(mastodon.MastodonNotFoundError):
                decide(1)  # no link was ever shared widely

    def announcements(self) -> None:
        bob = self.bob
        self.announce("The office is closed on Monday")
        (told,) = bob.announcements()
        bob.announcement_reaction_create(told, "👍")
        assert [(one.name, one.count, one.me) for one in bob.announcements()[0].reactions] == [("👍", 1, True)]
        bob.announcement_reaction_delete(told, "👍")
        assert bob.announcements()[0].reactions == []
        bob.announcement_dismiss(told)
        assert bob.announcements() == []

    def leaving(self) -> None:
        made = self.alice.admin_create_canonical_email_block(email="again@mail.example")
        assert self.alice.admin_canonical_email_block(made.id).id == made.id
        assert self.bob.search("carol", result_type="accounts").accounts[0].acct == "carol"


@pytest.mark.timeout(240)
async def test_mastodon_py_walks_all_that_applies(instance: Instance) -> None:
    everything = "read write follow push profile admin:read admin:write"
    people = {
        name: await instance.account(name, role="owner" if name == "alice" else "user", scopes=everything)
        for name in ("alice", "bob", "carol")
    }
    walk = Walk(instance, people, asyncio.get_running_loop())
    for step in (
        *(walk.the_instance, walk.profiles, walk.relations, walk.statuses, walk.media, walk.timelines, walk.tags),
        *(walk.filters, walk.notifications, walk.searching, walk.moderating, walk.blocking, walk.trends),
        *(walk.announcements, walk.leaving),
    ):
        await asyncio.to_thread(step)
    methods = {name for name, _ in getmembers(mastodon.Mastodon, isfunction) if not name.startswith("_")}
    assert sorted(methods - Walker.walked - set(NOT_WALKED)) == []
    assert sorted(set(NOT_WALKED) - methods) == [], "they do not exist any more"
