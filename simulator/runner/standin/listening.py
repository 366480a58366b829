"""`run`: open a session, wait for a job, hold its lock while it runs, report it, leave.

After actions/runner 2.336. Two things differ from the real listener on purpose: its waits follow the
simulated world's scale where the service tells it, and it gives up on a service that has been unreachable for
two minutes, so that no process of a dead simulation stays behind.
"""

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from .codes import (
    JOB_RESULT_BASE,
    JOB_RESULTS,
    SESSION_CONFLICT,
    SUCCESS,
    TERMINATED,
    VERSION,
    VERSION_DEPRECATED,
)
from .folder import Folder
from .service import Answer, Service, Unreachable
from .terminal import error, say, stamp
from .worker import Worker

OK, CREATED, NO_MESSAGE = 200, 201, 202
FORBIDDEN, GONE, CONFLICT = 403, 404, 409
UNREACHABLE_RETRY = 1.0
UNREACHABLE_LIMIT = 120.0
REPORT_TRIES = 5
ENDING = (signal.SIGTERM, signal.SIGINT)
RESULT_WORDS = {"success": "Succeeded", "failure": "Failed", "cancelled": "Canceled"}
DELETED = (
    "Failed to create a session. The runner registration has been deleted from the server, please "
    "re-configure. Runner registrations are automatically deleted for runners that have not connected to the "
    "service recently."
)


class Stopped(BaseException):
    """SIGTERM or SIGINT while there was no job."""


class Ended(Exception):
    """The listener is through, with this exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Listener:
    """One life of a configured runner.

    Args:
        folder: the runner's configuration.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._settings = folder.settings()
        self._service = Service(self._settings["ServerUrlV2"])
        self._ephemeral = self._settings.get("Ephemeral", "").lower() == "true"
        self._session = ""
        self._worker: Worker | None = None
        self._unreachable_since: float | None = None

    def run(self) -> int:
        """Listen until there is a reason to leave; returns the exit code."""
        for number in ENDING:
            signal.signal(number, self._stop)
        try:
            self._open()
            while True:
                job = self._next_job()
                if job is not None:
                    self._take(job)
        except Ended as end:
            return end.code
        except Stopped:
            say("Exiting...")
            return SUCCESS
        finally:
            self._close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        """The real listener has no drain: a running job is cancelled, an idle runner leaves at once."""
        if self._worker is None:
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)
            raise Stopped
        self._worker.cancel()

    def _open(self) -> None:
        """Open the session.

        Raises:
            Ended: the registration is gone, another session stays open, or the version is deprecated.
        """
        client_id, proof = self._folder.proof()
        waited = 0.0
        while True:
            wish = {"client_id": client_id, "proof": proof, "version": VERSION}
            # A session that was opened must be known before a signal may end us, or nobody closes it.
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
            try:
                answer = self._call("POST", "/sessions", wish)
                if answer is not None and answer.status == CREATED:
                    self._session = answer.body["session_id"]
                    break
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
            if answer is None:
                continue
            if answer.status == CONFLICT:
                waited = self._wait_for_session(answer, waited)
                continue
            self._check_version(answer)
            error(DELETED)
            raise Ended(TERMINATED)
        say("", "√ Connected to GitHub", "")
        say(f"Current runner version: '{VERSION}'")
        stamp("Listening for Jobs")
        self._folder.log("Session created, listening for jobs")

    def _wait_for_session(self, answer: Answer, waited: float) -> float:
        error("A session for this runner already exists.")
        if waited >= answer.seconds("x-give-up-after", 240.0):
            raise Ended(SESSION_CONFLICT)
        pause = answer.seconds("retry-after", 30.0)
        time.sleep(pause)
        return waited + pause

    def _next_job(self) -> dict[str, Any] | None:
        """One long poll.

        Raises:
            Ended: the registration is gone (0), or the version is deprecated.
        """
        answer = self._call("GET", f"/sessions/{self._session}/message")
        if answer is None or answer.status == NO_MESSAGE:
            return None
        if answer.status == OK:
            job: dict[str, Any] = answer.body["job"]
            return job
        if answer.status == GONE:
            error("The runner no longer exists on the server. Please reconfigure the runner.")
            self._forget()
            raise Ended(SUCCESS)
        self._check_version(answer)
        time.sleep(UNREACHABLE_RETRY)
        return None

    def _take(self, job: dict[str, Any]) -> None:
        """Run a job that the service still wants from us.

        Raises:
            Ended: an ephemeral runner has done its one job.
        """
        worker = self._worker = Worker(
            job, self._folder.root, self._settings.get("WorkFolder", "_work"), self._settings["AgentName"]
        )
        first = self._call("POST", f"/jobs/{job['id']}/renew", {"session_id": self._session})
        if first is None or first.status != OK:
            self._folder.log("Skipping message Job.")
            self._worker = None
            if worker.cancelled:
                raise Stopped
            return
        stamp(f"Running job: {job['name']}")
        self._folder.log(f"Running job {job['id']}")
        done = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(job, worker, done), daemon=True)
        renewing.start()
        try:
            conclusion, steps = worker.run()
        finally:
            done.set()
        self._report(job, conclusion, steps)
        stamp(f"Job {job['name']} completed with result: {RESULT_WORDS[conclusion]}")
        if self._ephemeral:
            self._close()
            self._forget()
            raise Ended(_result_code(conclusion))
        self._worker = None

    def _renew(self, job: dict[str, Any], worker: Worker, done: threading.Event) -> None:
        """Hold the lock; stop the job when the service says so or does not know it any more."""
        while not done.wait(job["renew_s"]):
            try:
                answer = self._service.call("POST", f"/jobs/{job['id']}/renew", {"session_id": self._session})
            except Unreachable as wrong:
                self._folder.log(f"Renewal failed: {wrong}")
                continue
            if answer.status == GONE or answer.body.get("cancel"):
                worker.cancel()
                return

    def _report(self, job: dict[str, Any], conclusion: str, steps: list[str]) -> None:
        body = {"session_id": self._session, "conclusion": conclusion, "steps": steps}
        for _ in range(REPORT_TRIES):
            try:
                answer = self._service.call("POST", f"/jobs/{job['id']}/complete", body)
            except Unreachable as wrong:
                self._folder.log(f"Report failed: {wrong}")
                time.sleep(UNREACHABLE_RETRY)
                continue
            self._folder.log(f"Reported {conclusion}: {answer.status}")
            return

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer | None:
        """One call; None after a pause when the service could not be reached.

        Raises:
            Ended: it has been so for too long.
        """
        try:
            answer = self._service.call(method, path, body)
        except Unreachable as wrong:
            self._folder.log(str(wrong))
            now = time.monotonic()
            since = self._unreachable_since = self._unreachable_since or now
            if now - since > UNREACHABLE_LIMIT:
                error(f"The service cannot be reached: {wrong}")
                raise Ended(TERMINATED) from wrong
            time.sleep(UNREACHABLE_RETRY)
            return None
        self._unreachable_since = None
        return answer

    def _check_version(self, answer: Answer) -> None:
        """An outdated runner is told so; only with this variable does it end with a code of its own."""
        if answer.status == FORBIDDEN:
            error(f"An error occured: {answer.body.get('message', '')}")
            own = os.environ.get("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE") == "1"
            raise Ended(VERSION_DEPRECATED if own else TERMINATED)

    def _close(self) -> None:
        """End the session; a service that does not listen any more does not matter."""
        session, self._session = self._session, ""
        if session:
            try:
                self._service.call("DELETE", f"/sessions/{session}")
            except Unreachable as wrong:
                self._folder.log(f"Session not deleted: {wrong}")

    def _forget(self) -> None:
        for name in self._folder.forget():
            say(f"√ Removed {name}")


def _result_code(conclusion: str) -> int:
    if os.environ.get("ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED") in {"1", "true"}:
        return JOB_RESULT_BASE + JOB_RESULTS[conclusion]
    return SUCCESS
