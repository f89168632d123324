"""Options and arguments of every command, their exit status, and errors as one sentence.

Light: `headshot --help` loads neither Gradio nor torch, OpenCV or onnxruntime. Each command imports what it needs.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from headshot.errors import HeadshotError, RequestError
from headshot.version import __version__

from .console import write_error, write_line

_FAILED, _WRONG_USAGE, _INTERRUPTED = 1, 2, 130  # 130: what a shell reports for a command that Ctrl-C ended

app = typer.Typer(
    name="headshot",
    help="Professional headshots from one ordinary photo.",
    epilog="Example: headshot shoot me.jpg --look navy --seeds 1-4",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_JSON = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None for those of this process.

    Returns:
        The exit status: 0, 1 if it could not be done, 2 for wrong usage, 130 after Ctrl-C.
    """
    try:
        status = app(None if arguments is None else list(arguments), prog_name="headshot", standalone_mode=False)
    except typer.TyperException as error:
        if error.format_message():  # without arguments the help has been printed, and there is nothing to add
            write_error(error.format_message())
        return error.exit_code
    except HeadshotError as error:
        write_error(str(error))
        return _WRONG_USAGE if isinstance(error, RequestError) else _FAILED
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except BrokenPipeError:  # the program that reads the lines has ended, as in `headshot looks | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python's last flush would complain
        return _FAILED
    except ModuleNotFoundError as error:
        if (error.name or "headshot").partition(".")[0] == "headshot":
            raise  # a bug of ours
        write_error(f"The package {error.name} is missing: install it with `pip install -r requirements.txt`.")
        return _FAILED
    return int(status or 0)


def _show_version(wanted: bool) -> None:
    if wanted:
        write_line(f"headshot {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Professional headshots from one ordinary photo."""


@app.command(epilog="Example: headshot page --port 8000 --no-browser")
def page(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port to serve on. Default: the first free one from GRADIO_SERVER_PORT or 7860."
        ),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in the browser.")] = False,
) -> int:
    """Serve the page on this machine until Ctrl-C."""
    from .page import run_page

    return run_page(port=port, open_browser=False if no_browser else None)


@app.command(epilog="Example: headshot shoot me.jpg you.jpg --look navy --seeds 1-4 --out headshots")
def shoot(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="One or more photos.", show_default=False)],
    look: Annotated[
        str, typer.Option(help="A look by its name; `headshot looks` lists them.", show_default=False)
    ] = "",
    prompt: Annotated[str | None, typer.Option(help="The look in your own words, instead of --look's.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="Things to avoid, instead of --look's.")] = None,
    seeds: Annotated[
        str, typer.Option(help="One headshot for each: 1-4 or 1,2,7. Default: one random seed.", show_default=False)
    ] = "",
    guidance: Annotated[
        float | None, typer.Option(help="How closely the prompt is followed, 1 to 20. Default: the look's, or 7.5.")
    ] = None,
    steps: Annotated[int, typer.Option(metavar="21|31|41", help="Effort: 21 is fast, 31 finer, 41 finest.")] = 21,
    backend: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="auto, modelslab, local or studio. Default: HEADSHOT_BACKEND, or auto.",
            show_default=False,
        ),
    ] = "",
    face: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Which face of several, 1 for the clearest.")
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder for the files. Default: this one.", show_default=False)
    ] = Path(),
    as_json: _JSON = False,
) -> int:
    """Make headshots of one or more photos and print the files' names.

    A file is never overwritten: the new one gets a number. Ctrl-C stops and keeps what is done.
    """
    from .shoot import Order
    from .shoot import shoot as shoot_photos

    return shoot_photos(
        Order(
            photos=photos,
            look=look,
            prompt=prompt,
            negative_prompt=negative_prompt,
            guidance=guidance,
            steps=steps,
            seeds=seeds,
            backend=backend,
            face=face,
            out=out,
            as_json=as_json,
        )
    )


@app.command(epilog="Example: headshot check me-headshot-studio-seed-1-guidance-7.5-steps-21.png")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="PNG, JPEG or WebP files.", show_default=False)],
    as_json: _JSON = False,
) -> int:
    """Show what made a picture: tool, model, prompts, settings, seed, whether AI made it, and its signature."""
    from .check import check_files

    return check_files(files, as_json=as_json)


@app.command(epilog="Example: headshot looks --json")
def looks(as_json: _JSON = False) -> int:
    """List the looks with their prompts."""
    from .looks import show_looks

    return show_looks(as_json=as_json)


@app.command(epilog="Example: headshot download flux2-klein --to weights")
def download(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="flux2-klein, sdxl-face or qwen-edit.", show_default=False)
    ],
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for the weights. Default: Hugging Face's cache.")
    ] = None,
) -> int:
    """Fetch the local pipeline's weights ahead; an interrupted download continues where it was."""
    from .download import download_model

    return download_model(model, to)
