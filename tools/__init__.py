"""Programs for those who work on this project; nothing of the server imports them."""
