"""CMU ARCTIC, one speaker or several."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpora import Sound, everything

from vqspeech.corpora.arctic import prepare
from vqspeech.corpora.parts import Parts
from vqspeech.errors import InputError


@pytest.fixture
def arctic(tmp_path: Path, sound: Sound) -> Path:
    for folder, suffix in (("cmu_us_bdl_arctic", ".wav"), ("cmu_us_slt_arctic-0.95-release", ".opus")):
        prompts = []
        for n in range(1, 31):
            sound(tmp_path / folder / "wav" / f"arctic_a{n:04d}{suffix}")
            prompts.append(f'( arctic_a{n:04d} "Number \\"{n}\\", etc." )\n')
        (tmp_path / folder / "etc").mkdir()
        (tmp_path / folder / "etc" / "txt.done.data").write_text("".join(prompts))
    return tmp_path


def test_several_speakers(arctic: Path) -> None:
    found = everything(prepare(arctic))
    assert len(found) == 60
    first = found["bdl-arctic_a0001"]
    assert (first.speaker, first.text, first.gender) == ("bdl", 'Number "1", etc.', "m")
    assert found["slt-arctic_a0001"].gender == "f"


def test_one_speaker(arctic: Path) -> None:
    assert {u.speaker for u in everything(prepare(arctic / "cmu_us_bdl_arctic")).values()} == {"bdl"}


def test_a_prompt_goes_to_the_same_part_for_every_speaker(arctic: Path) -> None:
    for part in prepare(arctic, parts=Parts(dev=0.2, test=0.2)).values():
        bdl, slt = ({u.id[4:] for u in group} for group in part.by_speaker().values())
        assert bdl == slt


def test_a_faulty_prompt(arctic: Path) -> None:
    (arctic / "cmu_us_bdl_arctic" / "etc" / "txt.done.data").write_text("( arctic_a0001 no quotes )\n")
    with pytest.raises(InputError, match=r"txt.done.data:1: not a prompt \(a line is"):
        prepare(arctic)


def test_another_layout(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected cmu_us_bdl_arctic/wav"):
        prepare(tmp_path)
