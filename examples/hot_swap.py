"""Change a network while another thread makes decisions with it.

    python examples/hot_swap.py FIRST.tflite SECOND.tflite

A thread decides as fast as it can; meanwhile the second network is loaded, tested and swapped
in. Each decision is made by one network as a whole, and says by which. A damaged file is
refused, and decisions go on.
"""

import argparse
import threading
from collections import Counter
from pathlib import Path

from midstream.errors import RefusedError
from midstream.runtime import Slots, find_backend, make_probes


class Player:
    """Decides until it is told to stop."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.made: Counter[int] = Counter()
        self.worked = threading.Condition()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.decide)

    def decide(self) -> None:
        """What a player does for each segment, without the segments."""
        with self.slots.pin() as network:
            features = make_probes(network.inputs, 1)[0]
        while not self.stopped.is_set():
            with self.slots.pin() as network:  # one generation for this decision
                network.run(features)
            with self.worked:
                self.made[network.generation.number] += 1
                self.worked.notify_all()

    def wait_for(self, decisions: int, *, by: int) -> None:
        """Until a generation has made so many decisions."""
        with self.worked:
            self.worked.wait_for(lambda: self.made[by] >= decisions)


def main(first: Path, second: Path) -> None:
    """Swap from the first network to the second, and back."""
    backend = find_backend()
    slots = Slots(backend)
    print(f"{backend.name} {backend.version}")
    slots.stage(first.read_bytes(), release=1, layer=0)
    slots.swap()
    player = Player(slots)
    player.thread.start()
    try:
        player.wait_for(100, by=1)
        staged = slots.stage(second.read_bytes(), release=2, layer=0)
        print(f"staged in {staged.staged_seconds * 1000:.1f} ms; still deciding: {slots.active}")
        slots.swap()
        player.wait_for(100, by=2)
        try:
            slots.stage(b"not a network", release=3, layer=0)
        except RefusedError as error:
            print(f"refused: {error}")
        slots.mark_bad(staged)  # say that a live check did not like it
        print(f"back to: {slots.active}")
    finally:
        player.stopped.set()
        player.thread.join()
        slots.close()
    for number, count in sorted(player.made.items()):
        print(f"generation {number}: {'100 decisions or more' if count >= 100 else count}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("first", type=Path, help="a model file")
    parser.add_argument("second", type=Path, help="another one with the same inputs and outputs")
    options = parser.parse_args()
    main(options.first, options.second)
