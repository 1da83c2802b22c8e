"""A publisher's keys in a folder: made, loaded, replaced. Knows nothing of what they sign.

A role's key is `ROLE.key`; keys it was given later are `ROLE+KEYID.key`, KEYID the first eight
digits of the key's id. What was replaced is in a folder of its own, and loaded no more.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from midstream.errors import ErrorCode, StoreError, TrustError, UsageError
from midstream.store.keys import Signer, needs_passphrase
from midstream.trust import keys

__all__ = [
    "add_keys",
    "generate_keys",
    "has_plain_key",
    "has_sealed_key",
    "key_files",
    "load_keys",
    "retire_keys",
    "seal_keys",
]

_SUFFIX = ".key"
_RETIRED = "retired"
_SHORT_ID = 8


def generate_keys(folder: str | Path, *, passphrase: str | None = None) -> tuple[Path, ...]:
    """Make a new key for each role and save it as `ROLE.key` in a folder.

    Returns:
        The files that were written, in the order of `ROLES`.

    Raises:
        UsageError: One of the roles has a key there already; then none is written.
        StoreError: They cannot be written.
    """
    folder = Path(folder)
    if present := [role for role in keys.ROLES if key_files(folder, role)]:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"{folder}: there are keys already ({', '.join(present)}), they are not overwritten",
        )
    if folder.exists():
        _generate(folder, passphrase)
    else:
        _make_folder(folder, passphrase)
    return tuple(folder / (role + _SUFFIX) for role in keys.ROLES)


def _generate(folder: Path, passphrase: str | None) -> None:
    for role in keys.ROLES:
        Signer.generate().save(folder / (role + _SUFFIX), passphrase=passphrase)


def _make_folder(folder: Path, passphrase: str | None) -> None:
    """All keys under another name first: half of them would be of no use, and in the way."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=".new-", ignore_cleanup_errors=True
        ) as made:  # mode 0700
            _generate(Path(made), passphrase)
            Path(made).rename(folder)  # fails where somebody else was quicker
    except OSError as error:
        raise StoreError.of(error, f"{folder}: cannot be made") from error


def load_keys(folder: str | Path, *, passphrase: str | None = None) -> keys.KeyRing:
    """The keys in a folder: those of roles, and of networks that have keys of their own.

    Roles may be missing: a machine that only publishes releases needs `release`,
    `snapshot` and `timestamp`. Plain keys are loaded whether or not there is a passphrase.

    Raises:
        UsageError: There is no key in it, or one is sealed and there is no passphrase.
        StoreError: One cannot be read.
        BitstreamError: One is not a key file, or damaged.
        LimitError: Unsealing one would cost too much.
        TrustError: The passphrase is wrong or a key is damaged.
    """
    signers: dict[str, tuple[keys.Signer, ...]] = {}
    for path in _present(Path(folder)):
        role = _role(path)
        signers[role] = (*signers.get(role, ()), Signer.load(path, passphrase=passphrase))
    return keys.KeyRing(signers=signers)


def has_sealed_key(folder: str | Path) -> bool:
    """Whether loading the keys in a folder needs a passphrase.

    Raises:
        UsageError: There is no key in it.
        StoreError: One cannot be read.
    """
    return any(needs_passphrase(path) for path in _present(Path(folder)))


def has_plain_key(folder: str | Path) -> bool:
    """Whether a key in a folder can be had by who reads its file.

    Raises:
        UsageError: There is no key in it.
        StoreError: One cannot be read.
    """
    return not all(needs_passphrase(path) for path in _present(Path(folder)))


def seal_keys(folder: str | Path, *, old: str | None, new: str | None) -> tuple[Path, ...]:
    """Seal all keys in a folder with another passphrase, or leave them plain.

    All are opened before the first is written, and a crash leaves each as it was or as it is
    to be: the same call does the rest.

    Args:
        folder: The keys.
        old: What those that are sealed were sealed with; some may be with `new` already.
        new: What seals them from now on; None leaves them plain.

    Returns:
        Their files.

    Raises:
        UsageError: There is no key in it, or one is sealed and there is no passphrase.
        TrustError: A passphrase is wrong or a key is damaged; nothing has changed.
        BitstreamError: One is not a key file; nothing has changed.
        StoreError: One cannot be read or written.
    """
    paths = _present(Path(folder))
    opened = [(path, _open_by(path, old, new)) for path in paths]
    for path, signer in opened:
        signer.replace(path, passphrase=new)
    return tuple(paths)


def _open_by(path: Path, old: str | None, new: str | None) -> Signer:
    """A key that is sealed by one passphrase or by the other."""
    try:
        return Signer.load(path, passphrase=old)
    except (TrustError, UsageError):
        if new is None:
            raise
        try:
            return Signer.load(path, passphrase=new)
        except TrustError:
            pass
        raise


def key_files(folder: str | Path, role: str) -> tuple[Path, ...]:
    """The files of a role's keys in a folder; none where there are none."""
    return tuple(path for path in sorted(Path(folder).glob("*" + _SUFFIX)) if _role(path) == role)


def add_keys(
    folder: str | Path, role: str, new: Iterable[Signer], *, passphrase: str | None = None
) -> tuple[Path, ...]:
    """Save more keys of a role, each as `ROLE+KEYID.key`.

    Returns:
        Their files.

    Raises:
        UsageError: One of them is there already.
        StoreError: They cannot be written.
    """
    added: list[Path] = []
    for signer in new:
        path = Path(folder) / f"{role}+{signer.public.keyid[:_SHORT_ID]}{_SUFFIX}"
        signer.save(path, passphrase=passphrase)
        added.append(path)
    return tuple(added)


def retire_keys(files: Iterable[Path]) -> Path | None:
    """Put key files aside, into the folder `retired` beside them, where none is overwritten.

    Returns:
        That folder; None where there was nothing to put aside.

    Raises:
        StoreError: They cannot be moved.
    """
    retired: Path | None = None
    for path in files:
        retired = path.parent / _RETIRED
        try:
            retired.mkdir(mode=0o700, exist_ok=True)
            (retired / path.name).hardlink_to(path)  # unlike a rename, it replaces nothing
            path.unlink()
        except OSError as error:
            raise StoreError.of(error, f"{path}: cannot be put aside") from error
    return retired


def _present(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*" + _SUFFIX))
    if not paths:
        raise UsageError(ErrorCode.BAD_KEY, f"{folder}: no key files (*{_SUFFIX}) there")
    return paths


def _role(path: Path) -> str:
    return path.stem.partition("+")[0]
