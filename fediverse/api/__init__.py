"""Mastodon's client API: one module per resource."""
