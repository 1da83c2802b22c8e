"""Programs of the user's own that judge model files. Knows nothing of what is merged."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from midstream.errors import ErrorCode, UsageError
from midstream.merging import Gate
from midstream.store.files import new_file

__all__ = ["program_gate"]

_GATE_SECONDS = 3600


def program_gate(program: Path, folder: Path) -> Gate:
    """A program as a gate: it is given a model file, and its last word is a number.

    Args:
        program: What is run, with the path of the model file.
        folder: Where that file is, hidden, for as long.
    """
    command = [str(program.resolve())]

    def gate(model: bytes) -> float:
        path = folder / ".gate-model"
        try:
            with new_file(path, len(model)) as out:
                out[:] = model
            return _number(command, _run([*command, str(path.resolve())]))
        finally:
            path.unlink(missing_ok=True)

    return gate


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the user named the program
            command, capture_output=True, text=True, timeout=_GATE_SECONDS, check=True
        )
    except OSError as error:
        said = f"{command[0]} cannot be run: {error.strerror or error}"
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"gate: {said}") from error
    except subprocess.CalledProcessError as error:
        said = f"{command[0]} ended with exit status {error.returncode}"
        last = "".join(f": {line[:200]}" for line in error.stderr.strip().splitlines()[-1:])
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"gate: {said}{last}") from error
    except (subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"gate: {str(error)[-200:]}") from error
    return done.stdout


def _number(command: Sequence[str], words: str) -> float:
    try:
        return float(words.split()[-1])
    except (IndexError, ValueError):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"gate: {command[0]} said {words[-80:]!r}, expected a number"
        ) from None
