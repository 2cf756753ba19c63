"""What goes out: published, fanned out, delivered."""
