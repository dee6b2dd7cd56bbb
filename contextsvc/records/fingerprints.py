"""Fingerprints of models and tokenizers, and digests of content."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Identity of a model or tokenizer, with all settings that change its output.

    Two models with equal fingerprints give equal numbers for equal inputs.

    Attributes:
        name: Short name for people.
        weights: Digest of the model's weights or of the tokenizer's file. For an endpoint it is the digest of
            the model's name and the URL.
        precision: Number format of the arithmetic, such as `float32`; empty if only one format is possible.
        usage: Everything else that changes the output, in a fixed order: pooling, prompts, scoring mode.
        answer_max_tokens: Length limit of an answer in tokens; None for a model that writes no answers.
    """

    name: str
    weights: str = ""
    precision: str = ""
    usage: tuple[str, ...] = ()
    answer_max_tokens: int | None = None

    def __str__(self) -> str:
        """Return the fingerprint as one line, for manifests, cache keys and people.

        >>> str(Fingerprint(name="reader", weights="53aa", precision="float32", answer_max_tokens=48))
        'reader:53aa:float32:48'
        """
        length = "" if self.answer_max_tokens is None else str(self.answer_max_tokens)
        return ":".join(filter(None, (self.name, self.weights, self.precision, *self.usage, length)))

    def is_same_model(self, other: "Fingerprint") -> bool:
        """Return whether both fingerprints name the same model, used in the same way.

        Precision and answer length are not compared, because they depend on the machine and on the caller.
        """
        return (self.name, self.weights, self.usage) == (other.name, other.weights, other.usage)


def digest(*parts: str) -> str:
    """Return the SHA-256 of some texts as 64 hex digits.

    The length of each text is hashed before the text, so that two different lists have different digests.
    """
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()
