"""The environment of the peers of recovery. Knows nothing of what they are asked."""

import subprocess
import venv
from pathlib import Path

__all__ = ["make_environment"]

_REQUIREMENTS = ("pyeclib==1.8.0", "reed-solomon-leopard==0.2.1", "zfec==1.6.0.0", "zfex==1.6.0.1")
_TO_BUILD = ("cython<3.1", "setuptools<70", "wheel")
_CREEDSOLO = (
    "--no-binary=reedsolo",
    "--no-build-isolation",
    "--use-pep517",
    "--config-settings=--build-option=--cythonize",
    "reedsolo==1.7.0",
)
"""The wheel has no creedsolo in it: it is compiled here."""


def make_environment(folder: Path) -> Path:
    """The Python of an environment with the peers in it; made where there is none.

    Args:
        folder: Where it is, or will be.
    """
    python = folder / "bin" / "python"
    ready = folder / "peers.txt"
    wanted = "\n".join([*_REQUIREMENTS, *_TO_BUILD, *_CREEDSOLO])
    if not (ready.exists() and ready.read_text() == wanted):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *_REQUIREMENTS, *_TO_BUILD], check=True)
        subprocess.run([*pip, *_CREEDSOLO], check=True)
        ready.write_text(wanted)
    return python
