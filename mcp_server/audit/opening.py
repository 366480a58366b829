"""Opening: where a log stands when a process begins to write there, and what is to be said of it."""

from dataclasses import dataclass
from pathlib import Path

from mcp_server.audit.batch import Place
from mcp_server.audit.files import Files
from mcp_server.audit.record import OPENED, RECOVERED, Entry, remark
from mcp_server.audit.recovery import End, recover
from mcp_server.audit.segments import first_prev, segments


@dataclass(frozen=True, slots=True)
class Opening:
    """What was found.

    Attributes:
        place: where the log goes on.
        end: what had to be cut off for that.
    """

    place: Place
    end: End

    def remarks(self, now: float) -> list[Entry]:
        """What the log says of itself before the first call of this process."""
        told = [remark(OPENED, now, "", {"after": self.end.seq})]
        if self.end.cut:
            file = "" if self.end.segment is None else self.end.segment.path.name
            particulars = {
                "why": "the last process left it half written",
                "cut_bytes": self.end.cut,
                "kept_in": list(self.end.kept_in),
            }
            told.append(remark(RECOVERED, now, file, particulars))
        return told


def stand(directory: Path, files: Files) -> Opening:
    """Cut off what is torn, and find where the log in ``directory`` goes on.

    Raises:
        OSError: something could not be read, kept or cut.
    """
    end = recover(directory, files)
    older = [(each, first_prev(each.path)) for each in segments(directory) if each != end.segment]
    start = "" if end.segment is None else first_prev(end.segment.path)
    return Opening(Place(end.seq, end.hash, end.segment, end.size, older, start), end)
