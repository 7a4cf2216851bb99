"""What the VQ-VAE is held against at the same number of bits: k-means of patches, and principal components.

A transform coder fits principal components to vectors, gives each component a whole number of bits, greedily, where
one more lowers the training error most, and quantises it by a scalar codebook of Lloyd's algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Vectors that are fitted to, at most, and components that may be given bits.
MOST_VECTORS, MOST_COMPONENTS = 20_000, 160
#: Bits that one component may be given, at most.
MOST_BITS = 6


def to_patches(images: NDArray[np.uint8], size: int) -> Floats:
    """``(n, rows, columns, channels)`` -> ``(n * patches, size * size * channels)``, image by image in raster order."""
    n, rows, columns, channels = images.shape
    cut = images.reshape(n, rows // size, size, columns // size, size, channels).swapaxes(2, 3)
    return cut.reshape(-1, size * size * channels).astype(np.float64)


def from_patches(vectors: Floats, size: int, shape: tuple[int, int, int]) -> Floats:
    """The inverse of ``to_patches``: ``(n, rows, columns, channels)``."""
    rows, columns, channels = shape
    cut = vectors.reshape(-1, rows // size, columns // size, size, size, channels).swapaxes(2, 3)
    return cut.reshape(-1, rows, columns, channels)


def scalar_codebook(values: Floats, size: int, rounds: int = 12) -> Floats:
    """Lloyd's algorithm in one dimension: ``(size,)`` levels, sorted, that begin as quantiles of ``values``."""
    levels = np.quantile(values, (np.arange(size) + 0.5) / size)
    for _ in range(rounds):
        nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, values)
        counts = np.bincount(nearest, minlength=size)
        sums = np.bincount(nearest, values, minlength=size)
        levels = np.sort(np.where(counts > 0, sums / np.maximum(counts, 1), levels))
    return levels


def quantised(values: Floats, levels: Floats) -> Floats:
    """Each value's nearest level."""
    return levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, values)]


@dataclass(frozen=True)
class TransformCoder:
    """Principal components, each with a scalar codebook.

    Attributes:
        mean: ``(dimension,)``.
        axes: ``(components, dimension)``, orthonormal: those that were given bits.
        codebooks: levels of each, two to the power of its bits.
    """

    mean: Floats
    axes: Floats
    codebooks: tuple[Floats, ...]

    @classmethod
    def fit(cls, vectors: Floats, bits: int) -> TransformCoder:
        """Fit to ``(n, dimension)`` training vectors for ``bits`` per vector in all."""
        vectors = vectors[:: 1 + len(vectors) // MOST_VECTORS]
        mean = vectors.mean(0)
        _, axes = np.linalg.eigh(np.cov((vectors - mean).T))
        axes = axes.T[::-1][:MOST_COMPONENTS]
        values = (vectors - mean) @ axes.T  # (n, components)
        codebooks = [np.zeros(1) for _ in axes]

        def gain(component: int) -> tuple[float, Floats]:
            """What one bit more would take from the error, and the codebook that has it."""
            now, column = codebooks[component], values[:, component]
            if len(now) == 2**MOST_BITS:
                return 0.0, now
            more = scalar_codebook(column, 2 * len(now))
            saved = np.mean((column - quantised(column, now)) ** 2) - np.mean((column - quantised(column, more)) ** 2)
            return float(saved), more

        gains = [gain(component) for component in range(len(axes))]
        for _ in range(bits):
            best = max(range(len(axes)), key=lambda component: gains[component][0])
            codebooks[best] = gains[best][1]
            gains[best] = gain(best)
        used = [component for component, levels in enumerate(codebooks) if len(levels) > 1]
        return cls(mean, axes[used], tuple(codebooks[component] for component in used))

    @property
    def bits(self) -> int:
        """Bits per vector."""
        return sum(int(np.log2(len(levels))) for levels in self.codebooks)

    def coded(self, vectors: Floats) -> Floats:
        """``(n, dimension)`` as they come back from their bits."""
        values = (vectors - self.mean) @ self.axes.T
        columns = [quantised(values[:, i], levels) for i, levels in enumerate(self.codebooks)]
        return self.mean + np.stack(columns, 1) @ self.axes if columns else np.tile(self.mean, (len(vectors), 1))


def reconstructions(
    train: NDArray[np.uint8], test: NDArray[np.uint8], *, stride: int, codes: int, seed: int = 0
) -> dict[str, Floats]:
    """Test images as the other systems reconstruct them, each from as many bits as the VQ-VAE has.

    Args:
        train: ``(n, rows, columns, channels)``, what they are fitted to.
        test: as many dimensions.
        stride: rows and columns of the patch that one code stands for.
        codes: of the codebook, a power of two.
        seed: of k-means.

    Returns:
        Name -> ``(n, rows, columns, channels)``.
    """
    from sklearn.cluster import MiniBatchKMeans

    shape = (test.shape[1], test.shape[2], test.shape[3])
    patches, held = to_patches(train, stride), to_patches(test, stride)
    bits = int(np.log2(codes))
    means = MiniBatchKMeans(codes, n_init=1, batch_size=2048, max_iter=20, random_state=seed)
    means.fit(patches[:: 1 + len(patches) // (5 * MOST_VECTORS)])
    of_patches = TransformCoder.fit(patches, bits)
    whole = TransformCoder.fit(train.reshape(len(train), -1).astype(np.float64), bits * (held.shape[0] // len(test)))
    return {
        "k-means of patches": from_patches(means.cluster_centers_[means.predict(held)], stride, shape),
        "PCA of patches": from_patches(of_patches.coded(held), stride, shape),
        "PCA of whole images": whole.coded(test.reshape(len(test), -1).astype(np.float64)).reshape(-1, *shape),
    }
