from rich.table import Table

from biasaudit.cli.console import err, print_table


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
