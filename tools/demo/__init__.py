"""Two branded instances on this machine that talk to each other: ``make demo``."""
