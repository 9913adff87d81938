"""Coverage-guided fuzzing of the readers with atheris, which is no dependency of the tests.

::

    pip install atheris
    PYTHONPATH=.:tests python -m fuzz.coverage_guided READER CORPUS -max_total_time=60

READER is one of :data:`fuzz.readers.READERS`; what was found for it lies in corpus.zip. New inputs
are kept in the folder CORPUS; one that ends in anything but an error of biasaudit stops the fuzzer
and is written to the current folder.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["biasaudit"]):
    from biasaudit.errors import BiasAuditError
    from fuzz.readers import READERS

PLACE = Path(tempfile.mkdtemp())


def main() -> None:
    """Fuzz one reader until libFuzzer's options say to stop."""
    name, read = READERS[sys.argv.pop(1)]
    file = PLACE / name

    def once(content: bytes) -> None:
        file.write_bytes(content)
        try:
            read(file)
        except BiasAuditError as error:
            if "\n" in str(error):
                raise

    warnings.simplefilter("ignore")
    logging.disable()
    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
