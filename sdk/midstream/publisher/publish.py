"""Releases: a model file goes in, a folder that any web server can serve comes out."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from midstream import decoder, fec, formats
from midstream.encoder import Encoded, EncodedUnit, encode
from midstream.encoder.progress import Report
from midstream.errors import DataError, ErrorCode, MidstreamError, UsageError
from midstream.publisher import history
from midstream.publisher.again import Again
from midstream.publisher.folder import RepositoryFolder
from midstream.publisher.lossy import lower_units
from midstream.publisher.made import MadeUpdate
from midstream.publisher.measure import Outputs
from midstream.publisher.recovery import Recovery, Use
from midstream.publisher.release import Release
from midstream.publisher.signing import METADATA_REPAIR, SignedFolder
from midstream.publisher.updating import UpdatePolicy, chosen, links, make_updates
from midstream.runtime import Backend, Inputs
from midstream.store.models import read_model
from midstream.trust import layout, tree
from midstream.trust.keys import KeyRing, Signer
from midstream.trust.manifest import Extension, Manifest, UnitEntry
from midstream.trust.repository import Repository
from midstream.trust.updates import UpdateEntry, with_updates

__all__ = ["Publisher", "describe"]

DEFAULT_LADDER = ("2.5b", "4b", "6b", "exact")


class Publisher:
    """Writes releases into a repository's folder.

    Args:
        folder: The folder; made, with its first root, where it is missing.
        signer: One key for all roles, or a ring of keys.
        backend: The runtime that rungs are run on; None to run none.
        clock: The time that metadata is dated with.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        signer: Signer | KeyRing,
        backend: Backend | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = RepositoryFolder(folder)
        keys = signer if isinstance(signer, KeyRing) else KeyRing.single(signer)
        self._signed = SignedFolder(self._folder, keys, clock)
        self._backend = backend
        self._clock = clock

    def publish(
        self,
        model: str | Path | bytes,
        *,
        name: str,
        ladder: str | Sequence[str] = DEFAULT_LADDER,
        repair: float | None = None,
        loss: float | None = None,
        use: Use = Use.HTTP,
        calibration: Sequence[Inputs] | None = None,
        extensions: Sequence[Extension] = (),
        updates: UpdatePolicy | None = None,
        progress: Callable[[str], None] = lambda _: None,
        report: Report = lambda _: None,
    ) -> Release:
        """Publish a model as the next release of a network.

        Args:
            model: The model file, or its bytes.
            name: The network's name: 1 to 64 of a-z, 0-9, dot, underscore, hyphen.
            ladder: Rungs, such as ``("2.5b", "4b", "6b", "exact")``.
            repair: Repair symbols for each packet of weights, 0 to 2; the topology gets twice
                as many. 0.15 where no loss is given either.
            loss: Share of packets that links lose, 0 to 0.5: repair is chosen so that of 1,000
                receivers one cannot repair a unit, and of 100,000 one its topology.
            use: What the release is mostly sent over; it decides on the size of packets.
            calibration: Inputs like those that the network will get; better than the probes
                that are made up where there are none.
            extensions: What else the manifest says, by rising tag, such as its provenance.
            updates: From which releases before it there are updates, where they take fewer
                bytes than the ladder; from the last two where nothing is said.
            progress: Told what is done, for people.
            report: Told how far the encoder is.

        Raises:
            UsageError: The name, the ladder, the repair or the loss makes no sense, or calibration
                inputs are not inputs of the network, or there is no such release to update; or
                the folder is a file.
            BitstreamError: The release that was named for updates has no exact unit.
            FormatError: The model file cannot be read.
            LimitError: The model file is too large.
            TrustError: The repository's metadata is not that of these keys.
            StoreError: The folder cannot be written, or another publisher is at work.
        """
        check_name(name)
        self._signed.check(name)
        policy = updates or UpdatePolicy()
        if policy.only is not None:
            self._check_parent(name, policy)  # before any work is done
        recovery = Recovery(repair=repair, loss=loss, use=use)
        with naming("model" if isinstance(model, bytes) else model):
            data = _coded(model)
            encoded = encode_checked(
                data,
                ladder,
                self._backend,
                progress,
                calibration=calibration,
                near=self._near(name, policy, progress),
                report=report,
            )
        with self._folder.locked():
            repository = self._signed.open()
            parents = repository.manifests(name)
            made = make_updates(self._folder.path, parents, policy, encoded, data, progress)
            return self._write(
                repository, name, data, encoded, list(made), recovery, extensions, progress
            )

    def republish(
        self,
        name: str,
        release: int,
        *,
        extensions: Sequence[Extension] = (),
        progress: Callable[[str], None] = lambda _: None,
    ) -> Release:
        """Publish an earlier release again, as the next one, of the units that are in the folder.

        Who still has these units fetches none; others may take updates from the last two releases.

        Args:
            name: The network's name.
            release: The release's number.
            extensions: What else the manifest says, by rising tag, such as its provenance.
            progress: Told what is done, for people.

        Raises:
            UsageError: There is no such release, or a unit of it is not in the folder any more.
            BitstreamError: A unit is not what was signed.
            TrustError: The repository's metadata is not that of these keys, or has run out.
            StoreError: The folder cannot be written, or another publisher is at work.
        """
        folder = self._folder.path
        with self._signed.existing() as repository:
            again = Again.read(folder, history.manifest_of(folder, name, release))
            self._folder.write(again.missing(folder))
            parents, policy = repository.manifests(name), UpdatePolicy()
            made = make_updates(folder, parents, policy, again.encoded, again.model, progress)
            number = repository.latest(name) + 1
            described = self._sign(
                repository,
                replace(again.manifest, release=number, extensions=tuple(extensions)),
                list(filter(again.is_gained_by, made)),
                Recovery(),
                progress,
            )
        return Release.of(described, again.encoded)

    def renew(self) -> tuple[str, ...]:
        """Sign the metadata anew before it runs out; releases stay as they are.

        Returns:
            The networks of the repository.

        Raises:
            UsageError: There is no repository in the folder.
            TrustError: The repository's metadata is not that of these keys, or has run out.
            StoreError: The folder cannot be written, or another publisher is at work.
        """
        with self._signed.existing() as repository:
            signed = repository.resign(self._clock())
            self._signed.write(signed, repository, repository.networks)
            return repository.networks

    def rotate(
        self,
        role: str,
        new: Sequence[Signer],
        *,
        threshold: int = 1,
        save: Callable[[], object] = lambda: None,
    ) -> tuple[str, ...]:
        """Give a role other keys; the old ones count no more.

        Clients follow by themselves: what old keys signed leads to what new keys sign.

        Args:
            role: `root`, `targets`, `snapshot`, `timestamp`, a network, or `release` for all
                networks that its keys sign for.
            new: All its keys from now on.
            threshold: How many of them have to sign.
            save: Called when all is signed and nothing is written: keys that are lost after
                that are lost for good.

        Returns:
            The networks of the repository.

        Raises:
            UsageError: There is no such role, or no repository in the folder.
            TrustError: A key that has to sign is not at hand, or the repository's metadata is
                not that of these keys, or has run out.
            StoreError: The folder cannot be written, or another publisher is at work.
        """
        with self._signed.existing() as repository:
            signed = repository.rotate(role, tuple(new), self._clock(), threshold=threshold)
            save()
            self._signed.write(signed, repository, repository.networks)
            return repository.networks

    def expiries(self) -> dict[str, datetime]:
        """When the metadata of each role runs out, the four of TUF first.

        Raises:
            UsageError: There is no repository in the folder.
            TrustError: The repository's metadata is not that of these keys, or has run out.
            StoreError: The folder cannot be read, or another publisher is at work.
        """
        with self._signed.existing() as repository:
            return repository.expiries()

    def _check_parent(self, name: str, policy: UpdatePolicy) -> None:
        """Refuse an update from what is not there, which the log then shows."""
        with (
            history.putting_down(self._folder.path, name, self._clock, what="update"),
            self._signed.existing() as repository,
        ):
            chosen(repository.manifests(name), policy)

    def _near(
        self, name: str, policy: UpdatePolicy, progress: Callable[[str], None]
    ) -> Sequence[memoryview]:
        """The lower units of the last release that is updated from; none where there is none."""
        try:
            with self._signed.existing() as repository:
                found = chosen(repository.manifests(name), policy)
        except UsageError:
            return ()  # there is no repository yet
        try:
            return lower_units(self._folder.path, found[-1]) if found else ()
        except MidstreamError as error:
            progress(f"not near to release {found[-1].release}: {error.message}")
            return ()

    def _write(
        self,
        repository: Repository,
        name: str,
        model: bytes,
        encoded: Encoded,
        updates: Sequence[MadeUpdate],
        recovery: Recovery,
        extensions: Sequence[Extension],
        progress: Callable[[str], None],
    ) -> Release:
        entries: list[UnitEntry] = []
        for index, unit in enumerate(encoded.units):
            entry, files = protect(unit, index, recovery, peak_memory(encoded, index))
            self._folder.write(files)
            entries.append(entry)
            progress(f"layer {unit.layer} ({unit.rung}): {entry.size} bytes written")
        described = describe(name, repository.latest(name) + 1, model, encoded, entries)
        described = replace(described, extensions=tuple(extensions))
        return Release.of(self._sign(repository, described, updates, recovery, progress), encoded)

    def _sign(
        self,
        repository: Repository,
        described: Manifest,
        updates: Sequence[MadeUpdate],
        recovery: Recovery,
        progress: Callable[[str], None],
    ) -> Manifest:
        """Write the updates to what is described, and sign all of it as the next release."""
        name, number = described.name, described.release
        listed = self._updates(repository, name, number, updates, recovery, progress)
        described = with_updates(described, listed)
        signed = repository.add_release(name, described, self._clock())
        self._signed.write(signed, repository, [name])
        progress(f"{name} release {number} signed")
        return described

    def _updates(
        self,
        repository: Repository,
        name: str,
        number: int,
        updates: Sequence[MadeUpdate],
        recovery: Recovery,
        progress: Callable[[str], None],
    ) -> list[UpdateEntry]:
        """What is signed of updates, which are written; and links between earlier releases."""
        listed = [*links(repository.manifests(name))] if updates else []
        for made in updates:
            entry, files = protect(made.unit, 0, recovery, made.peak_memory)
            self._folder.write(files)
            parent = made.parent.release
            listed.append(
                UpdateEntry(
                    parent=parent,
                    parent_id=made.parent_id,
                    release=number,
                    rung=made.rung,
                    work=made.work,
                    unit=entry,
                )
            )
            progress(f"{made.unit.rung}: {entry.size} bytes written")
        return listed


def _coded(model: str | Path | bytes) -> bytes:
    """A model as it is coded, and comes back."""
    return formats.prepared(model) if isinstance(model, bytes) else read_model(Path(model))


def check_name(name: str) -> None:
    """Refuse what makes no sense before anything is done."""
    if not layout.is_name(name) or not layout.is_network(name):
        raise UsageError(
            ErrorCode.BAD_NAME,
            f"name {name[:80]!r}: expected 1 to 64 of a-z, 0-9, '.', '_', '-', "
            "the first a letter or digit, and no name of a TUF role or of providers",
        )


@contextmanager
def naming(model: str | Path) -> Iterator[None]:
    """Say which file it is that is at fault."""
    try:
        yield
    except DataError as error:
        raise type(error)(error.code, f"{model}: {error.message}") from error


def encode_checked(
    model: bytes,
    ladder: str | Sequence[str],
    backend: Backend | None,
    progress: Callable[[str], None],
    *,
    calibration: Sequence[Inputs] | None = None,
    near: Sequence[memoryview] = (),
    report: Report = lambda _: None,
) -> Encoded:
    """Encode, measure each rung at the outputs, and prove that the exact one is exact.

    `progress` is told of rungs that were left out or miss their targets.
    """
    formats.open_model(model)  # a damaged file must not reach a runtime, which may crash on it
    outputs = Outputs.of(model, backend, progress, calibration)
    if outputs is None:
        if calibration is not None:
            raise UsageError(ErrorCode.BAD_ARGUMENT, "calibration: the model cannot be run here")
        encoded = encode(model, ladder=ladder, near=near, report=report)
    else:
        encoded = encode(
            model,
            ladder=ladder,
            evaluate=outputs.evaluate,
            measure=outputs.measure,
            statistics=outputs.statistics,
            probes=outputs.probes,
            is_calibrated=outputs.is_calibrated,
            near=near,
            report=report,
        )
    for remark in encoded.remarks:
        progress(remark)
    rebuilt = decoder.rebuild([unit.data for unit in encoded.units])
    is_exact = encoded.units[-1].rung == "exact"
    assert len(rebuilt) == len(model), "a rebuilt model has the size of the original"
    assert not is_exact or rebuilt == model, "the exact unit gives the original back"
    return encoded


def peak_memory(encoded: Encoded, index: int) -> int:
    """Bytes that decoding the units up to one takes."""
    return decoder.read_stack([unit.data for unit in encoded.units[: index + 1]]).peak_memory


def protect(
    unit: EncodedUnit, index: int, recovery: Recovery, peak_decode_bytes: int
) -> tuple[UnitEntry, dict[str, bytes]]:
    """What the manifest says of a unit, and the files that it is."""
    data = unit.data
    cut = recovery.protection(len(data), unit.head_size)
    symbols = cut.encode(data)
    page = tree.HashPage.of(data, symbols, cut.packet_size)
    parity = fec.protect(page.bytes(), repair=METADATA_REPAIR) if symbols else b""
    entry = UnitEntry(
        kind=unit.kind,
        layer=unit.layer,
        parent=index - 1 if index else None,
        size=len(data),
        head_size=unit.head_size,
        packet_size=cut.packet_size,
        repair_head=cut.repair_head,
        repair_body=cut.repair_body,
        repair_symbols=len(page.repair),
        parity_size=len(parity),
        fidelity=unit.fidelity,
        peak_decode_bytes=peak_decode_bytes,
        source_root=page.source_root,
        repair_root=page.repair_root,
    )
    files = {entry.path: data, entry.hashes_path: page.bytes() + parity}
    return entry, files | ({entry.repair_path: symbols} if symbols else {})


def describe(
    name: str, release: int, model: bytes, encoded: Encoded, entries: Sequence[UnitEntry]
) -> Manifest:
    """The manifest of a release."""
    return Manifest(
        name=name,
        release=release,
        format=encoded.format,
        model_size=len(model),
        model_sha256=hashlib.sha256(model).digest(),
        weights=encoded.weights,
        units=tuple(entries),
    )
