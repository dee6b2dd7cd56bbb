"""Generations of an index on disk: stage, seal, publish, open, verify, roll back, collect.

This package knows folders and files, not what the files mean.

    ROOT/NAME/CURRENT                 the published generation and the previous ones (`pointer`)
    ROOT/NAME/LOCK                    advisory lock of the one writer; the system frees it if the writer dies
    ROOT/NAME/generations/ID/         plain files, and manifest.json, which is written last
    ROOT/NAME/generations/staging-*   a generation that is being built; the next writer removes a dead one
    ROOT/NAME/parts/                  finished parts of a build, for `--resume`
    ROOT/NAME/verified.json           hashes of files that were not touched since (`verified`)
    ROOT/NAME/journal                 changes that wait for the next publish
    ROOT/NAME/calibrations/ID/        placebo effects that were drawn in a generation (`companions`)
    ROOT/NAME/utilization/ID.json     the last measured score of a generation

A reader sees one whole generation or another, never a mixture: CURRENT changes by one rename, and the files
of a published generation never change. This holds because of the order of syncs in `Stage.seal` and
`Stage.publish_steps`.
"""

from contextsvc.storage.generation.companions import (
    CALIBRATIONS,
    UTILIZATION,
    companions_of,
    write_companion,
)
from contextsvc.storage.generation.disk import WriteError, disk_writes
from contextsvc.storage.generation.journal import (
    APPLIED,
    Mark,
    Record,
    append,
    applied,
    drop_until,
    holds,
    mark_at,
)
from contextsvc.storage.generation.journal import read as read_journal
from contextsvc.storage.generation.locking import writing
from contextsvc.storage.generation.manifest import FORMAT, FileEntry, Manifest, problems
from contextsvc.storage.generation.pointer import (
    Pointer,
    best_pointer,
    check_name,
    current,
    generations,
    index_names,
    read_pointer,
)
from contextsvc.storage.generation.reading import claimed_manifest, open_generation, open_manifest
from contextsvc.storage.generation.retention import collect, require_published, roll_back
from contextsvc.storage.generation.staging import KEEP, Published, Stage, stage

__all__ = [
    "APPLIED",
    "CALIBRATIONS",
    "FORMAT",
    "KEEP",
    "UTILIZATION",
    "FileEntry",
    "Manifest",
    "Mark",
    "Pointer",
    "Published",
    "Record",
    "Stage",
    "WriteError",
    "append",
    "applied",
    "best_pointer",
    "check_name",
    "claimed_manifest",
    "collect",
    "companions_of",
    "current",
    "disk_writes",
    "drop_until",
    "generations",
    "holds",
    "index_names",
    "mark_at",
    "open_generation",
    "open_manifest",
    "problems",
    "read_journal",
    "read_pointer",
    "require_published",
    "roll_back",
    "stage",
    "write_companion",
    "writing",
]
