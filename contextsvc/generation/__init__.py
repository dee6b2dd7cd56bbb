"""The on-disk generation of an index: stage, seal, publish, open, verify. Knows folders, not meanings.

    ROOT/NAME/CURRENT                 id of the published generation
    ROOT/NAME/LOCK                    advisory lock of the one writer; freed by the system when it dies
    ROOT/NAME/generations/ID/         plain files, and manifest.json, which is written last
    ROOT/NAME/generations/staging-*   a generation being built; a dead writer's is removed by the next

A reader sees one whole generation or another, never a mixture: CURRENT changes by one rename, and a
published folder never changes. The order of syncs in `Stage.seal` and `Stage.publish_steps` is the promise.
"""

from contextsvc.generation.manifest import FORMAT, FileEntry, Manifest, problems
from contextsvc.generation.reading import check_name, claimed_embedder, current, index_names, open_manifest
from contextsvc.generation.staging import Published, Stage, stage, write_synced

__all__ = [
    "FORMAT",
    "FileEntry",
    "Manifest",
    "Published",
    "Stage",
    "check_name",
    "claimed_embedder",
    "current",
    "index_names",
    "open_manifest",
    "problems",
    "stage",
    "write_synced",
]
