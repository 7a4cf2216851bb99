"""``egs/images``: its own parts, each against a slow or an exact reference, and the recipe in its shortest form."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from equal_bits import TransformCoder, from_patches, scalar_codebook, to_patches
from image_task import ImagePreset, ImageTask
from likelihood import fitted_scale, logistic_bits
from masked_convolutions import MaskedConvolutions
from masked_prior import MaskedConfig, MaskedPreset, MaskedPriorTask, load_masked_prior
from networks import ImageVQVAE, load_image_model, save_image_model
from pictures import digits, folder, photos, read_cifar10, read_set, write_set

from vqspeech.devices import Devices
from vqspeech.errors import InputError
from vqspeech.generation.code_sampling import sample_codes
from vqspeech.model.prior import Prior
from vqspeech.model.prior.scoring import code_bits
from vqspeech.training.preset_file import read_preset_file
from vqspeech.training.prior.dataset import CodeData
from vqspeech.training.trainer import Trainer

RECIPE = Path(__file__).parent.parent.parent / "egs" / "images"
#: The paper's kind of convolutions, made tiny.
TINY = ("model.channels=8", "model.dimension=4", "model.quantizer.codes=16")
GRID = (3, 4)


def make_model(name: str = "photos", channels: int = 3, levels: int = 256) -> ImageVQVAE:
    torch.manual_seed(0)
    preset = read_preset_file(RECIPE / f"conf/{name}.yaml", ImagePreset, TINY)
    model = ImageVQVAE(preset.model, channels, levels).eval()
    model.quantizer.start(torch.randn(64, 4))
    return model


def test_images_of_any_size_are_encoded_and_decoded() -> None:
    model = make_model()
    for rows, columns in ((8, 8), (32, 32), (16, 40)):
        images = np.random.default_rng(0).integers(256, size=(3, rows, columns, 3)).astype(np.uint8)
        codes = model.encode(images)
        assert codes.shape == (3, rows // 4, columns // 4)
        assert model.decode(codes).shape == images.shape
        means, quantized = model(torch.from_numpy(images))
        assert np.array_equal(quantized.codes.numpy(), codes)
        assert np.allclose((means.detach().movedim(1, -1).numpy() + 1) * 127.5, model.means(codes), atol=1e-3)


def test_with_small_windows_and_no_blocks_a_code_depends_on_its_own_pixels_alone() -> None:
    torch.manual_seed(0)
    changes = (*TINY, "model.window=2", "model.encoder_blocks=0")
    preset = read_preset_file(RECIPE / "conf/photos.yaml", ImagePreset, changes)
    encoder = ImageVQVAE(preset.model, 3, 256).encoder
    images = torch.randn(1, 3, 16, 16, requires_grad=True)
    encoder(images)[0, :, 1, 2].sum().backward()
    assert images.grad is not None
    seen = images.grad[0].abs().sum(0).nonzero()
    assert seen.min(0).values.tolist() == [4, 8]
    assert seen.max(0).values.tolist() == [7, 11]


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = make_model("digits", 1, 17)
    save_image_model(model, tmp_path)
    images = digits().parts["test"].images[:5]
    assert np.array_equal(load_image_model(tmp_path).encode(images), model.encode(images))
    (tmp_path / "config.yaml").write_text("levels: many\n")
    with pytest.raises(InputError, match="no model in it"):
        load_image_model(tmp_path)


def test_a_little_training_lowers_the_error_and_goes_on_to_the_bit(tmp_path: Path) -> None:
    changes = (*TINY, "training.steps=30", "training.quantize_from=8", "training.batch=16", "training.average=0.5")
    changes += ("training.optimizer.warm_up=2", "training.optimizer.adam=0.01")

    def train(out: Path, stop: int | None = None) -> ImageTask:
        task = ImageTask(read_preset_file(RECIPE / "conf/digits.yaml", ImagePreset, changes), digits())
        trainer = Trainer(task, out, Devices.find("cpu", "fp32"))
        if stop is not None:
            prepare = task.prepare

            def interrupted(step: int, device: torch.device) -> None:
                prepare(step, device)
                if step == stop:
                    trainer.stop_signal = 2

            task.prepare = interrupted  # type: ignore[method-assign]
            with pytest.raises(KeyboardInterrupt):
                trainer.run()
        else:
            before = task.evaluate(task.model).error
            assert trainer.run().measures.error < 0.8 * before
        return task

    whole = train(tmp_path / "whole").model.state_dict()
    train(tmp_path / "halves", stop=17)
    halves = train(tmp_path / "halves").model.state_dict()
    assert all(torch.equal(tensor, halves[name]) for name, tensor in whole.items())


def test_no_training_patch_of_the_photographs_has_a_pixel_that_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = np.mgrid[:427, :640]

    def places(name: str) -> np.ndarray:
        """A photograph whose pixels tell where they are: row / 2, column / 4, which photograph."""
        return np.stack([rows // 2, columns // 4, np.full_like(rows, name == "flower.jpg")], -1).astype(np.uint8)

    monkeypatch.setattr("sklearn.datasets.load_sample_image", places)
    found = photos(size=32, step=8)
    held = found.scenes_test
    assert held.sum() == len(found.parts["test"].images) * 32 * 32
    seen = {}
    for name, part in found.parts.items():
        row, column, photo = (part.images[..., channel].astype(int) for channel in range(3))
        seen[name] = set(zip(photo.ravel(), row.ravel(), column.ravel(), strict=True))
        assert held[photo, 2 * row, 4 * column].all() == (name == "test")
        assert held[photo, 2 * row, 4 * column].any() == (name == "test")
        assert np.array_equal(part.labels, photo[:, 0, 0])
    assert not seen["train"] & seen["dev"]
    assert not seen["train"] & seen["test"]
    assert not seen["dev"] & seen["test"]


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = digits()
    write_set(found, tmp_path / "digits.npz")
    again = read_set(tmp_path / "digits.npz")
    assert (again.names, again.levels, again.shape) == (found.names, 17, (8, 8, 1))
    assert all(np.array_equal(again.parts[name].images, part.images) for name, part in found.parts.items())
    assert sum(len(part.labels) for part in found.parts.values()) == 1797
    (tmp_path / "digits.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a set of images"):
        read_set(tmp_path / "digits.npz")


def test_a_folder_of_images_with_classes(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(12):
        place = tmp_path / ("my cats" if number % 3 else "dogs")
        place.mkdir(exist_ok=True)
        Image.new("L" if number % 2 else "RGB", (40 + number, 50), number).save(place / f"{number}.png")
    found = folder(tmp_path, size=16)
    assert found.names == ("dogs", "my_cats")
    assert found.shape == (16, 16, 3)
    labels = np.concatenate([part.labels for part in found.parts.values()])
    assert np.bincount(labels).tolist() == [4, 8]
    (tmp_path / "dogs" / "no.png").write_text("text")
    with pytest.raises(InputError, match=r"no\.png: not an image"):
        folder(tmp_path, size=16)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="0 images in it"):
        folder(tmp_path / "empty", size=16)


def test_cifar10_in_its_binary_form(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = {f"data_batch_{n}.bin": rng.integers(256, size=(3, 3073)) for n in range(1, 6)}
    files["test_batch.bin"] = rng.integers(256, size=(2, 3073))
    archive = tmp_path / "cifar-10-binary.tar.gz"
    for cut in (0, 1):
        with tarfile.open(archive, "w:gz") as opened:
            for name, rows in files.items():
                rows[:, 0] %= 10
                content = rows.astype(np.uint8).tobytes()
                content = content[: len(content) - cut]
                entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                entry.size = len(content)
                opened.addfile(entry, io.BytesIO(content))
            names = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"
            entry = tarfile.TarInfo("cifar-10-batches-bin/batches.meta.txt")
            entry.size = len(names)
            opened.addfile(entry, io.BytesIO(names))
        if cut:
            with pytest.raises(InputError, match=r"data_batch_1\.bin is not in it, or cut short"):
                read_cifar10(archive)
            continue
        found = read_cifar10(archive)
        assert [len(found.parts[name].labels) for name in ("train", "dev", "test")] == [12, 3, 2]
        row = files["data_batch_2.bin"][1]
        image = found.parts["train"].images[4]
        assert found.parts["train"].labels[4] == row[0]
        for channel in range(3):
            assert image[5, 7, channel] == row[1 + 1024 * channel + 32 * 5 + 7]
        assert found.names[3] == "cat"


def test_patches_are_cut_in_raster_order_and_put_together_again() -> None:
    images = np.random.default_rng(0).integers(256, size=(2, 8, 12, 3)).astype(np.uint8)
    patches = to_patches(images, 4)
    assert np.array_equal(patches[1 * 6 + 1 * 3 + 2], images[1, 4:8, 8:12].reshape(-1))
    assert np.array_equal(from_patches(patches, 4, (8, 12, 3)), images)


def test_a_transform_coder_uses_its_bits_and_errs_less_with_more() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 6)) @ np.diag([8, 4, 2, 1, 0.5, 0.1]) @ rng.normal(size=(6, 6))
    before = np.inf
    for bits in (0, 1, 3, 8):
        coder = TransformCoder.fit(vectors, bits)
        assert coder.bits == bits
        coded = coder.coded(vectors)
        assert len(np.unique(coded.round(6), axis=0)) <= 2**bits
        error = np.square(coded - vectors).mean()
        assert error < before
        before = error


def test_a_scalar_codebook_is_the_optimum_known_for_a_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    # Max 1960, table I: two levels at +-0.7979, four at +-0.4528 and +-1.510.
    assert scalar_codebook(values, 2, rounds=50) == pytest.approx([-0.7979, 0.7979], abs=0.01)
    assert scalar_codebook(values, 4, rounds=50) == pytest.approx([-1.510, -0.4528, 0.4528, 1.510], abs=0.02)


@pytest.mark.parametrize(("mean", "scale"), [(3.2, 0.7), (-5.0, 2.0), (15.9, 0.05), (8.0, 40.0)])
def test_the_likelihood_of_all_levels_is_1(mean: float, scale: float) -> None:
    values = np.arange(17).astype(np.uint8)
    shares = 2.0 ** -logistic_bits(values, np.full(17, mean), scale, 17)
    assert shares.sum() == pytest.approx(1, abs=1e-9)
    # The plain difference of two sigmoids, in the middle of the range.
    plain = 1 / (1 + np.exp(-(8.5 - mean) / scale)) - 1 / (1 + np.exp(-(7.5 - mean) / scale))
    assert shares[8] == pytest.approx(max(plain, 1e-12), rel=1e-6)


def test_the_scale_that_is_fitted_is_the_one_that_made_the_values() -> None:
    rng = np.random.default_rng(0)
    means = rng.uniform(60, 200, size=50_000)
    values = np.round(rng.logistic(means, 4.0)).clip(0, 255).astype(np.uint8)
    assert fitted_scale(values, means, 256) == pytest.approx(4.0, rel=0.03)


def make_prior(config: MaskedConfig, grid: tuple[int, int] = GRID) -> Prior:
    from masked_prior import _prior

    torch.manual_seed(0)
    prior = _prior(config, grid, codes=10, bigrams=False, classes=("a", "b")).eval()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return prior


def make_masked() -> MaskedConfig:
    return MaskedConfig(layers=3, kernel=3, width=8, gate=8, skip=8, dropout=0.0)


def test_masked_convolutions_see_all_that_came_before_and_nothing_else() -> None:
    prior = make_prior(make_masked())
    codes = torch.randint(10, (2, 12))
    who = torch.tensor([0, 2])
    with torch.no_grad():
        whole = prior(prior.previous(codes), who)
        for place in range(12):
            other = codes.clone()
            other[:, place] = (other[:, place] + 1) % 10
            moved = (prior(prior.previous(other), who) - whole).abs().amax((0, 2)) > 1e-7
            assert not moved[: place + 1].any()
            assert place == 11 or moved[place + 1]


def test_masked_convolutions_with_a_cache_are_those_without() -> None:
    prior = make_prior(make_masked())
    codes = torch.randint(10, (2, 12))
    who, cache = torch.tensor([1, 2]), prior.cache()
    previous = prior.previous(codes)
    with torch.no_grad():
        steps = [prior(previous[:, :5], who, cache), *(prior(previous[:, t : t + 1], who, cache) for t in range(5, 12))]
        torch.testing.assert_close(torch.cat(steps, 1), prior(previous, who))
    assert sample_codes(prior, length=12, count=3, speaker="b").shape == (3, 12)


def test_a_masked_convolution_is_the_sum_over_what_it_may_see() -> None:
    torch.manual_seed(0)
    layer = MaskedConvolutions(3, 4, layers=1, kernel=3, width=2, gate=1, skip=1, dropout=0.0)
    grid = torch.randn(1, 2, 3, 4)
    weight, bias = layer.masked[0].weight, layer.masked[0].bias
    kernel = torch.nn.functional.conv2d(grid, weight * layer.mask, bias, padding=1)
    for row in range(3):
        for column in range(4):
            total = bias.clone()
            for i, j in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0)):
                if 0 <= row + i < 3 and 0 <= column + j < 4:
                    total = total + weight[:, :, 1 + i, 1 + j] @ grid[0, :, row + i, column + j]
            torch.testing.assert_close(kernel[0, :, row, column], total)


def test_a_masked_prior_learns_a_pattern_of_columns_and_is_read_as_it_was_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [np.tile(rng.integers(2, 10, size=4), 3).astype(np.int32) for _ in range(120)]  # each row repeats the first
    data = CodeData(tuple(rows), (0,) * 120, ("x",), 10, None)
    changes = ("training.steps=120", "training.batch=16", "network.layers=2", "network.width=24", "network.dropout=0.0")
    preset = read_preset_file(RECIPE / "conf/masked.yaml", MaskedPreset, changes)
    task = MaskedPriorTask(preset, data, data, GRID)
    result = Trainer(task, tmp_path, Devices.find("cpu", "fp32")).run().measures
    assert result.bits < 1.8  # three bits for each of the first row's codes, none for the others: 1.0
    kept = load_masked_prior(tmp_path / "checkpoints" / "best")
    assert np.concatenate(code_bits(kept, rows, [0] * 120)).mean() == pytest.approx(result.bits, rel=1e-4)
    short = msgspec.structs.replace(preset.training, crop=8)
    with pytest.raises(InputError, match=r"training\.crop is 8"):
        MaskedPriorTask(msgspec.structs.replace(preset, training=short), data, data, GRID)


def test_the_recipe_in_its_shortest_form(tmp_path: Path) -> None:
    words = ["--config", "conf/quick.conf", "--dataset", "digits", "--samples", "2"]
    words += ["--changes", "training.steps=12 training.quantize_from=4 training.batch=16"]
    words += ["--prior-changes", "training.steps=3", "--masked-changes", "training.steps=3"]
    words += ["--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp")]

    def run() -> str:
        ended = subprocess.run([RECIPE / "run.sh", *words], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    run()
    found = json.loads((tmp_path / "exp/digits/digits/RESULTS.json").read_text())
    assert found["bits_per_image"] == 96
    bits = found["bits_per_code"]["test"]
    assert bits["uniform"] == 6
    assert bits["masked"] < bits["unigram"]
    per_dimension = found["bits_per_dimension"]
    assert per_dimension["codes, uniform"] == pytest.approx(96 / 64)
    page = (tmp_path / "exp/digits/results.html").read_text()
    assert page.count("data:image/png") >= 10
    assert 'src="http' not in page
    # All is done: nothing is done again.
    assert run().count("done before") == 6
