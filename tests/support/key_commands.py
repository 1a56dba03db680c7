"""`usage keys` on a folder whose workspace has one active and one removed member."""

from pathlib import Path

from pipeline import keys
from pipeline.contract.directory import MEMBERS, Member
from tests.support.invoked import Result, invoke

WORKSPACE = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
MEMBER = "11111111-1111-4111-8111-111111111111"
REMOVED = "22222222-2222-4222-8222-222222222222"
STRANGER = "33333333-3333-4333-8333-333333333333"


def write_members(data_dir: Path) -> None:
    """Write the members of the workspace."""
    keys.write_rows(
        data_dir / "directory" / MEMBERS,
        [
            Member(WORKSPACE.upper(), MEMBER.upper(), "Ada", "viewer", "removed"),
            Member(WORKSPACE, MEMBER, "Ada", "admin", "active"),
            Member(WORKSPACE, REMOVED, "Bob", "editor", "active"),
            Member(WORKSPACE, REMOVED, "Bob", "editor", "removed"),
        ],
    )


def usage(data_dir: Path, *arguments: str) -> Result:
    """Run a `usage keys` command."""
    return invoke(["keys", *arguments, "--data-dir", str(data_dir)])


def create(data_dir: Path, user: str = MEMBER, *more: str) -> Result:
    """Run `usage keys create` for a user of the workspace."""
    return usage(data_dir, "create", "--workspace", WORKSPACE, "--user", user, *more)


def local_file(data_dir: Path) -> Path:
    """Return the path of the file of local keys."""
    return data_dir / "directory" / "api_keys.local.jsonl"
