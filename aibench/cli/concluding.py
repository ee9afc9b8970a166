"""The end of a run: verdicts, the report on standard output and as a page, and the exit code."""

import shlex
from collections.abc import Sequence
from typing import NoReturn

from aibench.cli import output
from aibench.cli.beside import full_document
from aibench.judge import judge
from aibench.model import Claim, RunRecord
from aibench.reporters import html


def conclude(record: RunRecord, path: str, claims: Sequence[Claim], *, as_json: bool) -> NoReturn:
    """Judge, report, and exit with the code that the result has."""
    verdicts = judge(record, claims, record.system)
    derived = full_document(record, verdicts)
    form = "json" if as_json else "terminal"
    output.show(output.render(derived, form, color=output.use_color()))
    output.say(f"record  {shlex.quote(path)}")
    for reason in record.reasons:
        output.say(f"the run failed: {reason.message}")
    if record.reasons:
        words = ("aibench", "run", record.target.path, "--resume", path)
        where = ", under the same launcher" if record.launch else ""
        output.say(f"to measure what is missing{where}: {shlex.join(words)}")
    page = path.removesuffix(".jsonl") + ".html"
    output.write_file(page, *html.pieces(derived))
    output.say(f"report  {shlex.quote(page)}")
    raise SystemExit(4 if record.reasons else output.exit_code(verdicts))
