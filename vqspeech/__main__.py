"""``python -m vqspeech`` is the command ``vqspeech``."""

import sys

from vqspeech.cli.main import main

sys.exit(main())
