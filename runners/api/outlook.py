"""Outlook: answers to "what if", thought out in a thread, and remembered as long as the plan is the same.

Many agents ask nearly the same before they push; a large fleet takes the planner a good part of a second.
One question is thought about at a time, the same one once, and the event loop waits for none of them.
"""

import asyncio

from runners.api.port import PlanView
from runners.model.settings import Settings
from runners.planning.what_if import Prospect, Wish, what_if

# Different questions about one plan; past this the oldest answer is forgotten.
KEPT_MAX = 512


class Outlook:
    """Answers of one plan.

    Args:
        settings: fleet.toml.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._view: PlanView | None = None
        self._answers: dict[Wish, asyncio.Task[Prospect]] = {}
        self._one = asyncio.Lock()

    async def of(self, view: PlanView, wish: Wish) -> Prospect:
        """What would become of these jobs by this plan."""
        if self._view is not view:
            self._view, self._answers = view, {}
        task = self._answers.get(wish)
        if task is None:
            if len(self._answers) >= KEPT_MAX:
                del self._answers[next(iter(self._answers))]
            task = self._answers[wish] = asyncio.ensure_future(self._think(view, wish))
        # Whoever gives up waiting must not take the answer from the others.
        return await asyncio.shield(task)

    async def _think(self, view: PlanView, wish: Wish) -> Prospect:
        async with self._one:
            return await asyncio.to_thread(what_if, view.snapshot, self._settings, wish)
