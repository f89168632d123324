"""What a card is labelled with."""

from headshot.comparison.axes import expand_axis
from headshot.comparison.labels import label
from headshot.request import HeadshotRequest


def test_a_card_is_labelled_with_what_differs() -> None:
    request = HeadshotRequest(seed=3)
    scales = expand_axis(request, "guidance_scale", [1, 7.5])
    assert [label(each, scales) for each in scales] == ["Guidance 1", "Guidance 7.5"]
    step_counts = expand_axis(request, "num_inference_steps", [21, 41])
    assert [label(each, step_counts) for each in step_counts] == ["21 steps", "41 steps"]
    assert label(request, [request]) == "Seed 3"
    assert label(scales[0], [*scales, HeadshotRequest(seed=4)]) == "Seed 3 · guidance 1"
    assert label(request, [request, HeadshotRequest(seed=3, prompt="another")]) == "Seed 3"
