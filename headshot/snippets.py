"""The same headshot as code: its request as JSON, the call as Python, and the call to the hosted endpoint as cURL.

What a person typed goes into them, so it is quoted for the language it lands in. No key stands in any of them.
"""

import json
import shlex

from .request import HeadshotRequest

ENDPOINT = "https://modelslab.com/api/v1/enterprise/image_editing/head_shot"


def as_json(request: HeadshotRequest) -> str:
    """All settings by the endpoint's names. `HeadshotRequest.model_validate_json` reads it back."""
    return request.model_dump_json(indent=2)


def as_python(request: HeadshotRequest, backend: str, face: int | None = None) -> str:
    """A program that makes this headshot of a `photo.jpg` in the working directory and writes its file beside it.

    face: as `shoot` takes it.
    """
    arguments = {**request.model_dump(exclude={"seed"}), "seeds": [request.seed], "backend": backend}
    if face is not None:
        arguments["face"] = face
    lines = [f"    {name}={_python(value)}," for name, value in arguments.items()]
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            "from headshot import shoot",
            "",
            "[headshot] = shoot(",
            '    "photo.jpg",',
            *lines,
            ")",
            "Path(headshot.filename).write_bytes(headshot.png)",
            "",
        ]
    )


def _python(value: object) -> str:
    """A literal, as `repr` escapes it, text in double quotes where it holds none."""
    if isinstance(value, str) and '"' not in value:
        return '"' + repr("'" + value)[2:]  # an apostrophe makes repr take double quotes
    return repr(value)


def as_curl(request: HeadshotRequest) -> str:
    """The same call to the hosted endpoint, for any POSIX shell: `photo.jpg` in the working directory, the key in
    `$MODELSLAB_API_KEY`.

    Key and photo reach curl through a pipe: a command line is open to every user of the machine, and a photo is too
    long for one. Without key or photo nothing is sent, for a request may be billed whatever it holds.
    """
    rest = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "num_inference_steps": str(request.num_inference_steps),  # a string in the service's own example
        "guidance_scale": request.guidance_scale,
        "seed": request.seed,
        "webhook": None,
        "track_id": None,
    }
    # ASCII outlives every terminal and locale. JSON holds no raw line end within its texts, so that `tr` may take those
    # of its layout together with those that base64 puts in: GNU's and macOS's know no common option to leave them out.
    body = json.dumps(rest, indent=2)[1:]
    return "\n".join(
        [
            ': "${MODELSLAB_API_KEY:?set it to your ModelsLab key}" && photo=$(base64 < photo.jpg) &&',
            """printf '{"key": "%s", "face_image": "data:image/jpeg;base64,%s",%s' """
            f""""$MODELSLAB_API_KEY" "$photo" {shlex.quote(body)} |""",
            "tr -d '\\r\\n' |",
            f"curl --header 'Content-Type: application/json' --data-binary @- {ENDPOINT}",
            "",
        ]
    )
