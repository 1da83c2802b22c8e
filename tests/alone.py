"""Imports each module of a package as the first of all, and prints the names of those that can be.

    python alone.py PACKAGE FOLDER [NAME ...]

Modules whose names begin with one of those named are left out. To import a.b.c is to import a.b
and then c, so what a.b took in has been seen by then, and the rest of it is imported in forks.
"""

import importlib
import os
import pkgutil
import sys
import traceback
import types
from collections.abc import Iterable
from pathlib import Path

LEFT_OUT = tuple(sys.argv[3:])


def stand_in(package: str, folder: str) -> None:
    """Put an empty package where one may be that imports nearly everything."""
    for loaded in [key for key in sys.modules if key.split(".")[0] == package]:
        del sys.modules[loaded]
    empty = sys.modules[package] = types.ModuleType(package)
    empty.__path__ = [folder]


def each_below(path: Iterable[str], package: str) -> None:
    """Import what a package has, each from where the package itself was imported."""
    for info in pkgutil.iter_modules(path, f"{package}."):
        if info.name.startswith(LEFT_OUT):
            continue
        if info.name in sys.modules:
            tell(info.name)
        else:
            in_a_fork(info.name)


def in_a_fork(name: str) -> None:
    """Import a module, and what is below it, where nothing of it is seen by the next one."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        importlib.import_module(name)
        tell(name)
    except BaseException:  # even one that exits is no more than a module that cannot be imported
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def tell(name: str) -> None:
    """Say that it can be imported, and go on below it."""
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    each_below(getattr(sys.modules[name], "__path__", []), name)


if __name__ == "__main__":
    package, folder = sys.argv[1:3]
    sys.path.insert(0, str(Path(folder).parent))
    importlib.import_module(package)  # what others wrote need not be loaded again in each fork
    stand_in(package, folder)
    each_below([folder], package)
