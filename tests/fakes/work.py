"""Work that fails as a test scripts it."""

from contextsvc.ports import JobQueue

LONG = 60.0
"""Seconds that no test waits unless it fails."""


class ScriptedWork:
    """Work that raises the exceptions listed for a payload, one a call, and then succeeds.

    Attributes:
        calls: Payloads as text, in order of calls.
    """

    def __init__(self, **raised: list[BaseException]) -> None:
        self.raised = raised
        self.calls: list[str] = []

    def __call__(self, payload: bytes) -> None:
        """One try."""
        name = payload.decode()
        self.calls.append(name)
        if self.raised.get(name):
            raise self.raised[name].pop(0)


def put(queue: JobQueue, *names: str) -> None:
    """Put jobs whose payload is their key."""
    for name in names:
        assert queue.put(name, name.encode())
