"""Unit tests, run natively. The SDK lies in the project."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in (".tailrace/sdk/python", ".")]
