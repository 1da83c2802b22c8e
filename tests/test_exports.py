"""What the package offers: sorted, importable, and each module by itself."""

import importlib
import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import alone
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

FOLDER = str(Path(midstream.__file__).parent)
LOWER_FLOORS = f"""
import importlib, sys
sys.path.append({str(Path(alone.__file__).parent)!r})
import alone
alone.stand_in("midstream", {FOLDER!r})
for name in ["midstream.encoder", "midstream.decoder", "midstream.session"]:
    importlib.import_module(name)
assert not {{"aiohttp", "asyncio"}} & set(sys.modules)
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


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_fresh_interpreter_imports_the_package() -> None:
    run("-c", "import midstream; assert midstream.__version__")


def test_each_module_is_importable_before_any_other() -> None:
    done = run(alone.__file__, "midstream", FOLDER, *LEFT_OUT)
    assert sorted(done.stdout.split()) == MODULES, done.stderr


def test_what_is_importable_only_after_another_module_is_found(tmp_path: Path) -> None:
    written = {
        "__init__": "import made.after, made.inner",
        "after": "from made.before import VALUE",  # after <- before <- after
        "before": "import made.after; VALUE = 1",
        "borrows": "import made; LENT = made.lends.VALUE",  # and nobody imported it
        "ends": "raise SystemExit",
        "inner/__init__": "from made.inner import taken",
        "inner/left": "VALUE = 1",
        "inner/leans": "import made.inner; made.inner.left",
        "inner/taken": "from made.lends import VALUE",
        "lends": "VALUE = 1",
    }
    for name, text in written.items():
        path = tmp_path / "made" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = run(alone.__file__, "made", str(tmp_path / "made"))
    found = ["made.after", "made.inner", "made.inner.left", "made.inner.taken", "made.lends"]
    assert sorted(done.stdout.split()) == found
    assert "cannot import name 'VALUE' from partially initialized module" in done.stderr


def test_the_lower_floors_load_neither_network_nor_event_loop() -> None:
    run("-c", LOWER_FLOORS)
