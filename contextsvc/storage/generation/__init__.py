"""The on-disk generation of an index: stage, seal, publish, open, verify, roll back, collect. Knows folders,
not meanings.

    ROOT/NAME/CURRENT                 the published generation and those before it (`pointer`)
    ROOT/NAME/LOCK                    advisory lock of the one writer; freed by the system when it dies
    ROOT/NAME/generations/ID/         plain files, and manifest.json, which is written last
    ROOT/NAME/generations/staging-*   a generation being built; a dead writer's is removed by the next
    ROOT/NAME/parts/                  finished parts of a build, for `--resume`
    ROOT/NAME/verified.json          which files were hashed since they were last touched
    ROOT/NAME/journal                 changes that wait for the next publish

A reader sees one whole generation or another, never a mixture: CURRENT changes by one rename, and a
published folder never changes. The order of syncs in `Stage.seal` and `Stage.publish_steps` is the promise.
"""

from contextsvc.storage.generation.disk import sync_folder, write_synced
from contextsvc.storage.generation.journal import APPLIED, Record, append, applied, drop_until
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
    "FORMAT",
    "KEEP",
    "FileEntry",
    "Manifest",
    "Pointer",
    "Published",
    "Record",
    "Stage",
    "append",
    "applied",
    "best_pointer",
    "check_name",
    "claimed_manifest",
    "collect",
    "current",
    "drop_until",
    "generations",
    "index_names",
    "open_generation",
    "open_manifest",
    "problems",
    "read_journal",
    "read_pointer",
    "require_published",
    "roll_back",
    "stage",
    "sync_folder",
    "write_synced",
    "writing",
]
