"""What the package offers: sorted, importable, and each module by itself."""

import importlib
import pkgutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

import midstream

# the one that runs and, where no compiler was, those that need what it makes
LEFT_OUT = ["midstream.__main__"]
if not find_spec("midstream.kernels._native"):
    LEFT_OUT.append("midstream.kernels.native_")
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(midstream.__path__, "midstream.")
    if not info.name.startswith(tuple(LEFT_OUT))
)
PACKAGES = ["midstream", *MODULES]

# the package itself imports nearly everything, so an empty one stands in for it
ALONE = f"""
import importlib, sys, types
for name in sys.argv[1:]:
    for loaded in [key for key in sys.modules if key.split(".")[0] == "midstream"]:
        del sys.modules[loaded]
    package = sys.modules["midstream"] = types.ModuleType("midstream")
    package.__path__ = {list(midstream.__path__)!r}
    importlib.import_module(name)
"""


def test_the_exports_are_sorted() -> None:
    assert list(midstream.__all__) == sorted(midstream.__all__)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_module_has_what_it_exports(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert len(exported) == len(set(exported))
    assert not [item for item in exported if not hasattr(module, item)]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_module_says_what_it_is(name: str) -> None:
    assert (importlib.import_module(name).__doc__ or "").strip()


def test_everything_public_says_what_it_is() -> None:
    missing = [
        name
        for name in midstream.__all__
        if name != "__version__" and not (getattr(midstream, name).__doc__ or "").strip()
    ]
    assert not missing


def run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr


def test_a_fresh_interpreter_imports_the_package() -> None:
    run("-c", "import midstream; assert midstream.__version__")


@pytest.mark.once
def test_each_module_is_importable_before_any_other() -> None:
    run("-c", ALONE, *MODULES)


def test_the_lower_floors_load_neither_network_nor_event_loop() -> None:
    names = ["midstream.encoder", "midstream.decoder", "midstream.session"]
    run("-c", ALONE + "assert not {'aiohttp', 'asyncio'} & set(sys.modules)", *names)
