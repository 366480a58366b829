"""Refused: the one error of this server; it says what failed, why, what is missing and the next safe step.

No field ever quotes an argument, a name that other people chose, or an upstream's text: an error is read by a
model as instructions are, so it holds only words of ours.
"""

from mcp_server.rule import CLASS_OF, ErrorClass, Rule


class Refused(Exception):
    """A call got no answer.

    Attributes:
        rule: what decided.
        cause: why, in one sentence.
        attempted: what the call was to do.
        missing: what would have to be there for it to succeed; "" when nothing is missing.
        next_step: the next safe step.
        retry_after_s: seconds after which the same call may succeed; None when repeating cannot help, or
            nobody can say when it would.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        cause: str,
        attempted: str,
        next_step: str,
        missing: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(rule.value)
        self.rule = rule
        self.cause = cause
        self.attempted = attempted
        self.missing = missing
        self.next_step = next_step
        self.retry_after_s = retry_after_s

    @property
    def error_class(self) -> ErrorClass:
        """What kind of refusal this is."""
        return CLASS_OF[self.rule]

    def __str__(self) -> str:
        """All of it in one line."""
        parts = [f"{self.attempted}: {self.cause} [{self.rule}]"]
        if self.missing:
            parts.append(f"missing: {self.missing}")
        if self.retry_after_s is not None:
            parts.append(f"come back in {self.retry_after_s:g} s")
        parts.append(f"next: {self.next_step}")
        return "; ".join(parts)
