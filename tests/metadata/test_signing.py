"""A picture's Content Credentials: made with any fitting certificate, and worth what they say."""

import io
import json
import subprocess
import sys
from pathlib import Path

import c2pa
import numpy as np
import pytest
from paths import ROOT
from PIL import Image

from headshot.errors import PhotoError, SettingsError
from headshot.metadata import Source, convert, credentials, embed_metadata, stripped_copy
from headshot.metadata.certificate import Certificate, create_certificate
from headshot.metadata.container import Kind
from headshot.metadata.credentials import check_credentials
from headshot.metadata.signing import C2paSigner
from headshot.request import Headshot, HeadshotRequest

KINDS: list[Kind] = ["png", "jpeg", "webp"]
MEDIA = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> C2paSigner:
    return C2paSigner.self_signed(tmp_path_factory.mktemp("seal"))


def picture(backend: str = "studio") -> bytes:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (80, 64, 3), dtype=np.uint8))
    data = io.BytesIO()
    image.save(data, "PNG")
    return embed_metadata(Headshot(image, data.getvalue(), HeadshotRequest(seed=3), backend, 0.5)).png


def manifest(data: bytes, kind: Kind) -> dict[str, object]:
    """By the library's own reader, as anybody else would read it."""
    with c2pa.Reader(MEDIA[kind], io.BytesIO(data)) as reader:
        store = json.loads(reader.json())
    active: dict[str, object] = store["manifests"][store["active_manifest"]]
    return active


@pytest.mark.parametrize("kind", KINDS)
def test_another_reader_finds_the_tool_and_the_action(seal: C2paSigner, kind: Kind) -> None:
    report = manifest(seal.sign(convert(picture(), kind), kind), kind)
    assert report["claim_generator_info"][0]["name"] == "Headshot Playground"  # type: ignore[index]
    [actions] = [assertion for assertion in report["assertions"] if "actions" in assertion["label"]]  # type: ignore[attr-defined]
    assert actions["data"]["actions"] == [{"action": "c2pa.created", "digitalSourceType": str(Source.COMPOSITE)}]


@pytest.mark.parametrize("kind", KINDS)
def test_the_statement_holds_no_picture_and_no_time(seal: C2paSigner, kind: Kind) -> None:
    report = manifest(seal.sign(convert(picture(), kind), kind), kind)
    assert "thumbnail" not in json.dumps(report)
    assert "time" not in report["signature_info"]  # type: ignore[operator]
    assert "when" not in json.dumps(report)


@pytest.mark.parametrize("kind", KINDS)
def test_the_recipe_and_the_pixels_stay_as_they_were(seal: C2paSigner, kind: Kind) -> None:
    before = convert(picture(), kind)
    after = seal.sign(before, kind)
    with Image.open(io.BytesIO(before)) as one, Image.open(io.BytesIO(after)) as two:
        assert one.tobytes() == two.tobytes()
        assert one.getexif() == two.getexif()
        assert one.info.get("parameters") == two.info.get("parameters")


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_pictures_are_known_and_their_changes_seen(seal: C2paSigner, kind: Kind) -> None:
    signed = seal.sign(convert(picture(), kind), kind)
    assert check_credentials(signed, kind, seal.chain).state == "ours"
    changed = bytearray(signed)
    changed[200 if kind == "webp" else -40] ^= 1  # among the pixels; a WebP's statement stands behind them
    assert check_credentials(bytes(changed), kind, seal.chain).state == "changed"


def test_another_server_s_picture_is_a_stranger_s(seal: C2paSigner, tmp_path: Path) -> None:
    signed = C2paSigner.self_signed(tmp_path).sign(picture(), "png")
    found = check_credentials(signed, "png", seal.chain)
    assert found.state == "stranger" and "does not know" in found.sentence
    assert check_credentials(signed, "png").state == "stranger"


def test_a_forged_statement_does_not_hold(seal: C2paSigner) -> None:
    signed = seal.sign(picture(), "png")
    assert signed.count(b"c2pa.created") == 1
    forged = signed.replace(b"c2pa.created", b"c2pa.cropped")
    assert check_credentials(forged, "png", seal.chain).state in ("changed", "broken")
    start = signed.index(b"caBX")
    torn = signed[: start + 60] + bytes(400) + signed[start + 460 :]
    assert check_credentials(torn, "png", seal.chain).state == "broken"


@pytest.mark.parametrize("sealed_parent", [True, False])
def test_a_picture_made_from_another_names_it_by_its_hash(seal: C2paSigner, sealed_parent: bool) -> None:
    parent = seal.sign(picture(), "png") if sealed_parent else picture()
    signed = seal.sign(stripped_copy(parent, "jpeg"), "jpeg", parent=parent)
    assert check_credentials(signed, "jpeg", seal.chain).state == "ours"
    report = manifest(signed, "jpeg")
    assert [one["relationship"] for one in report["ingredients"]] == ["parentOf"]  # type: ignore[attr-defined]
    assert "c2pa.edited" in json.dumps(report["assertions"])
    assert "thumbnail" not in json.dumps(report)


def test_a_generated_picture_is_signed_as_one(seal: C2paSigner) -> None:
    found = check_credentials(seal.sign(picture("modelslab"), "png"), "png", seal.chain)
    assert found.source == Source.GENERATED and found.tool.startswith("Headshot Playground ")


def test_the_certificate_is_made_once_and_for_the_server_alone(tmp_path: Path) -> None:
    first = C2paSigner.self_signed(tmp_path / "new")
    [file] = (tmp_path / "new").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert C2paSigner.self_signed(tmp_path / "new").chain == first.chain


def test_an_own_certificate_signs_too(tmp_path: Path) -> None:
    certificate = create_certificate()
    (tmp_path / "chain.pem").write_bytes(certificate.chain)
    (tmp_path / "key.pem").write_bytes(certificate.key)
    seal = C2paSigner.of_files(tmp_path / "chain.pem", tmp_path / "key.pem")
    assert check_credentials(seal.sign(picture(), "png"), "png", seal.chain).state == "ours"


def test_a_certificate_that_cannot_sign_is_refused_with_the_reason(tmp_path: Path) -> None:
    one, other = create_certificate(), create_certificate()
    leaf = one.chain[: one.chain.index(b"-----END CERTIFICATE-----") + 26]
    for certificate, reason in [
        (Certificate(one.chain, other.key), "does not belong"),
        (Certificate(b"no PEM", one.key), "chain is not in PEM"),
        (Certificate(one.chain, b"no PEM"), "key is not in PEM"),
        (Certificate(leaf, one.key), "lacks its issuer"),
        (Certificate(leaf + other.chain, one.key), "does not fit"),
    ]:
        with pytest.raises(SettingsError, match=reason):
            C2paSigner(certificate)
    with pytest.raises(SettingsError, match=r"“chain\.pem” cannot be read"):
        C2paSigner.of_files(tmp_path / "chain.pem", tmp_path / "key.pem")


def test_a_damaged_certificate_file_is_said_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "seal.pem").write_bytes(b"-----BEGIN")
    with pytest.raises(SettingsError, match="not in PEM"):
        C2paSigner.self_signed(tmp_path)
    assert (tmp_path / "seal.pem").read_bytes() == b"-----BEGIN"


def test_a_folder_that_cannot_keep_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match="cannot be kept"):
        C2paSigner.self_signed(tmp_path / "file")


def test_what_is_no_such_picture_is_not_signed(seal: C2paSigner) -> None:
    with pytest.raises(PhotoError, match="it is a png file"):
        seal.sign(picture(), "jpeg")
    with pytest.raises(PhotoError, match="Only PNG"):
        seal.sign(b"text", "png")
    with pytest.raises(PhotoError, match="no picture file"):
        seal.sign(picture(), "png", parent=b"text")


@pytest.mark.parametrize(
    "does", ["import os; os.abort()", "raise SystemExit(3)", "print('no JSON')", "while True: pass"]
)
def test_a_reader_that_dies_or_hangs_costs_no_more_than_its_verdict(
    seal: C2paSigner, does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "verify.py").write_text(does)
    monkeypatch.setattr(credentials, "_VERIFY", tmp_path / "verify.py")
    monkeypatch.setattr(credentials, "_SECONDS", 1)
    assert check_credentials(seal.sign(picture(), "png"), "png", seal.chain).state == "broken"


def test_nobody_who_does_not_sign_pays_for_it() -> None:
    loaded = "[name for name in ('c2pa', 'cryptography') if name in sys.modules]"
    script = f"import sys, headshot.metadata, headshot.metadata.signing; print({loaded})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
