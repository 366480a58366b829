"""Typed errors of the store. Each says what failed, why, what was attempted and what to do next.

The text never holds statement parameters or a password: the engines hide parameters, and a database is
named by its URL with the password masked.
"""


class StoreError(Exception):
    """Something about the database itself is wrong; the operation had no effect unless stated.

    Attributes:
        attempted: what the store tried.
        why: the cause, in the database's words, without values.
        next_step: what an operator does about it.
    """

    def __init__(self, attempted: str, why: str, next_step: str) -> None:
        self.attempted = attempted
        self.why = why
        self.next_step = next_step
        super().__init__(f"could not {attempted}: {why}. Next: {next_step}")


class StoreUnavailable(StoreError):
    """The database cannot be reached, stayed locked, or broke off.

    When it broke off during the commit nobody knows whether the transaction was kept; the caller finds out by
    reading, as after a crash. Nothing is ever tried again silently.
    """


class StoreNewer(StoreError):
    """The database was migrated by a newer fly-gha, whose tables this one does not know."""
