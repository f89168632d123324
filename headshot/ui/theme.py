"""The page's looks: neutral greys, so that the pictures have the colour, and one accent."""

from pathlib import Path

import gradio as gr

from headshot.comparison.presets import PRESETS

# In this order: later rules win.
STYLESHEETS = [
    Path(__file__).parent / f"{name}.css"
    for name in (
        *("page", "headshots/form", "headshots/results", "responsive", "headshots/matrix", "voting/voting"),
        *("headshots/account", "history/history_top", "history/history", "team/team", "check/check"),
        *("headshots/viewer", "headshots/card", "headshots/viewer_shell", "headshots/details"),
        *("headshots/compare_view", "headshots/selection", "headshots/fullscreen"),
    )
]

_PINE = gr.themes.Color(
    name="pine",
    c50="#eef6f4",
    c100="#d6eae6",
    c200="#aed5ce",
    c300="#7fbab1",
    c400="#4d9a90",
    c500="#1f7a70",
    c600="#146459",
    c700="#105048",
    c800="#0e403a",
    c900="#0c332f",
    c950="#061f1c",
)
# The visitor's own system fonts: a font file from elsewhere would tell its server who visits this page.
_SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """The colours, fonts and sizes of Gradio's components."""
    return gr.themes.Base(
        primary_hue=_PINE,
        secondary_hue=_PINE,
        neutral_hue="stone",
        radius_size="lg",
        spacing_size="md",
        text_size="md",
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="#f7f6f4",
        body_background_fill_dark="#141413",
        body_text_color="#23211f",
        body_text_color_dark="#ecebe8",
        body_text_color_subdued="#6b6763",
        body_text_color_subdued_dark="#a29e98",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#1d1d1b",
        background_fill_secondary="#f1efec",
        background_fill_secondary_dark="#262523",
        border_color_primary="#e4e1dc",
        border_color_primary_dark="#34322f",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="600",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_info_text_color="*body_text_color_subdued",
        block_info_text_color_dark="*body_text_color_subdued",
        input_background_fill="#ffffff",
        input_background_fill_dark="#1d1d1b",
        input_border_color="#d8d4ce",
        input_border_color_dark="#3d3b37",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        input_border_width="1px",
        input_shadow="none",
        input_shadow_focus="0 0 0 3px color-mix(in srgb, *primary_500 18%, transparent)",
        input_shadow_focus_dark="0 0 0 3px color-mix(in srgb, *primary_400 25%, transparent)",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="#1d1d1b",
        button_secondary_background_fill_hover="#f1efec",
        button_secondary_background_fill_hover_dark="#262523",
        button_secondary_text_color="*body_text_color",
        button_secondary_text_color_dark="*body_text_color",
        button_secondary_border_color="#d8d4ce",
        button_secondary_border_color_dark="#3d3b37",
        button_border_width="1px",
        button_primary_border_color="transparent",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        color_accent="*primary_600",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*primary_900",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )


def swatches() -> str:
    """CSS that shows the backdrop of each look on its chip."""
    return "\n".join(
        f"#presets label:nth-of-type({number}) {{ --swatch: linear-gradient(135deg, {light}, {dark}); }}"
        for number, (light, dark) in enumerate((preset.swatch for preset in PRESETS), start=1)
    )
