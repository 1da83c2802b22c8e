"""Commands typed in a folder with a repository and three providers, for the tests of commands."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from midstream.cli.main import main
from tensorfiles import normal, safetensors

NAMES = ("east", "north", "west")


@dataclass
class Shell:
    """Types commands in a folder."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str, code: int = 0) -> str:
        found = main([word.replace("@", f"{self.folder}/") for word in words])
        printed = self.capsys.readouterr()
        assert found == code, printed.err
        return printed.out + printed.err

    def read(self, *words: str) -> Any:
        main([word.replace("@", f"{self.folder}/") for word in [*words, "--json"]])
        return json.loads(self.capsys.readouterr().out)

    def write(self, name: str, move: float, seed: int = 0) -> None:
        """A model file, moved by so much."""
        noise = normal(30, 20, seed=seed, scale=0.001)
        moved = normal(30, 20) + move * (normal(30, 20, seed=7) + noise)
        data = safetensors({"a": moved.astype("<f4")})
        (self.folder / name).write_bytes(data)

    def contribute(self, name: str, move: float, *more: str) -> str:
        self.write(f"{name}.model", move, seed=len(name))
        return self(
            "contribute", f"@{name}.model", "--parent", "@net.model", "--network", "net",
            "--release", "1", "--provider", name, "--keys", f"@{name}-keys", "-o",
            f"@{name}.parcel", "--share", "0.2", *more,
        )  # fmt: skip


def with_providers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A repository with three providers."""
    made = Shell(tmp_path, capsys)
    made.write("net.model", 0)
    made("keygen", "@keys", "--plain")
    made(
        "publish", "@net.model", "--repo", "@repo", "--keys", "@keys", "--name", "net",
        "--ladder", "exact",
    )  # fmt: skip
    for name in NAMES:
        said = made("keygen", f"@{name}-keys", "--provider", name, "--plain")
        found = re.search(r"--key ([0-9a-f]{64})", said)
        assert found is not None
        made("delegate", name, "@repo", "net", "--key", found[1], "--keys", "@keys")
    return made
