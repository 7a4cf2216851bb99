"""``vqspeech.training.units.masking``: the share that is asked for, in spans."""

from __future__ import annotations

import pytest
import torch

from vqspeech.training.units.masking import draw_mask

CPU = torch.device("cpu")


@pytest.mark.parametrize(("share", "span"), [(0.5, 8), (0.2, 1), (0.8, 5)])
def test_about_the_share_is_masked_everywhere_alike(share: float, span: int) -> None:
    torch.manual_seed(0)
    mask = draw_mask(400, 200, share=share, span=span, device=CPU)
    assert mask.float().mean().item() == pytest.approx(share, abs=0.02)
    # Neither end is spared.
    assert mask[:, :10].float().mean().item() == pytest.approx(share, abs=0.06)
    assert mask[:, -10:].float().mean().item() == pytest.approx(share, abs=0.06)


def test_masked_positions_come_in_spans() -> None:
    torch.manual_seed(0)
    mask = draw_mask(200, 300, share=0.3, span=10, device=CPU)
    inner = mask[:, 1:] & ~mask[:, :-1]  # where a run begins
    runs = mask.sum() / inner.sum()
    assert runs > 8  # single positions in a row would have 1.4


@pytest.mark.parametrize("positions", [2, 3, 50])
def test_every_row_has_something_to_predict_and_something_to_see(positions: int) -> None:
    torch.manual_seed(1)
    for share in (0.001, 0.999):
        mask = draw_mask(64, positions, share=share, span=4, device=CPU)
        assert mask.any(1).all()
        assert not mask.all(1).any()
    assert draw_mask(3, 1, share=0.5, span=4, device=CPU).all()
