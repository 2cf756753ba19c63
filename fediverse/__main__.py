"""The command ``fediverse``."""

from fediverse.cli import main

if __name__ == "__main__":
    main()
