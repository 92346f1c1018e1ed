"""A search that a study asks for, as a process that it has started:

python -m classeur.search.in_study ASKED.json FAILURE.json
"""

from __future__ import annotations

import sys
from pathlib import Path

from classeur.run_folder import read_json
from classeur.search.search import run_search
from classeur.study.process import work_as_process


def main(arguments: list[str]) -> int:
    """Run one search; return the exit code."""
    asked, failure = map(Path, arguments)

    def work() -> None:
        values = read_json(asked)
        lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
        run_search(**{**values, **lists})

    return work_as_process(work, failure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
