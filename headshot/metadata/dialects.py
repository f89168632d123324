"""Parses the metadata of other programs into one common form.

Each parser gets untrusted texts, and returns the settings that it found, or None if the text is another program's. A
value of an unexpected type is left out: metadata with a gap is better than none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .limits import MAX_NUMBER_CHARS, parse_json, printable

_MAX_TEXT_CHARS = 20_000  # of one prompt or value; longer ones are cut. The longest shared prompts have some thousand
_MAX_SETTINGS = 60  # of those that are only shown; A1111 writes about thirty
_MAX_NODES = 5_000  # of a ComfyUI graph; the largest shared ones have some hundreds
_MAX_HOPS = 20  # from a sampler to its prompt; graphs may have loops


@dataclass(frozen=True)
class ParsedMetadata:
    """The settings found in one text. None and "" stand for missing ones.

    Attributes:
        tool: the program.
        prompt: at most 20,000 characters.
        negative_prompt: the same.
        steps: of the sampler.
        guidance: the guidance scale.
        seed: any integer.
        model: its name.
        settings: everything else, as title and text, in the program's own words.
    """

    tool: str
    prompt: str | None = None
    negative_prompt: str | None = None
    steps: float | None = None
    guidance: float | None = None
    seed: int | None = None
    model: str = ""
    settings: tuple[tuple[str, str], ...] = field(default=())


def parse_a1111(text: str) -> ParsedMetadata | None:
    """Parse `parameters` of A1111's web UI and many others: prompt, `Negative prompt:`, a last line of settings."""
    *lines, last = text.strip().split("\n")
    found = _parse_line(last)
    if not any(name in found for name in ("Steps", "Seed", "CFG scale")):
        return None
    at = next((index for index, line in enumerate(lines) if line.startswith("Negative prompt:")), len(lines))
    negative = "\n".join(lines[at:]).removeprefix("Negative prompt:").removeprefix(" ")
    version = found.get("Version", "")
    return ParsedMetadata(
        tool=f"Fooocus {version.removeprefix('Fooocus ')}" if version.startswith("Fooocus") else "",
        prompt=_text("\n".join(lines[:at])),
        negative_prompt=_text(negative),
        steps=_number(found.get("Steps")),
        guidance=_number(found.get("CFG scale")),
        seed=_integer(found.get("Seed")),
        model=found.get("Model", ""),
        settings=_other_settings(found, {"Steps", "CFG scale", "Seed", "Model"}),
    )


def parse_fooocus(text: str) -> ParsedMetadata | None:
    """Parse `parameters` in Fooocus's own scheme: JSON with `guidance_scale` and `base_model`."""
    values = _json_object(text, "parameters")
    if not {"base_model", "performance", "metadata_scheme", "full_prompt"} & values.keys():
        return None
    named = {"prompt", "negative_prompt", "steps", "guidance_scale", "seed", "base_model", "version"}
    version = _text(values.get("version")) or ""
    return ParsedMetadata(
        tool=version if version.startswith("Fooocus") else f"Fooocus {version}".strip(),
        prompt=_text(values.get("prompt")),
        negative_prompt=_text(values.get("negative_prompt")),
        steps=_number(values.get("steps")),
        guidance=_number(values.get("guidance_scale")),
        seed=_integer(values.get("seed")),
        model=_text(values.get("base_model")) or "",
        settings=_other_settings(values, named),
    )


def parse_invokeai(text: str) -> ParsedMetadata | None:
    """Parse `invokeai_metadata`: JSON with `positive_prompt` and `cfg_scale`."""
    values = _json_object(text, "InvokeAI metadata")
    if not values:
        return None
    model = values.get("model")
    named = {"positive_prompt", "negative_prompt", "steps", "cfg_scale", "seed", "model", "app_version"}
    return ParsedMetadata(
        tool=f"InvokeAI {_text(values.get('app_version')) or ''}".strip(),
        prompt=_text(values.get("positive_prompt")),
        negative_prompt=_text(values.get("negative_prompt")),
        steps=_number(values.get("steps")),
        guidance=_number(values.get("cfg_scale")),
        seed=_integer(values.get("seed")),
        model=_text(model.get("name", model.get("model_name")) if isinstance(model, dict) else model) or "",
        settings=_other_settings(values, named),
    )


def parse_comfyui(prompt: str, workflow: str) -> ParsedMetadata | None:
    """Parse the settings of the first sampler in a ComfyUI graph.

    Args:
        prompt: the graph as it ran, JSON, or "".
        workflow: the graph as it was drawn, JSON, or ""; used only if there is no `prompt`.
    """
    nodes = _graph_nodes(_json_object(prompt, "ComfyUI graph")) if prompt else {}
    if not nodes and workflow:
        nodes = _workflow_nodes(_json_object(workflow, "ComfyUI workflow"))
    samplers = [node for node in nodes.values() if "sampler" in node.kind.lower() and _seed_of(node) is not None]
    if not samplers:
        return ParsedMetadata("ComfyUI") if nodes else None
    sampler = samplers[0]
    models = (node.inputs.get("ckpt_name", node.inputs.get("unet_name")) for node in nodes.values())
    return ParsedMetadata(
        tool="ComfyUI",
        prompt=_prompt_of(nodes, sampler, "positive"),
        negative_prompt=_prompt_of(nodes, sampler, "negative"),
        steps=_number(sampler.inputs.get("steps")),
        guidance=_number(sampler.inputs.get("cfg")),
        seed=_seed_of(sampler),
        model=next((name for name in models if isinstance(name, str)), ""),
        settings=_other_settings(sampler.inputs, {"steps", "cfg", "seed", "noise_seed", "positive", "negative"}),
    )


@dataclass(frozen=True)
class _Node:
    """One node of a graph. An input is a value, or a list that begins with the name of the node it comes from."""

    kind: str
    inputs: Mapping[str, Any]


def _graph_nodes(graph: Mapping[str, Any]) -> dict[str, _Node]:
    return {
        str(name): _Node(str(node["class_type"]), node["inputs"])
        for name, node in list(graph.items())[:_MAX_NODES]
        if isinstance(node, dict) and "class_type" in node and isinstance(node.get("inputs"), dict)
    }


# The names of these nodes' widgets, in the order in which a workflow lists their values.
_WIDGETS = {
    "KSampler": ("seed", "control", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("add_noise", "noise_seed", "control", "steps", "cfg", "sampler_name", "scheduler"),
    "CLIPTextEncode": ("text",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
}


def _workflow_nodes(workflow: Mapping[str, Any]) -> dict[str, _Node]:
    links, nodes = workflow.get("links"), workflow.get("nodes")
    source_of_link = {
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
            if isinstance(entry, dict) and str(entry.get("link")) in source_of_link:
                given[str(entry.get("name"))] = [source_of_link[str(entry["link"])], 0]
        found[str(node.get("id"))] = _Node(kind, given)
    return found


def _seed_of(node: _Node) -> int | None:
    seed = _integer(node.inputs.get("seed"))
    return _integer(node.inputs.get("noise_seed")) if seed is None else seed


def _prompt_of(nodes: Mapping[str, _Node], sampler: _Node, side: str) -> str | None:
    """Return the text that a sampler's positive or negative input leads to, through other nodes."""
    value = sampler.inputs.get(side)
    for _ in range(_MAX_HOPS):
        if not isinstance(value, list) or not value or str(value[0]) not in nodes:
            return None
        inputs = nodes[str(value[0])].inputs
        for name in ("text", "text_g", "value", "string", side, "conditioning", "prompt"):
            if isinstance(inputs.get(name), str):
                return _text(inputs[name])
            if isinstance(inputs.get(name), list):
                value = inputs[name]
                break
        else:
            return None
    return None


# A name, a colon, and a value that may be quoted. The name's length is bounded, or a line without a colon would
# cost its length squared.
_PAIR = re.compile(r'\s*([A-Za-z][\w /-]{0,60}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')


def _parse_line(line: str) -> dict[str, str]:
    found = {name: value.strip() for name, value in _PAIR.findall(line[:_MAX_TEXT_CHARS])}
    return {
        name: value[1:-1] if value[:1] == value[-1:] == '"' and len(value) > 1 else value
        for name, value in found.items()
    }


def _json_object(text: str, what: str) -> dict[str, Any]:
    try:
        values = parse_json(text, what, strict=False)
    except ValueError:  # no JSON: another program's text under the same keyword
        return {}
    return values if isinstance(values, dict) else {}


def _other_settings(values: Mapping[str, Any], named: set[str]) -> tuple[tuple[str, str], ...]:
    """Return the plain values that are not in `named`, as title and text."""
    found = [
        (
            printable(str(name)[:60]).replace("_", " "),
            f"{value:g}" if isinstance(value, float) else printable(str(value)[:300]),
        )
        for name, value in values.items()
        if name not in named and isinstance(value, str | int | float) and value != ""
    ]
    return tuple(found[:_MAX_SETTINGS])


def _text(value: Any) -> str | None:
    return printable(value[:_MAX_TEXT_CHARS]) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if isinstance(value, str) and len(value) <= MAX_NUMBER_CHARS and re.fullmatch(r"-?\d+(\.\d*)?", value.strip()):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and len(value) <= MAX_NUMBER_CHARS and re.fullmatch(r"-?\d+", value.strip(), re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
