"""The loops that workers run, one for each kind of operation."""

from collections.abc import Mapping

from aibench.model import Operation
from aibench.workers.job import Prepare
from aibench.workers.loops.compare import prepare_compare
from aibench.workers.loops.ingest import prepare_ingest
from aibench.workers.loops.metadata import prepare_metadata
from aibench.workers.loops.preprocess import prepare_preprocess
from aibench.workers.loops.read import prepare_read
from aibench.workers.loops.save import prepare_save
from aibench.workers.loops.search import prepare_search
from aibench.workers.loops.serve import prepare_serve
from aibench.workers.loops.soak import prepare_soak
from aibench.workers.loops.write import prepare_write

LOOPS: Mapping[Operation, Prepare] = {
    Operation.WRITE_FILES: prepare_write,
    Operation.READ_FILES: prepare_read,
    Operation.LOAD_SHARDS: prepare_read,
    Operation.SAVE_SHARDS: prepare_save,
    Operation.CREATE: prepare_metadata,
    Operation.STAT: prepare_metadata,
    Operation.OPEN_CLOSE: prepare_metadata,
    Operation.LIST: prepare_metadata,
    Operation.RENAME: prepare_metadata,
    Operation.DELETE: prepare_metadata,
    Operation.INGEST: prepare_ingest,
    Operation.COMPARE: prepare_compare,
    Operation.SERVE_BLOCKS: prepare_serve,
    Operation.PREPROCESS: prepare_preprocess,
    Operation.SOAK: prepare_soak,
    Operation.SEARCH_INDEX: prepare_search,
}
