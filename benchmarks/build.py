"""How long an index of 701 Markdown pages takes, and how much memory: `python -m benchmarks.build`."""

import json
import resource
import subprocess
import sys
import tempfile

from benchmarks.rows import Row, dataset, fingerprint, write

COMMAND = "python -m benchmarks.build"


def main() -> None:
    """Build `etcd_docs` in a process of its own and keep its figures."""
    pages = dataset("etcd_docs", "content")
    with tempfile.TemporaryDirectory() as root:
        command = [sys.executable, "-m", "contextsvc", "index", "build", str(pages), "--index", "etcd",
                   "--root", root, "--json"]  # fmt: skip
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(run.stdout)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    figures = {
        "seconds to build": found["seconds"],
        "peak memory, MiB": peak,
        "documents/s": found["documents_per_second"],
        "tokens/s": found["tokens_per_second"],
        "share of time in the encoder": found["encoder_share"],
        "share of sentences that had to be embedded": found["num_vectors"] / found["num_sentences"],
    }
    kept = ("num_documents", "num_chunks", "num_sentences", "num_vectors", "num_tokens")
    details = {key: found[key] for key in kept}
    write(
        [
            Row(
                "build",
                figure,
                float(value),
                None,
                found["num_documents"],
                fingerprint(pages),
                {},
                0,
                COMMAND,
                details,
            )
            for figure, value in figures.items()
        ]
    )


if __name__ == "__main__":
    main()
