"""The studio's headshots of a folder of photos: a sheet for each, and a table of trust, likeness and advice.

    python benchmarks/gallery.py FOLDER [--look NAME | --prompt WORDS] [--seeds 1,2] [--to FOLDER]

A sheet shows the photo with the chosen face outlined, the headshot, and, enlarged twice, the places where a bad cut-out
shows: the hair, both sides of the face, both shoulders. The table goes to the standard output and to table.tsv beside
the sheets. For a photo of which no headshot can be made, it has the error's sentence.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from headshot import Headshot, HeadshotRequest, Photo, shoot  # noqa: E402 - the folder is not installed
from headshot.comparison.presets import PRESETS  # noqa: E402
from headshot.errors import HeadshotError, PhotoError  # noqa: E402
from headshot.imaging import face  # noqa: E402 - the folder is not installed

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".tif", ".tiff", ".bmp"}
COLUMNS = ("photo", "seed", "trust", "likeness", "head", "enlargement", "seconds", "notes")
HEIGHT, GAP, PAPER = 1280, 16, (250, 250, 248)
DETAIL = 380, 304  # of a sheet, in pixels; half as much of the headshot
# Centres of the details, in widths and heights of the face's box from its centre.
DETAILS = ((0.0, -0.72), (-0.62, 0.0), (0.62, 0.0), (-1.0, 0.95), (1.0, 0.95))


def main() -> None:
    arguments = _arguments()
    target: Path = arguments.to or arguments.folder.with_name(arguments.folder.name + "-headshots")
    target.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in sorted(path for path in arguments.folder.iterdir() if path.suffix.lower() in ENDINGS):
        for row in _rows(path, arguments, target):
            rows.append(row)
            print(*row, sep="\t", flush=True)
    with (target / "table.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--look", choices=[preset.name for preset in PRESETS])
    parser.add_argument("--prompt", help="instead of a look")
    parser.add_argument("--seeds", default="1", help="numbers and commas")
    parser.add_argument("--to", type=Path, help="where the sheets go; by default beside the folder")
    return parser.parse_args()


def _rows(path: Path, arguments: argparse.Namespace, target: Path) -> Iterator[tuple[str, ...]]:
    request = HeadshotRequest()
    for preset in PRESETS:
        if preset.name == arguments.look:
            request = HeadshotRequest(
                prompt=preset.prompt, negative_prompt=preset.negative_prompt, guidance_scale=preset.guidance_scale
            )
    settings = request.model_dump(exclude={"seed"})
    if arguments.prompt:
        settings["prompt"] = arguments.prompt
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    started = time.perf_counter()
    try:
        photo = Photo.open(path)
        headshots = shoot(photo, seeds=seeds, backend="studio", **settings)
    except PhotoError as error:
        yield (path.stem, "", "", "", "", "", f"{time.perf_counter() - started:.1f}", str(error))
        return
    except HeadshotError as error:
        sys.exit(f"{path}: {error}")
    seconds = (time.perf_counter() - started) / len(seeds)
    chosen = face.choose(face.find(photo.pixels))
    for headshot in headshots:
        name = path.stem if len(seeds) == 1 else f"{path.stem}-{headshot.request.seed}"
        (target / f"{name}.png").write_bytes(headshot.png)
        _sheet(photo, chosen, headshot).save(target / f"{name}-sheet.jpg", quality=90)
        yield (
            path.stem,
            str(headshot.request.seed),
            "" if headshot.trust is None else f"{headshot.trust:.2f}",
            "" if headshot.likeness is None else f"{headshot.likeness:.3f}",
            "" if headshot.face_box is None else f"{headshot.face_box[3] / headshot.image.height:.2f}",
            f"{chosen.enlargement:.1f}",
            f"{seconds:.1f}",
            " ".join(note.text for note in headshot.notes if note.kind == "advice"),
        )


def _sheet(photo: Photo, chosen: face.Face, headshot: Headshot) -> Image.Image:
    source = photo.image.copy()
    x, y, width, height = chosen.box
    line = max(1, source.width // 400)
    ImageDraw.Draw(source).rectangle((x, y, x + width, y + height), outline=(255, 200, 0), width=line)
    source.thumbnail((HEIGHT, HEIGHT), Image.Resampling.LANCZOS)
    details = _details(headshot)
    across = [source.width, headshot.image.width, *([DETAIL[0]] if details else [])]
    sheet = Image.new("RGB", (sum(across) + GAP * (len(across) + 1), HEIGHT + 5 * GAP), PAPER)
    left = GAP
    for picture in (source, headshot.image):
        sheet.paste(picture, (left, GAP))
        left += picture.width + GAP
    step = (HEIGHT + 4 * GAP - DETAIL[1]) // max(len(details) - 1, 1)
    for number, detail in enumerate(details):
        sheet.paste(detail.crop((0, 0, DETAIL[0], step - 4)), (left, GAP // 2 + number * step))
    return sheet


def _details(headshot: Headshot) -> list[Image.Image]:
    if headshot.face_box is None:
        return []
    x, y, width, height = headshot.face_box
    crops = []
    for across, down in DETAILS:
        middle = x + (0.5 + across) * width, y + (0.5 + down) * height
        left = min(max(0, middle[0] - DETAIL[0] / 4), headshot.image.width - DETAIL[0] / 2)
        top = min(max(0, middle[1] - DETAIL[1] / 4), headshot.image.height - DETAIL[1] / 2)
        box = (left, top, left + DETAIL[0] / 2, top + DETAIL[1] / 2)
        crops.append(headshot.image.resize(DETAIL, Image.Resampling.BICUBIC, box))
    return crops


if __name__ == "__main__":
    main()
