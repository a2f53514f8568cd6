"""The four ways in which work can go wrong, named by what the runner should do about it.

They live in the base room because every other room raises them. A message ends with what to do.
"""


class CivicwireError(Exception):
    """Base of all errors that a person is told about; anything else is a bug."""

    exit_code = 1


class ConfigError(CivicwireError):
    """A source file, setting or argument is wrong; nothing was done. Exit code 2."""

    exit_code = 2


class EnvironmentMissingError(CivicwireError):
    """Something that this machine must provide is not there. Exit code 3."""

    exit_code = 3


class RetriableError(CivicwireError):
    """The other side failed in a way that may pass (429, 5xx, a page cut short). The cursor stays; poll again."""


class UnreachableError(RetriableError):
    """The broker or the registry does not answer, or does not let us in. Exit code 3.

    What goes on by itself tries again; a single command ends, because nothing else would go better.
    """

    exit_code = 3


class FatalError(CivicwireError):
    """The feed cannot go on without a person (retired dataset, missing key column). The cursor stays."""


class RecordError(CivicwireError):
    """One record cannot be used. It goes to dead letters and the rest goes on.

    Attributes:
        reason: the reason code that is written to the dead letter, lower case with underscores.
        detail: a sentence for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
