"""What phases do, and which of that moves bytes."""

from enum import StrEnum


class Operation(StrEnum):
    """What a phase does. Engines refuse the ones they can't do."""

    WRITE_FILES = "write_files"
    READ_FILES = "read_files"
    SAVE_SHARDS = "save_shards"
    LOAD_SHARDS = "load_shards"
    CREATE = "create"
    STAT = "stat"
    OPEN_CLOSE = "open_close"
    LIST = "list"
    RENAME = "rename"
    DELETE = "delete"
    READ_BLOCKS = "read_blocks"
    WRITE_BLOCKS = "write_blocks"
    INGEST = "ingest"
    COMPARE = "compare"
    SERVE_BLOCKS = "serve_blocks"
    PREPROCESS = "preprocess"
    SOAK = "soak"
    SEARCH_INDEX = "search_index"


#: Operations whose bytes can come from a cache, so that they need evidence.
READS = frozenset(
    {
        Operation.READ_FILES,
        Operation.LOAD_SHARDS,
        Operation.READ_BLOCKS,
        Operation.COMPARE,
        Operation.SERVE_BLOCKS,
        Operation.PREPROCESS,
        Operation.SOAK,
        Operation.SEARCH_INDEX,
    }
)
#: Operations that move data to the target.
WRITES = frozenset(
    {Operation.WRITE_FILES, Operation.SAVE_SHARDS, Operation.WRITE_BLOCKS, Operation.INGEST}
)
