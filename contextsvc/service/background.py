"""Measuring in the background: one thread does queued measurements while no request waits or runs."""

import json
import logging
import threading
import traceback
from collections.abc import Callable

from contextsvc.errors import ContextError, Overloaded, UserError
from contextsvc.ports import Job, JobQueue
from contextsvc.service.slots import GaveWay

MOST_TRIES = 3
PAUSE_SECONDS = 5.0

log = logging.getLogger("contextsvc.background")


class BackgroundMeasuring:
    """One worker thread that does the jobs of a queue in order. No error of a job ends the worker.

    The exception that `work` raises decides what happens to the job:

    - `GaveWay`: a request needs the slot. The job goes back to its old position in the queue, and this try
      does not count as a failure.
    - `Overloaded`: as for `GaveWay`, and the worker then pauses for the time that the exception names.
    - `UserError`: the job fails at once, because another try would end in the same way.
    - Any other exception: the worker pauses and tries the job again, MOST_TRIES times in all.

    Every failure is logged as one line of JSON.

    Args:
        queue: The queue of jobs; `stop` closes it.
        work: Does one job. Doing a job twice must be harmless, because a process may die after the work and
            before the job is marked as done.
        may_run: Returns True while no request waits or runs. It is called before each try. A job that already
            runs must notice by itself when it has to give way.
        poll_seconds: Time between two checks of `may_run` and the queue while nobody calls `wake`. Only these
            checks find the jobs of other processes and of processes that died.
        pause_seconds: Pause between two tries of a job that went wrong.
    """

    def __init__(
        self,
        queue: JobQueue,
        work: Callable[[bytes], None],
        may_run: Callable[[], bool],
        poll_seconds: float = 0.2,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._queue, self._work, self._may_run = queue, work, may_run
        self._poll_seconds, self._pause_seconds = poll_seconds, pause_seconds
        self._news = threading.Condition()
        self._stopping = False
        # Number of calls of `wake` and `drain`, and how many of these calls came before the last check that
        # found the queue empty.
        self._num_asked = self._num_answered = 0
        # Failures so far of the job that went back last. This job is next unless another process takes it.
        self._gave_way: dict[str, int] = {}
        # A daemon thread, because a measurement that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="contextsvc-background", daemon=True)

    def start(self) -> None:
        """Start the worker thread. It can be started only once.

        Raises:
            RuntimeError: the worker was started before (a defect of the caller's code).
        """
        self._thread.start()

    def stop(self, timeout_seconds: float) -> bool:
        """Take no further job, wait for the job that runs, and close the queue.

        Returns:
            True if the worker has ended. If False, the queue stays open and the job stays leased: the worker
            finishes the job if the process lives long enough, otherwise the job is taken again after a
            restart.
        """
        with self._news:
            self._stopping = True
            self._news.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            return False
        self._queue.close()
        return True

    def wake(self) -> None:
        """Make the worker check the queue now instead of at the next poll."""
        with self._news:
            self._num_asked += 1
            self._news.notify_all()

    def drain(self, timeout_seconds: float) -> bool:
        """Wait until the worker has finished its job and has found the queue empty.

        Returns:
            False if the wait took too long, or if the worker stopped meanwhile or was never started.
        """
        with self._news:
            self._num_asked += 1
            ticket = self._num_asked
            self._news.notify_all()
            if self._thread.is_alive():
                self._news.wait_for(lambda: self._num_answered >= ticket or self._stopping, timeout_seconds)
            return self._num_answered >= ticket

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._look()
            except Exception as defect:  # noqa: BLE001  # an error of the queue or of may_run is logged
                _record("worker_trouble", defect)
                self._pause(self._pause_seconds)

    def _look(self) -> None:
        if not self._has_turn():
            return
        ticket = self._num_asked
        job = self._queue.take()
        if job is not None:
            self._do(job)
            return
        with self._news:
            self._num_answered = ticket
            self._news.notify_all()
        self._wait_for_news(ticket)

    def _do(self, job: Job) -> None:
        num_faults = self._gave_way.pop(job.key, 0)
        # The job stays leased between two tries. If it were given back, the next take would return the same
        # job, and each of several processes would count only its own tries.
        while self._has_turn():
            try:
                self._work(job.payload)
            except GaveWay:
                break
            except Overloaded as busy:
                self._give_back(job, num_faults)
                self._pause(max(busy.retry_after_seconds, self._poll_seconds))
                return
            except UserError as refusal:
                self._fail(job, refusal, refusal.public_text)
                return
            except BaseException as error:  # noqa: BLE001  # also SystemExit: no error may end the thread
                num_faults += 1
                if num_faults >= MOST_TRIES:
                    self._fail(job, error, _reason(error))
                    return
                _record("job_tried", error, job)
                self._pause(self._pause_seconds)
            else:
                self._queue.done(job.key)
                return
        self._give_back(job, num_faults)

    def _give_back(self, job: Job, num_faults: int) -> None:
        # Keep the count of failures; otherwise a job that fails whenever it runs might be tried forever.
        self._gave_way = {job.key: num_faults}
        self._queue.give_back(job.key)

    def _fail(self, job: Job, error: BaseException, reason: str) -> None:
        _record("job_failed", error, job)
        self._queue.fail(job.key, reason)

    def _has_turn(self) -> bool:
        """Wait until a job may run. Return False if the worker has to stop."""
        while not self._stopping:
            ticket = self._num_asked
            if self._may_run():
                return True
            self._wait_for_news(ticket)
        return False

    def _wait_for_news(self, ticket: int) -> None:
        """Wait until `wake` or `drain` is called after call number `ticket`, or until the next poll."""
        with self._news:
            self._news.wait_for(lambda: self._stopping or self._num_asked > ticket, self._poll_seconds)

    def _pause(self, seconds: float) -> None:
        # A call of `wake` does not end the pause, because a new job does not repair what went wrong.
        with self._news:
            self._news.wait_for(lambda: self._stopping, seconds)


def _reason(error: BaseException) -> str:
    # As for requests, the text of an unexpected exception goes to the log and not to callers.
    last = "an unforeseen error; see the service's log"
    if isinstance(error, ContextError):
        last = error.public_text
    return f"it failed {MOST_TRIES} times, the last time: {last}"


def _record(event: str, error: BaseException, job: Job | None = None) -> None:
    line: dict[str, object] = {"event": event, "error": str(error), "type": type(error).__name__}
    if job is not None:
        line |= {"job": job.key, "num_tries": job.num_tries}
    if not isinstance(error, ContextError):
        line["traceback"] = "".join(traceback.format_exception(error))
    log.warning(json.dumps(line, sort_keys=True))
