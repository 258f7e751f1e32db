"""The bundled model, and any other by its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag.embed import BUNDLED, BundledE5, load
from rag.errors import EmbedderError


@pytest.fixture(scope="module")
def bundled() -> BundledE5:
    embedder = load(BUNDLED)
    assert isinstance(embedder, BundledE5)
    return embedder


def test_rows_have_unit_length_and_the_model_s_dimension(bundled: BundledE5) -> None:
    vectors = bundled.embed_passages(["A first text.", "Ein zweiter Text.", "Een derde tekst."])
    assert vectors.shape == (3, bundled.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_queries_and_passages_are_embedded_apart(bundled: BundledE5) -> None:
    assert not np.allclose(bundled.embed_queries(["licences"]), bundled.embed_passages(["licences"]), atol=1e-3)


def test_nothing_in_gives_nothing_out(bundled: BundledE5) -> None:
    assert bundled.embed_passages([]).shape == (0, bundled.dim)


def test_a_question_is_nearest_to_its_answer_in_another_language(bundled: BundledE5) -> None:
    passages = bundled.embed_passages(
        [
            "Das Wetter bleibt am Wochenende regnerisch und kühl.",
            "Der Musikchef verlangt, dass KI-Firmen vor dem Training eine Lizenz erwerben.",
            "Die Mannschaft verlor das Endspiel nach Verlängerung.",
        ]
    )
    (query,) = bundled.embed_queries(["What does the music executive say about licences for AI?"])
    assert int(np.argmax(passages @ query)) == 1


def test_a_nul_does_not_end_the_text(bundled: BundledE5) -> None:
    whole, cut = bundled.embed_passages(["first\0second half of the text", "first"])
    assert whole @ cut < 0.99


def test_a_model_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="ON_RECORD_EMBED_MODEL"):
        load(str(tmp_path / "missing"))
