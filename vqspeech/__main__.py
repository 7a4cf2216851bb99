"""``python -m vqspeech`` is the command ``vqspeech``, and this is where both begin."""

import sys


def main() -> int:
    """Run one command; Ctrl-C is one line from the first import on, before ``cli.main`` can say so itself."""
    try:
        from vqspeech.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("vqspeech: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
