"""Digests that identify content."""

import hashlib


def digest(*parts: str) -> str:
    """SHA-256 over the parts, each with its length in front, so that different lists differ."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()
