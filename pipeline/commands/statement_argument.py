"""How `usage sql` takes SQL that begins with a comment, such as `-- top workspaces`, which looks like an option."""

from typing import Any

from typer.core import TyperCommand

_END_OF_OPTIONS = "--"


class StatementCommand(TyperCommand):
    """A command whose argument may begin with `--`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with the statement behind all options."""
        takes_value = {
            name: not getattr(parameter, "is_flag", False)
            for parameter in self.get_params(ctx)
            for name in parameter.opts
        }
        options: list[str] = []
        statements: list[str] = []
        left = list(args)
        while left and left[0] != _END_OF_OPTIONS:
            argument = left.pop(0)
            name, has_value, _ = argument.partition("=")
            if _is_comment(argument) and name not in takes_value:
                statements.append(argument)
                continue
            options.append(argument)
            if takes_value.get(name) and not has_value and left:
                options.append(left.pop(0))
        return super().parse_args(ctx, [*options, _END_OF_OPTIONS, *statements, *left[1:]])


def _is_comment(argument: str) -> bool:
    """Return whether an argument is SQL rather than a mistyped option: names of options have no white space."""
    return argument.startswith("--") and any(character.isspace() for character in argument)
