"""The command line: help, completion, wrong arguments, and what it imports."""

import inspect
import re
import subprocess
import sys

import pytest

from pipeline.commands import app
from service.commands import COMMANDS
from tests.support.command import done
from tests.support.invoked import invoke
from tests.support.process import COMMAND, ENVIRONMENT

# What only argparse would say.
FOREIGN = re.compile(r"invalid|unrecognized|expected|argument -|the following|choose from|usage:", re.IGNORECASE)


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-h` and `--help` show what a command does and takes, as wide as the terminal, on stdout."""
    shown = {}
    for width in (60, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        result = invoke([*name.split(), "--help"])
        done(result)
        assert result.stderr == ""
        assert result.stdout.startswith(f"Usage: usage {name} ")
        shown[width] = result.stdout
        prose = result.stdout.split("\n\n", 1)[1]
        assert max(len(line) for line in prose.splitlines() if not line.startswith("  ")) <= width
    assert invoke([*name.split(), "-h"]).stdout == shown[200]


@pytest.mark.parametrize("name", COMMANDS)
def test_options(name: str) -> None:
    """The options of a command are those that it takes, and each says what it is for in a sentence."""
    parser, module = app.parser_of(COMMANDS, name)
    actions = [action for action in parser._actions if action.dest != "help"]  # noqa: SLF001 - no other list of them
    taken = inspect.signature(module.command).parameters.keys() - {"commands"}
    assert {action.dest for action in actions} == taken
    assert all(action.help and action.help.endswith(".") for action in actions)


def test_overview() -> None:
    """`usage --help` lists every command in its group, with a summary that fits the table of 60 columns."""
    result = invoke(["--help"])
    done(result)
    listed = re.findall(r"(?m)^  ([a-z-]+(?: [a-z]+)?)  +(\S.*)$", result.stdout.split("Options")[0])
    assert dict(listed) == {name: command.summary for name, command in COMMANDS.items()}
    assert max(map(len, result.stdout.splitlines())) <= 60
    headings = [line for line in result.stdout.splitlines() if re.fullmatch(r"[A-Z][a-z]+", line)]
    assert headings == [*app.GROUPS, "Options"]
    for arguments in ([], ["keys"]):  # what was meant is unknown: the same on stderr, and exit 2
        result = invoke(arguments)
        done(result, 2)
        assert result.stdout == ""
        assert "keys create  Create an API key and print it\n" in result.stderr
    assert "Usage: usage keys " in invoke(["keys", "--help"]).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "there is no command 'rum'. Did you mean 'run'? `usage --help` lists all commands."),
        (["--verison"], "there is no option '--verison'. `usage --help` lists all commands."),
        (
            ["keys", "revok"],
            "there is no command 'revok'. Did you mean 'revoke'? `usage keys --help` lists all commands.",
        ),
        (["run", "--strikt"], "there is no option '--strikt'. Did you mean '--strict'?"),
        (["run", "--workers", "many"], "--workers must be a whole number, at least 0, not 'many'."),
        (["run", "--workers", "-1"], "--workers must be a whole number, at least 0, not '-1'."),
        (["run", "--workers", "9" * 5000], "--workers must be a whole number, at least 0, not '9"),
        (["run", "--workers"], "--workers needs a value."),
        (["run", "--strict=yes"], "--strict takes no value, not 'yes'."),
        (["retention"], "missing: --keep."),
        (["tz-diff", "installed"], "missing: NEW."),
        (["keys", "revoke", "a", "b"], "one argument too many: 'b'."),
        (
            ["sql", "--format", "xlsx", "select 1"],
            "--format must be table, csv, json, ndjson, parquet or md, not 'xlsx'.",
        ),
        (["serve", "--port", "70000"], "--port must be a whole number, from 0 to 65535, not '70000'."),
        (["completion", "tcsh"], "bash|zsh|fish must be bash, zsh or fish, not 'tcsh'."),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str) -> None:
    """Wrong arguments exit 2 with one line on stderr, in the words of this project, which points to the help."""
    result = invoke(arguments)
    done(result, 2)
    assert result.stdout == ""
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1
    assert "--help`" in result.stderr
    assert not FOREIGN.search(result.stderr)


def test_arguments_in_any_order() -> None:
    """Options may stand between arguments, and what follows `--` is no option."""
    parser, _ = app.parser_of(COMMANDS, "run")
    found = parser.parse(["a.jsonl", "--strict", "b.jsonl", "--workspace", "x", "--workspace=y", "--", "--c"])
    assert (list(map(str, found["paths"])), found["strict"]) == (["a.jsonl", "b.jsonl", "--c"], True)
    assert found["workspaces"] == ["x", "y"]
    assert parser.parse([])["workspaces"] == []
    statement, _ = app.parser_of(COMMANDS, "sql")
    assert statement.parse(["-- the newest\nselect 1", "--format", "csv"])["statement"] == "-- the newest\nselect 1"


def test_nothing_is_imported_for_others() -> None:
    """Neither the overview nor the version imports what commands need, nor a command what only others need."""
    modules = (
        "import sys; from service.commands import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    for arguments, unwanted in (
        (["--help"], {"msgspec", "rich", "duckdb", "pyarrow", "numpy", "pathlib", "inspect"}),
        (["keys", "list", "--data-dir", "gone"], {"rich.console", "duckdb", "litestar", "httpx"}),
        (["serve", "--port", "x"], {"duckdb", "pyarrow", "granian", "litestar"}),
    ):
        command = [sys.executable, "-c", modules, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert not unwanted & set(ended.stderr.splitlines()[-1].split()), arguments


COMPLETED = r"""
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
$(complete -p usage | sed 's/.*-F \([^ ]*\).*/\1/')
printf '%s\n' "${COMPREPLY[@]}"
"""


def test_completion(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The script of bash completes commands, those of a family, and options; there are scripts of zsh and fish too."""
    folder = tmp_path_factory.mktemp("completion")
    script = invoke(["completion", "bash"])
    done(script)
    (folder / "usage.bash").write_text(script.stdout)

    def completed(*words: str) -> set[str]:
        command = ["bash", "-c", COMPLETED, "bash", str(folder / "usage.bash"), "usage", *words]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        assert ended.stderr == ""
        return set(ended.stdout.split())

    assert completed("re") == {"report", "retention"}
    assert completed("keys", "") >= {"create", "list", "revoke"}
    assert completed("retention", "--a") == {"--apply"}
    assert completed("sql", "--format", "p") == {"parquet"}
    assert {"--version", "--help"} <= completed("--")
    for shell, start in (("zsh", "#compdef usage\n"), ("fish", "")):
        text = invoke(["completion", shell]).stdout
        assert text.startswith(start)
        assert all(summary in text for summary in ("Query the tables in SQL", "Serve the API and the Usage page"))


def test_a_closed_pipe_ends_the_help() -> None:
    """If nobody reads the help, the command ends as others do: without a traceback."""
    process = subprocess.Popen(
        [*COMMAND, "run", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate()
    assert (process.returncode, said) == (141, b"")
