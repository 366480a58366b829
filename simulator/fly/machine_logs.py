"""What Machines printed, kept short: the end of each Machine's output, and only for the newest Machines."""

import asyncio
import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator

KEPT_BYTES = 64 * 1024
KEPT_MACHINES = 1000
READ_SIZE = 65536


class MachineLogs:
    """Output of many Machines, by id."""

    def __init__(self) -> None:
        self._logs: OrderedDict[str, bytearray] = OrderedDict()

    def append(self, machine_id: str, output: bytes) -> None:
        """Add output of a Machine and forget what is beyond the bounds."""
        log = self._logs.setdefault(machine_id, bytearray())
        log += output
        del log[:-KEPT_BYTES]
        while len(self._logs) > KEPT_MACHINES:
            self._logs.popitem(last=False)

    def read(self, machine_id: str) -> str:
        """The kept end of a Machine's output; empty when it printed nothing or is forgotten."""
        return bytes(self._logs.get(machine_id, b"")).decode(errors="replace")

    @contextlib.contextmanager
    def writer(self, machine_id: str) -> Iterator[int]:
        """A file descriptor whose output is read into the Machine's log while the context is open."""
        loop = asyncio.get_running_loop()
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        loop.add_reader(read_end, self._take, machine_id, read_end)
        try:
            yield write_end
        finally:
            loop.remove_reader(read_end)
            while self._take(machine_id, read_end):
                pass
            os.close(write_end)
            os.close(read_end)

    def _take(self, machine_id: str, read_end: int) -> bool:
        # There is no end of file to expect: our own write end stays open until the context ends.
        try:
            output = os.read(read_end, READ_SIZE)
        except BlockingIOError:
            return False
        self.append(machine_id, output)
        return bool(output)
