"""How much of a request body is read."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contextsvc.api.problems import problem


class BodyLimit:
    """Refuses a longer body with 413: by its header before it is read, else as soon as it is too long."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if said.isdigit() and int(said) > self._max_bytes:
            await problem(413, "content_too_large", self._why)(scope, receive, send)
            return
        num_bytes = 0

        async def counted() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self._max_bytes:
                # Raised while the application reads, which its own handler of refusals answers.
                raise HTTPException(413, self._why)
            return message

        await self._app(scope, counted, send)

    @property
    def _why(self) -> str:
        return f"the body is longer than {self._max_bytes} bytes; CONTEXTSVC_MAX_BODY_BYTES raises the limit"
