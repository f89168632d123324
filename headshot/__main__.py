"""`python -m headshot download flux2-klein [--to FOLDER]`: fetch the local pipeline's weights ahead."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import HeadshotError, RequestError
from .pipeline.download import command, download, spec_named
from .pipeline.model_specs import MODEL_SPECS
from .pipeline.weights import size_in_words

_STOPPED = 130  # what a shell reports for a command that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, 1 with a sentence on the standard error, or 2 for a recipe that there is not."""
    asked = _parser().parse_args(arguments)
    try:
        recipe = spec_named(asked.recipe)
        licences = ", ".join(f"{part.repo} ({part.licence})" for part in recipe.parts)
        _say(f"{recipe.title}, {size_in_words(recipe.gigabytes)}: {licences}.")
        download(recipe, asked.to)
    except HeadshotError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, RequestError) else 1
    except KeyboardInterrupt:
        sys.stderr.write(f"\nStopped. `{command(recipe, asked.to)}` goes on where it was.\n")
        return _STOPPED
    chosen = asked.to.absolute() if asked.to else recipe.name
    _say(f"All there. From now on no network is needed; HEADSHOT_PIPELINE={chosen} chooses it.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m headshot", description="The headshot playground's local pipeline.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fetch = commands.add_parser("download", help="fetch a recipe's weights; what was begun is gone on with")
    known = ", ".join(f"{recipe.name} ({recipe.gigabytes:.0f} GB)" for recipe in MODEL_SPECS.values())
    fetch.add_argument("recipe", metavar="RECIPE", help=known)
    fetch.add_argument("--to", type=Path, metavar="FOLDER", help="instead of Hugging Face's cache")
    return parser


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
