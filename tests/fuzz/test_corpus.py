"""Inputs that coverage-guided fuzzing found worth keeping: each is read, or refused in one line."""

import warnings
import zipfile
from pathlib import Path

import pytest

from biasaudit.errors import BiasAuditError
from fuzz.readers import READERS


@pytest.mark.parametrize("name", READERS)
def test_kept_inputs(tmp_path, name):
    called, read = READERS[name]
    file = tmp_path / called
    refused = []
    with zipfile.ZipFile(Path(__file__).with_name("corpus.zip")) as corpus:
        members = [member for member in corpus.namelist() if member.startswith(f"{name}/")]
        for member in members:
            file.write_bytes(corpus.read(member))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    read(file)
                except BiasAuditError as error:
                    refused.append(str(error))
    assert members
    assert not [line for line in refused if "\n" in line]
