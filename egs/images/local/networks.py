"""A small strided 2-D encoder and decoder around the package's quantiser, after section 4.1 of the paper.

Strided convolutions with a window of 4 and residual blocks (ReLU, 3 x 3, ReLU, 1 x 1), and the mirror of it. All of
it is convolutional, so images of any size can be encoded. ``vqspeech.model.quantizer`` is used as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
import yaml
from msgspec import Meta, Struct
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.model.config import Count, QuantizerConfig
from vqspeech.model.quantizer import Quantized, Quantizer


class ImageModelConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sizes.

    Attributes:
        halvings: strided convolutions; each halves rows and columns.
        window: rows and columns that a strided convolution of the encoder sees, 4 in the paper; with 2, and no blocks
            in the encoder, each code depends on its own pixels alone.
        channels: of hidden layers.
        encoder_blocks: residual blocks of the encoder, at the resolution of the codes, after one more convolution.
        decoder_blocks: those of the decoder.
        dimension: of the vectors that are quantised.
        quantizer: the codebook.
    """

    halvings: Annotated[int, Meta(ge=1, le=5)]
    window: Literal[2, 4]
    channels: Annotated[int, Meta(ge=2)]
    encoder_blocks: Annotated[int, Meta(ge=0)]
    decoder_blocks: Count
    dimension: Count
    quantizer: QuantizerConfig

    @property
    def stride(self) -> int:
        """Rows, and columns, of an image for one of its codes."""
        return int(2**self.halvings)


class ResidualBlock(nn.Module):
    """``x + conv1x1(relu(conv3x3(relu(x))))``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, channels // 2, 3, padding=1)
        self.narrow = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, rows, columns)`` -> the same shape."""
        return x + self.narrow(F.relu(self.wide(F.relu(x))))


class ImageVQVAE(nn.Module):
    """Encoder, quantiser, decoder.

    Args:
        config: sizes.
        image_channels: of an image.
        levels: values of a channel of an image are 0 to ``levels - 1``.
    """

    def __init__(self, config: ImageModelConfig, image_channels: int, levels: int) -> None:
        super().__init__()
        self.config = config
        self.image_channels = image_channels
        self.levels = levels
        width, window = config.channels, config.window
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for level in range(config.halvings):
            down += [nn.Conv2d(width if level else image_channels, width, window, 2, window // 4), nn.ReLU()]
            last = level == config.halvings - 1
            up += [nn.ReLU(), nn.ConvTranspose2d(width, image_channels if last else width, 4, 2, 1)]
        around: list[nn.Module] = []
        if config.encoder_blocks:
            around.append(nn.Conv2d(width, width, 3, padding=1))
            around += [ResidualBlock(width) for _ in range(config.encoder_blocks)]
            around.append(nn.ReLU())
        self.encoder = nn.Sequential(*down, *around, nn.Conv2d(width, config.dimension, 1))
        self.quantizer = Quantizer(config.quantizer, config.dimension)
        self.decoder = nn.Sequential(
            nn.Conv2d(config.dimension, width, 3, padding=1),
            *(ResidualBlock(width) for _ in range(config.decoder_blocks)),
            *up,
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Quantized]:
        """Reconstruct.

        Args:
            images: ``(batch, rows, columns, channels)`` uint8, rows and columns multiples of ``config.stride``.

        Returns:
            ``(batch, channels, rows, columns)``, the mean of each pixel in [-1, 1] nearly, and the codes.
        """
        quantized = self.quantizer(self.encoder(self.scaled(images)))  # (batch, dimension, rows / s, columns / s)
        return self.decoder(quantized.values), quantized

    def hidden_kernels(self) -> list[Tensor]:
        """Kernels of the convolutions that neither see nor make pixels."""
        parts = [*self.encoder.modules(), *self.decoder.modules()]
        found = [part.weight for part in parts if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
        return found[1:-1]

    def scaled(self, images: Tensor) -> Tensor:
        """``(batch, rows, columns, channels)`` uint8 -> ``(batch, channels, rows, columns)`` in [-1, 1]."""
        return images.movedim(-1, 1).float() * (2 / (self.levels - 1)) - 1

    @torch.no_grad()
    def encode(self, images: NDArray[np.uint8], batch: int = 256) -> NDArray[np.int64]:
        """``(n, rows, columns, channels)`` uint8 -> ``(n, rows / stride, columns / stride)`` int64 codes."""
        pieces = torch.from_numpy(images).split(batch)
        return torch.cat([self.quantizer(self.encoder(self.scaled(piece))).codes for piece in pieces]).numpy()

    @torch.no_grad()
    def means(self, codes: NDArray[np.int64], batch: int = 256) -> NDArray[np.float32]:
        """``(n, rows, columns)`` codes -> ``(n, stride rows, stride columns, channels)`` float32, in levels."""
        pieces = torch.from_numpy(codes).long().split(batch)
        means = torch.cat([self.decoder(self.quantizer.lookup(piece)) for piece in pieces]).movedim(1, -1)
        return ((means + 1) * ((self.levels - 1) / 2)).numpy()

    def decode(self, codes: NDArray[np.int64]) -> NDArray[np.uint8]:
        """As ``means``, rounded to uint8."""
        return self.means(codes).round().clip(0, self.levels - 1).astype(np.uint8)


class _Saved(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands in ``config.yaml``."""

    image_channels: int
    levels: int
    model: ImageModelConfig


def save_image_model(model: ImageVQVAE, folder: Path) -> None:
    """Write ``model.safetensors`` and ``config.yaml``."""
    saved = _Saved(image_channels=model.image_channels, levels=model.levels, model=model.config)
    with atomic_open(folder / "config.yaml") as file:
        yaml.safe_dump(msgspec.to_builtins(saved), file, sort_keys=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_open(folder / "model.safetensors", "wb") as file:
        file.write(save(tensors))


def load_image_model(folder: Path) -> ImageVQVAE:
    """Read what ``save_image_model`` has written.

    Raises:
        InputError: a file is missing or damaged.
    """
    try:
        text = (folder / "config.yaml").read_text(encoding="utf-8")
        saved = msgspec.convert(yaml.safe_load(text), _Saved)
        model = ImageVQVAE(saved.model, saved.image_channels, saved.levels)
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, msgspec.ValidationError, yaml.YAMLError, RuntimeError, ValueError) as error:
        raise InputError(f"no model in it: {error}", where=folder, hint="train one") from None
    return model.eval()
