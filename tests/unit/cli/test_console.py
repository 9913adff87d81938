import json

import pytest
from rich.table import Table

from biasaudit.cli import main
from biasaudit.cli.console import err, json_line, print_table


def test_where_no_terminal_limits_it_a_table_keeps_every_name_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"gain_ext-with-a-long-name-{place:02}" for place in range(20)]
    table = Table("", *names, box=None)
    table.add_row("[bold]not markup[/bold]", *names)
    print_table(table)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == names
    assert row.split() == ["[bold]not", "markup[/bold]", *names]


def test_a_name_with_colons_is_no_emoji(capsys):
    err.print("error: --model own:x: no such model", markup=False)
    assert "own:x:" in capsys.readouterr().err


def test_a_name_cannot_steer_the_terminal(capsys):
    name = "\x1b]0;title\x07\x1b[2Ja\nb\r\x9b31m\u202egnp.\udcff"
    err.print(f"note: {name}", markup=False, soft_wrap=True)
    table = Table("image", box=None)
    table.add_row(name)
    print_table(table)
    printed = "".join(capsys.readouterr())
    assert not set(printed) & set("\x1b\x07\r\x9b\u202e\udcff")
    assert "\\x1b]0;title" in printed  # rich drops the bell itself
    assert "\\x9b31m\\u202egnp.\\udcff" in printed


def test_an_error_is_one_line_whatever_it_names(capsys):
    with pytest.raises(SystemExit) as end:
        main(["evaluate", "--run", "no\n\x1b[31msuch\x07"])
    assert end.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "no\\x0a\\x1b[31msuch\\x07" in printed


def test_json_says_the_same_and_steers_nothing():
    text = json.dumps({"a\x9b": "\u202e\x85é\udcff"}, ensure_ascii=False, indent=2)
    shown = json_line(text)
    assert json.loads(shown) == json.loads(text)
    assert not set(shown) & set("\x9b\u202e\x85\udcff")
