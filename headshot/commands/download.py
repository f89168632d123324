"""`headshot download`: fetch the local pipeline's weights ahead of the first run."""

from pathlib import Path

from headshot.pipeline.download import command, download, spec_named
from headshot.pipeline.weights import size_in_words

from .console import write_error, write_line

_INTERRUPTED = 130  # what a shell reports for a command that Ctrl-C ended


def download_model(name: str, to: Path | None) -> int:
    """Fetch one model's weights; a download that was interrupted continues where it was.

    Args:
        name: of a model specification, for example `flux2-klein`.
        to: the folder to put them into, None for Hugging Face's cache.

    Returns:
        The exit status: 0, or 130 after Ctrl-C.

    Raises:
        RequestError: if there is no such model.
        BackendError: if the weights could not be fetched.
    """
    spec = spec_named(name)
    licences = ", ".join(f"{repo.name} ({repo.licence})" for repo in spec.repos)
    write_line(f"{spec.title}, {size_in_words(spec.gigabytes)}: {licences}.")
    try:
        download(spec, to)
    except KeyboardInterrupt:
        write_error(f"\nStopped. `{command(spec, to)}` goes on where it was.")
        return _INTERRUPTED
    chosen = to.absolute() if to else spec.name
    write_line(f"All there. From now on no network is needed; HEADSHOT_PIPELINE={chosen} chooses it.")
    return 0
