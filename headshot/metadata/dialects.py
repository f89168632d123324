"""What other programs write into their pictures, read into one set of words.

Each reader takes texts that a stranger may have written, and returns what it understood, or None where the text is
another program's. A value of an unexpected kind is left out: a recipe with a gap is better than none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .limits import MAX_NUMBER_CHARS, from_json, plain

_MAX_TEXT_CHARS = 20_000  # of one prompt or value; whatever is longer is cut
_MAX_SETTINGS = 60
_MAX_NODES = 5_000  # of a ComfyUI graph; the largest shared ones have some hundreds
_MAX_HOPS = 20  # from a sampler to the words that it was given


@dataclass(frozen=True)
class ParsedMetadata:
    """What one text tells. None and "" are for what it does not.

    tool: the program.  settings: everything else, as title and text, in the program's own words.
    """

    tool: str
    prompt: str | None = None
    negative_prompt: str | None = None
    steps: float | None = None
    guidance: float | None = None
    seed: int | None = None
    model: str = ""
    settings: tuple[tuple[str, str], ...] = field(default=())


def a1111(text: str) -> ParsedMetadata | None:
    """`parameters` as A1111's web UI made it common: words, `Negative prompt:`, and a last line of settings."""
    *lines, last = text.strip().split("\n")
    found = _pairs(last)
    if not any(name in found for name in ("Steps", "Seed", "CFG scale")):
        return None
    at = next((place for place, line in enumerate(lines) if line.startswith("Negative prompt:")), len(lines))
    negative = "\n".join(lines[at:]).removeprefix("Negative prompt:").removeprefix(" ")
    version = found.get("Version", "")
    return ParsedMetadata(
        tool=f"Fooocus {version.removeprefix('Fooocus ')}" if version.startswith("Fooocus") else "",
        prompt=_text("\n".join(lines[:at])),
        negative_prompt=_text(negative),
        steps=_number(found.get("Steps")),
        guidance=_number(found.get("CFG scale")),
        seed=_whole(found.get("Seed")),
        model=found.get("Model", ""),
        settings=_others(found, {"Steps", "CFG scale", "Seed", "Model"}),
    )


def fooocus(text: str) -> ParsedMetadata | None:
    """`parameters` as Fooocus's own scheme has it: JSON with `guidance_scale` and `base_model`."""
    told = _object(text, "parameters")
    if not {"base_model", "performance", "metadata_scheme", "full_prompt"} & told.keys():
        return None
    named = {"prompt", "negative_prompt", "steps", "guidance_scale", "seed", "base_model", "version"}
    version = _text(told.get("version")) or ""
    return ParsedMetadata(
        tool=version if version.startswith("Fooocus") else f"Fooocus {version}".strip(),
        prompt=_text(told.get("prompt")),
        negative_prompt=_text(told.get("negative_prompt")),
        steps=_number(told.get("steps")),
        guidance=_number(told.get("guidance_scale")),
        seed=_whole(told.get("seed")),
        model=_text(told.get("base_model")) or "",
        settings=_others(told, named),
    )


def invokeai(text: str) -> ParsedMetadata | None:
    """`invokeai_metadata`: JSON with `positive_prompt` and `cfg_scale`."""
    told = _object(text, "InvokeAI metadata")
    if not told:
        return None
    model = told.get("model")
    named = {"positive_prompt", "negative_prompt", "steps", "cfg_scale", "seed", "model", "app_version"}
    return ParsedMetadata(
        tool=f"InvokeAI {_text(told.get('app_version')) or ''}".strip(),
        prompt=_text(told.get("positive_prompt")),
        negative_prompt=_text(told.get("negative_prompt")),
        steps=_number(told.get("steps")),
        guidance=_number(told.get("cfg_scale")),
        seed=_whole(told.get("seed")),
        model=_text(model.get("name", model.get("model_name")) if isinstance(model, dict) else model) or "",
        settings=_others(told, named),
    )


def comfyui(prompt: str, workflow: str) -> ParsedMetadata | None:
    """`prompt`, the graph as it ran, else `workflow`, the graph as it was drawn: around the first sampler there is."""
    nodes = _ran(_object(prompt, "ComfyUI graph")) if prompt else {}
    if not nodes and workflow:
        nodes = _drawn(_object(workflow, "ComfyUI workflow"))
    samplers = [node for node in nodes.values() if "sampler" in node.kind.lower() and _seed_of(node) is not None]
    if not samplers:
        return ParsedMetadata("ComfyUI") if nodes else None
    sampler = samplers[0]
    models = (node.inputs.get("ckpt_name", node.inputs.get("unet_name")) for node in nodes.values())
    return ParsedMetadata(
        tool="ComfyUI",
        prompt=_words(nodes, sampler, "positive"),
        negative_prompt=_words(nodes, sampler, "negative"),
        steps=_number(sampler.inputs.get("steps")),
        guidance=_number(sampler.inputs.get("cfg")),
        seed=_seed_of(sampler),
        model=next((name for name in models if isinstance(name, str)), ""),
        settings=_others(sampler.inputs, {"steps", "cfg", "seed", "noise_seed", "positive", "negative"}),
    )


@dataclass(frozen=True)
class _Node:
    """inputs: values, and for what another node gives, that node's name in a list."""

    kind: str
    inputs: Mapping[str, Any]


def _ran(graph: Mapping[str, Any]) -> dict[str, _Node]:
    return {
        str(name): _Node(str(node["class_type"]), node["inputs"])
        for name, node in list(graph.items())[:_MAX_NODES]
        if isinstance(node, dict) and "class_type" in node and isinstance(node.get("inputs"), dict)
    }


# What the widgets of these nodes are called, in the order in which a workflow lists their values.
_WIDGETS = {
    "KSampler": ("seed", "control", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("add_noise", "noise_seed", "control", "steps", "cfg", "sampler_name", "scheduler"),
    "CLIPTextEncode": ("text",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
}


def _drawn(workflow: Mapping[str, Any]) -> dict[str, _Node]:
    links, nodes = workflow.get("links"), workflow.get("nodes")
    givers = {
        str(link[0]): str(link[1])
        for link in (links if isinstance(links, list) else [])[: 4 * _MAX_NODES]
        if isinstance(link, list) and len(link) >= 2
    }
    found = {}
    for node in (nodes if isinstance(nodes, list) else [])[:_MAX_NODES]:
        if not isinstance(node, dict):
            continue
        kind, values, inputs = str(node.get("type", "")), node.get("widgets_values"), node.get("inputs")
        given = dict(zip(_WIDGETS.get(kind, ()), values if isinstance(values, list) else [], strict=False))
        for entry in inputs if isinstance(inputs, list) else []:
            if isinstance(entry, dict) and str(entry.get("link")) in givers:
                given[str(entry.get("name"))] = [givers[str(entry["link"])], 0]
        found[str(node.get("id"))] = _Node(kind, given)
    return found


def _seed_of(node: _Node) -> int | None:
    seed = _whole(node.inputs.get("seed"))
    return _whole(node.inputs.get("noise_seed")) if seed is None else seed


def _words(nodes: Mapping[str, _Node], sampler: _Node, which: str) -> str | None:
    """The text at the end of the line that feeds a sampler's positive or negative side."""
    value = sampler.inputs.get(which)
    for _ in range(_MAX_HOPS):
        if not isinstance(value, list) or not value or str(value[0]) not in nodes:
            return None
        inputs = nodes[str(value[0])].inputs
        for name in ("text", "text_g", "value", "string", which, "conditioning", "prompt"):
            if isinstance(inputs.get(name), str):
                return _text(inputs[name])
            if isinstance(inputs.get(name), list):
                value = inputs[name]
                break
        else:
            return None
    return None


# A name, a colon, and a value that may stand in quotes. The name's length is bounded, or a line without a colon would
# cost its length squared.
_PAIR = re.compile(r'\s*([A-Za-z][\w /-]{0,60}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')


def _pairs(line: str) -> dict[str, str]:
    found = {name: value.strip() for name, value in _PAIR.findall(line[:_MAX_TEXT_CHARS])}
    return {
        name: value[1:-1] if value[:1] == value[-1:] == '"' and len(value) > 1 else value
        for name, value in found.items()
    }


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        told = from_json(text, what, strict=False)
    except ValueError:  # no JSON: another program's text under the same name
        return {}
    return told if isinstance(told, dict) else {}


def _others(told: Mapping[str, Any], named: set[str]) -> tuple[tuple[str, str], ...]:
    """What is not named elsewhere and has one value, as title and text."""
    found = [
        (plain(str(name)[:60]).replace("_", " "), f"{value:g}" if isinstance(value, float) else plain(str(value)[:300]))
        for name, value in told.items()
        if name not in named and isinstance(value, str | int | float) and value != ""
    ]
    return tuple(found[:_MAX_SETTINGS])


def _text(value: Any) -> str | None:
    return plain(value[:_MAX_TEXT_CHARS]) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if isinstance(value, str) and len(value) <= MAX_NUMBER_CHARS and re.fullmatch(r"-?\d+(\.\d*)?", value.strip()):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and len(value) <= MAX_NUMBER_CHARS and re.fullmatch(r"-?\d+", value.strip(), re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
