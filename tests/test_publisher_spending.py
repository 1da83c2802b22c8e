"""Where the bytes of units went."""

import models
from midstream.encoder import encode
from midstream.publisher.spending import spending


def test_tensors_and_head_account_for_all_but_the_frame() -> None:
    units = [unit.data for unit in encode(models.mlp((40, 90, 60)), ladder="3b,exact").units]
    for count in (1, 2):
        rows = spending(units[:count])
        total = sum(map(len, units[:count]))
        assert total - 100 < sum(row["bytes"] for row in rows) <= total + len(rows)
        assert rows[-1]["tensor"] == "head"
