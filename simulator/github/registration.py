"""One self-hosted runner record, and the rules for its name and labels.

The rule for names is the runner's own (source of actions/runner); what the list shows is REST's.
"""

from dataclasses import dataclass, field

from simulator.github.jit import Identity
from simulator.github.problems import invalid

NAME_MAX = 64
NAME_FORBIDDEN = frozenset('"/:<>\\|*?')
LABELS_MAX = 100
LABEL_MAX = 256
READ_ONLY_LABELS = frozenset({"self-hosted", "linux", "macos", "windows", "x64", "arm", "arm64"})


@dataclass(slots=True)
class Registration:
    """A runner as the service knows it.

    Attributes:
        scope: `orgs/acme` or `repos/acme/web`.
        mode: `jit` or `token`.
        online, job_id: the truth at this moment.
        seen_online, seen_busy: what the REST lists still say; they follow the truth late.
        spent: an ephemeral runner whose one job is over, or was sent and never acknowledged.
        removed: it is no longer on the service; its session answers 404.
    """

    id: int
    name: str
    scope: str
    group_id: int
    group_name: str
    labels: tuple[str, ...]
    mode: str
    ephemeral: bool
    work_folder: str
    identity: Identity = field(repr=False)
    created_at: float
    os: str = "unknown"
    version: str | None = None
    session_id: str | None = None
    idle_since: float | None = None
    job_id: int | None = None
    seen_online: bool = False
    seen_busy: bool = False
    spent: bool = False
    removed: bool = False

    @property
    def online(self) -> bool:
        """Whether a session is open."""
        return self.session_id is not None

    @property
    def busy(self) -> bool:
        """Whether it holds a job, acknowledged or not."""
        return self.job_id is not None


def check_name(name: object) -> str:
    """The name, if GitHub would take it.

    Raises:
        GitHubProblem: 422.
    """
    if not isinstance(name, str) or not name:
        raise invalid("name is missing or not a string")
    if len(name) > NAME_MAX:
        raise invalid(
            f"Runner name exceeds the maximum length of {NAME_MAX} characters (Parameter 'agent.Name')"
        )
    if set(name) & NAME_FORBIDDEN:
        raise invalid("Runner name contains one of \" / : < > \\ | * ? (Parameter 'agent.Name')")
    return name


def check_labels(labels: object) -> tuple[str, ...]:
    """The labels, without doubles, if GitHub would take them. None is added: JIT adds no default labels.

    Raises:
        GitHubProblem: 422.
    """
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise invalid("labels must be a list of non-empty strings")
    if not 1 <= len(labels) <= LABELS_MAX:
        raise invalid(f"labels must hold 1 to {LABELS_MAX} items; got {len(labels)}")
    if any(len(label) > LABEL_MAX for label in labels):
        raise invalid(f"a label exceeds {LABEL_MAX} characters")
    return tuple(dict.fromkeys(labels))
