"""Hostile inputs to one parser, led by coverage. Knows nothing of what is parsed.

python tests/fuzz/fuzz.py TARGET -inputs=1000000 -timeout=20 -rss_limit_mb=2048

TARGET is the end of a module's name here, as `units` of `fuzz_units`. Some of them try several
inputs in one run, so -inputs is ours; all other options are libFuzzer's.
It begins with the corpus that is kept, `corpus/TARGET.txt`, and what it finds beside goes to
the folder that MIDSTREAM_CORPUS names, if one is named.
"""

import importlib
import os
import shlex
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

from choices import Bytes
from corpora import read

HERE = Path(__file__).parent


def main(name: str, options: list[str]) -> None:
    """Fuzz until libFuzzer ends the process."""
    with atheris.instrument_imports(include=["midstream"]):
        target = importlib.import_module(f"fuzz_{name}")
    warnings.simplefilter("error")
    folder = Path(os.environ.get("MIDSTREAM_CORPUS") or tempfile.mkdtemp()) / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(read(name)):
        (folder / f"kept-{number}").write_bytes(data)
    inputs = getattr(target, "INPUTS", 1)
    print("inputs in a run:", inputs, file=sys.stderr)
    options = [_runs(option, inputs) for option in options]
    # a merge runs this again, by a shell
    program = shlex.join([sys.executable, __file__, name])
    atheris.Setup([program, *options, str(folder)], lambda data: target.test_one(Bytes(data)))
    atheris.Fuzz()


def _runs(option: str, inputs: int) -> str:
    """libFuzzer's option for one of ours: runs that make so many inputs."""
    if not option.startswith("-inputs="):
        return option
    return f"-runs={-(-int(option.removeprefix('-inputs=')) // inputs)}"


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent)]
    main(sys.argv[1], sys.argv[2:])
