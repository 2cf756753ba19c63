"""Pages for people: server-rendered, usable without JavaScript."""

from fediverse.web.routes import add_routes

__all__ = ["add_routes"]
