"""Pages for people: public, signed in, settings."""
