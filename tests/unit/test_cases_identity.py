"""What an audit records of itself: weights, dataset, day, program."""

import re

from biasaudit import __version__, api
from biasaudit.models.digest import weights_digest


def test_an_audit_tells_itself_from_another(monkeypatch, tmp_path):
    data = api.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    run = api.train(data, epochs=1)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    found = api.audit(run, data).run
    assert (found.audited_on, found.data) == ("1970-01-02", "harbour")
    assert found.audited_by == f"biasaudit {__version__}"
    assert found.weights_sha256 == weights_digest(run.model)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    saved = api.audit(run.save(tmp_path / "run"), data).run
    assert saved.weights_sha256 == found.weights_sha256
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", saved.audited_on)
