"""A large first sync against a plain loop of sentence-transformers over the same texts.

    python benchmarks/bulk.py [--articles 300]

The articles are recombined from real sentences, with other names and numbers in them (see resampled.py). The sync
reads, cleans, splits, embeds and indexes them; its time counts everything from the files to the ready index, the start
of the process that embeds included. The loop is `model.encode(texts, batch_size=32)` over the very texts that were
embedded, passages and sentences, each once, with the same weights in float32; loading them is not counted. Vectors of
both are compared with those of the engine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # for torch in this process, as in the other

from resampled import pool, write_articles  # noqa: E402

from rag import Assistant  # noqa: E402
from rag.bulk import BulkEmbedder  # noqa: E402
from rag.embed import BundledE5  # noqa: E402
from rag.vectors import draft  # noqa: E402

COMPARED = 200  # texts


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--articles", type=int, default=300, metavar="N", help="how many (default: 300)")
    count = arguments.parse_args().articles
    with tempfile.TemporaryDirectory() as folder:
        write_articles(Path(folder) / "corpus", count, pool())
        with Assistant(corpus=Path(folder) / "corpus", index=Path(folder) / "index") as assistant:
            begun = time.perf_counter()
            report = assistant.sync(progress=sys.stderr.isatty())
            ours = time.perf_counter() - begun
            articles, passages = assistant.size()
            drafts = [draft(article) for article in assistant.articles()]
    texts = sorted({text for each in drafts for embedded in each.texts for text in embedded})
    print(f"{report.added} articles, {articles} kept, {passages} passages, {len(texts)} texts that differ")

    engine = BundledE5()
    sample = texts[:: max(1, len(texts) // COMPARED)]
    exact = engine.embed_passages(sample)
    with BulkEmbedder(engine) as bulk:
        alike = (bulk.embed(sample) * exact).sum(1)
        told = bulk.told

    from rag.unpacked import PREFIX, sentence_transformer

    model: Any = sentence_transformer()
    prefixed = [PREFIX + text for text in texts]
    tokens = sum(len(model[0].ids(text)) + 2 for text in prefixed)
    begun = time.perf_counter()
    model.encode(prefixed, batch_size=32, normalize_embeddings=True)
    plain = time.perf_counter() - begun
    found = model.encode([PREFIX + text for text in sample], batch_size=32, normalize_embeddings=True)

    for name, seconds in (("files to ready index", ours), ("plain float32 loop", plain)):
        print(f"{name:22} {seconds:7.1f} s  {tokens / seconds:7,.0f} tokens/s  {passages / seconds:6.1f} passages/s")
    print(f"ratio {plain / ours:.2f} ({told})")
    for name, cosines in (("other process", alike), ("plain float32 loop", (np.asarray(found) * exact).sum(1))):
        print(f"cosine with the engine, {name}: least {cosines.min():.5f}, mean {cosines.mean():.5f}")


if __name__ == "__main__":
    main()
