"""Generations of an index on disk. A generation is one published version of the index.

This package stages (builds), seals, publishes, opens, verifies, rolls back and removes generations. It knows
folders and files, but not what the files contain. ROOT is the folder of all indexes and NAME is an index:

    ROOT/NAME/CURRENT                 ids of the published generation and of previous generations (`pointer`)
    ROOT/NAME/LOCK                    lock that allows only one writer; the system frees it if the writer dies
    ROOT/NAME/generations/ID/         files of the generation ID, and manifest.json, which is written last
    ROOT/NAME/generations/staging-*   a generation that is being built; if its writer died, the next writer
                                      removes it
    ROOT/NAME/parts/                  finished parts of a build, for `--resume`
    ROOT/NAME/verified.json           hashes of files that did not change since they were hashed (`verified`)
    ROOT/NAME/journal                 changes that wait for the next publish
    ROOT/NAME/calibrations/ID/        measured effects of placebos (unrelated chunks that serve as a control)
                                      in a generation (`companions`)
    ROOT/NAME/utilization/ID.json     the last measured utilization of a generation (the share of a pack's
                                      tokens that influenced the answer)

Any process that opens an index sees one whole generation, never a mixture of two. CURRENT changes by one
rename, and the files of a published generation never change. The order of disk syncs in `Stage.seal` and
`Stage.publish_steps` guarantees this.
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
