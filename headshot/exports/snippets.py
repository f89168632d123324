"""A headshot as code: its request as JSON, a Python program, and calls to the hosted endpoint in cURL and JavaScript.

They contain text that a person typed, so it is quoted for each language. None of them contains a key.
"""

import json
import shlex
from typing import Any, Literal

from headshot.backend_names import MODELSLAB
from headshot.modelslab.bodies import enterprise_body, v6_body
from headshot.request import HeadshotRequest
from headshot.settings import variable

Api = Literal["enterprise", "v6"]
ADDRESSES: dict[Api, str] = {  # the client's defaults, repeated to avoid loading its HTTP library; a test compares them
    "enterprise": "https://modelslab.com/api/v1/enterprise/image_editing",
    "v6": "https://modelslab.com/api/v6/image_editing",
}

_BODIES = {"enterprise": enterprise_body, "v6": v6_body}


def as_json(request: HeadshotRequest) -> str:
    """All settings as JSON, by the endpoint's names; `HeadshotRequest.model_validate_json` reads it.

    Args:
        request: The headshot's.
    """
    return request.model_dump_json(indent=2)


def as_python(request: HeadshotRequest, backend: str, face: int | None = None) -> str:
    """A Python program that makes this headshot from `photo.jpg` in the working directory and saves it there.

    If the backend needs a key, a comment names the variable that holds it.

    Args:
        request: The headshot's.
        backend: Which backend makes it.
        face: As for `shoot`.
    """
    arguments = {**request.model_dump(exclude={"seed"}), "seeds": [request.seed], "backend": backend}
    if face is not None:
        arguments["face"] = face
    lines = [f"    {name}={_python(value)}," for name, value in arguments.items()]
    key = [f"# The key is read from the environment variable {variable('modelslab_key')}."] * (backend == MODELSLAB)
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            "from headshot import shoot",
            "",
            *key,
            "[headshot] = shoot(",
            '    "photo.jpg",',
            *lines,
            ")",
            "Path(headshot.filename).write_bytes(headshot.png)",
            "",
        ]
    )


def _python(value: object) -> str:
    """A literal, escaped as by `repr`; text is in double quotes if it contains none."""
    if isinstance(value, str) and '"' not in value:
        return '"' + repr("'" + value)[2:]  # with an apostrophe in it, repr uses double quotes
    return repr(value)


def as_curl(request: HeadshotRequest, api: Api = "enterprise") -> str:
    """A POSIX shell command that sends this request to the hosted endpoint.

    It reads `photo.jpg` in the working directory and the key in `$MODELSLAB_API_KEY`. Both reach curl through a pipe,
    because every user of the machine can read command lines, and a photo is too long for one. Without key or photo
    nothing is sent, because any request may be billed.

    Args:
        request: The headshot's.
        api: Which of the two hosted APIs.
    """
    # ASCII survives every terminal and locale. JSON has no raw line ends inside its strings, so `tr` can remove those
    # of its layout together with those that base64 inserts: GNU's and macOS's have no common option to omit them.
    body = json.dumps(_settings(request, api), indent=2)[1:]
    return "\n".join(
        [
            ': "${MODELSLAB_API_KEY:?set it to your ModelsLab key}" && photo=$(base64 < photo.jpg) &&',
            """printf '{"key": "%s", "face_image": "data:image/jpeg;base64,%s",%s' """
            f""""$MODELSLAB_API_KEY" "$photo" {shlex.quote(body)} |""",
            "tr -d '\\r\\n' |",
            f"curl --header 'Content-Type: application/json' --data-binary @- {ADDRESSES[api]}/head_shot",
            "",
        ]
    )


_JAVASCRIPT = """\
// For Node 18 or newer: save this as headshot.mjs beside photo.jpg, set MODELSLAB_API_KEY, run "node headshot.mjs".
import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";

const API = "%(address)s";
const key = process.env.MODELSLAB_API_KEY;
if (!key) stop("Set MODELSLAB_API_KEY to your ModelsLab key.");

function stop(why) {
  console.error(why);
  process.exit(1);
}

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function post(path, values) {
  const response = await fetch(`${API}/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key, ...values }),
    redirect: "error", // the key goes nowhere else
  });
  const reply = await response.json();
  // The reply repeats the key and the whole photo.
  const short = (_, value) => (typeof value === "string" ? value.replaceAll(key, "[key]").slice(0, 500) : value);
  console.log(JSON.stringify(reply, short, 2));
  return reply;
}

let reply = await post("head_shot", {
  face_image: "data:image/jpeg;base64," + (await readFile("photo.jpg", "base64")),
%(settings)s
});

// Asking costs nothing: every 3 s, up to 10 minutes. At first the job may still be unknown.
const { id, eta } = reply;
for (let asked = 0; reply.status === "processing" && asked < 200; asked++) {
  await wait(asked ? 3 : Math.min(eta || 3, 60));
  const answer = await post(`fetch/${id}`).catch(() => reply);
  if (asked >= 5 || !/not found|rate limit/i.test(answer.message)) reply = answer;
}

const [link] = [reply.output].flat();
if (reply.status !== "success" || !link) stop("There is no picture: the reply says why.");

// The link may come before the file.
let file = await fetch(link);
for (let tried = 0; !file.ok && tried < 20; tried++) {
  await wait(3);
  file = await fetch(link);
}
if (!file.ok) stop(`The picture cannot be read yet, try its link later: ${link}`);

const [, ending = "png"] = link.match(/\\.(jpe?g|webp|avif)$/) ?? [];
const name = `headshot-${Date.now()}.${ending}`;
await writeFile(name, new Uint8Array(await file.arrayBuffer()));
console.log(`Wrote ${name}`);
"""


def as_javascript(request: HeadshotRequest, api: Api = "enterprise") -> str:
    """A program for Node 18 or newer, without packages, that makes this headshot at the hosted endpoint and saves it.

    It reads `photo.jpg` in the working directory and the key in the variable MODELSLAB_API_KEY. The request is sent
    only once, because it may be billed. Without key or photo nothing is sent.

    Args:
        request: The headshot's.
        api: Which of the two hosted APIs.
    """
    # JSON in ASCII is valid JavaScript, even if a text contains a line separator.
    settings = "\n".join(f"  {name}: {json.dumps(value)}," for name, value in _settings(request, api).items())
    return _JAVASCRIPT % {"address": ADDRESSES[api], "settings": settings}


def _settings(request: HeadshotRequest, api: Api) -> dict[str, Any]:
    """The body as the client sends it, without key and photo."""
    body = _BODIES[api]("", request, "")
    del body["key"], body["face_image"]
    return body
