"""What people take along when they move: follows, blocks, mutes, lists, bookmarks, blocked domains.

The files are Mastodon's, so that they can be carried there and back.
"""
