"""How long a pack takes: `python -m benchmarks.latency [socket|peers]`.

- `socket`: `POST /v1/context` of a running service over `etcd_docs`, uncached and cached.
- `peers`: the whole path in process, beside other pipelines where `make peers` has made their environment,
  over 10,000 chunks of SciFact, with its own queries.

Each writes its own rows, so that one can be made again alone.
"""

import argparse
from collections.abc import Sequence

from benchmarks.latency import peers, served
from benchmarks.rows import show, write
from benchmarks.switches import add_switches, runs_asked, spelled

COMMAND = "python -m benchmarks.latency"
RUNS = {"socket": served.run, "peers": peers.run}
USUAL = {"socket": {"queries": 300, "pages": 701}, "peers": {"queries": 300, "chunks": 10_000}}
"""Sizes of each run; 701 pages are all that `etcd_docs` has."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is asked for; both, unless it is said."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", metavar="socket|peers")
    parser.add_argument("--sides", nargs="+", choices=peers.SIDES, default=peers.SIDES, help="of peers")
    add_switches(parser, **{name: size for usual in USUAL.values() for name, size in usual.items()})
    asked = parser.parse_args(argv)
    for name in runs_asked(parser, asked.runs, RUNS):
        unusual = {
            size: getattr(asked, size) for size, usual in USUAL[name].items() if getattr(asked, size) != usual
        }
        command = f"{COMMAND} {name}" + spelled(unusual)
        if name == "peers" and tuple(asked.sides) != peers.SIDES:
            command += " --sides " + " ".join(asked.sides)
        (show if asked.dry else write)(RUNS[name](asked, command))


if __name__ == "__main__":
    main()
