"""Print the numbers of the model card, or of parts of it, as JSON; each part also to stderr when measured."""

from __future__ import annotations

import json
import sys

from . import card

if __name__ == "__main__":
    measured: dict[str, object] = {}
    for name, numbers in card(sys.argv[1:]):
        measured[name] = numbers
        sys.stderr.write(f"{name}: {json.dumps(numbers)}\n")
    json.dump(measured, sys.stdout, indent=2)
    sys.stdout.write("\n")
