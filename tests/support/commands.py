"""The command line without a process of its own: for tests of what commands do, not of how they are started."""

from __future__ import annotations

from dataclasses import dataclass

from click.testing import CliRunner

from fediverse.cli import cli
from fediverse.errors import FediverseError


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs ``fediverse`` with these settings."""

    environment: dict[str, str]

    def run(self, *words: str, stdin: str = "") -> str:
        """What the command wrote; it did what it was asked."""
        result = CliRunner().invoke(cli, words, input=stdin, env=self.environment)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    def refusal(self, *words: str, stdin: str = "") -> str:
        """Why the command did not do it."""
        result = CliRunner().invoke(cli, words, input=stdin, env=self.environment)
        assert result.exit_code != 0, result.output
        if isinstance(result.exception, FediverseError):
            return result.exception.message
        assert isinstance(result.exception, SystemExit), result.exception
        return result.output
