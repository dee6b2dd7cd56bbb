"""Identity of models, tokenizers and content."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Identity of a model or tokenizer: two with equal fingerprints give equal numbers.

    Attributes:
        name: Short name for people.
        weights: Digest of the weights or of the tokenizer's file; for an endpoint, of its model and URL.
        precision: Number format of the arithmetic, such as `float32`; empty if there is only one.
        usage: Everything else that changes the output, in a fixed order: pooling, prompts, scoring mode.
        answer_max_tokens: Longest answer in tokens; None for a model that writes no answers.
    """

    name: str
    weights: str = ""
    precision: str = ""
    usage: tuple[str, ...] = ()
    answer_max_tokens: int | None = None

    def __str__(self) -> str:
        """One line for manifests, cache keys and people.

        >>> str(Fingerprint(name="reader", weights="53aa", precision="float32", answer_max_tokens=48))
        'reader:53aa:float32:48'
        """
        length = "" if self.answer_max_tokens is None else str(self.answer_max_tokens)
        return ":".join(filter(None, (self.name, self.weights, self.precision, *self.usage, length)))

    def is_same_model(self, other: "Fingerprint") -> bool:
        """Whether both are one model used in one way.

        Precision and answer length may differ: they depend on the machine and on the caller.
        """
        return (self.name, self.weights, self.usage) == (other.name, other.weights, other.usage)


def digest(*parts: str) -> str:
    """SHA-256 over the parts, each with its length in front, so that different lists differ."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()
