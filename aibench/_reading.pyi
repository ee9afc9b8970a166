from aibench.reading import ReadFiles

PROMISE: int

read_files: ReadFiles
dry_files: ReadFiles
