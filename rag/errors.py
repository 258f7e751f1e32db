"""Every error that On Record raises on purpose.

    RagError                     catch this one to catch them all
    ├── SettingsError            a setting or an argument has a value that cannot be used
    ├── CorpusError              the corpus folder is missing or cannot be read
    │   └── UnreadableFile       one file cannot become an article; `sync` skips it and says why
    ├── FetchError               an address cannot be fetched; `add` goes on with the others and says why
    ├── ArchiveIndexError        the index cannot be opened or does not fit the settings
    │   ├── IndexLocked          another process is writing to it
    │   ├── IndexMismatch        it was built with another model or other versions of cleaning or splitting
    │   └── VectorsUnavailable   the Chroma server that holds its vectors does not answer
    ├── BackupError              a backup cannot be taken, or one cannot be restored
    ├── EmbedderError            the embedding model cannot be loaded
    ├── RerankerError            the cross-encoder cannot be loaded
    ├── CitationError            a quotation is not an exact span of its article
    └── LLMError                 the language model cannot be reached or is not configured

A message says what was found, what was expected and what to do next. The terminal and the chat show that one line;
a traceback only appears with `--debug`.
"""


class RagError(Exception):
    """Base of all errors of this package."""


class SettingsError(RagError, ValueError):
    """A setting or an argument has a value that cannot be used."""


class CorpusError(RagError):
    """The corpus folder is missing or cannot be read."""


class UnreadableFile(CorpusError):
    """One file cannot become an article; its message is the reason that the sync report gives."""


class FetchError(RagError):
    """An address cannot or may not be fetched; its message is the reason that the report gives."""


class ArchiveIndexError(RagError):
    """The index cannot be opened or does not fit the settings."""


class IndexLocked(ArchiveIndexError):
    """Another process is writing to the index."""


class IndexMismatch(ArchiveIndexError):
    """The index was built with another model, or with other versions of cleaning or splitting."""


class BackupError(RagError):
    """A backup cannot be taken, or one cannot be restored."""


class VectorsUnavailable(ArchiveIndexError):
    """The vectors are on a Chroma server that does not answer; questions are answered without it."""


class EmbedderError(RagError):
    """The embedding model cannot be loaded."""


class RerankerError(RagError):
    """The cross-encoder cannot be loaded."""


class CitationError(RagError, ValueError):
    """A quotation is not an exact span of its article."""


class LLMError(RagError):
    """The language model cannot be reached or is not configured."""
