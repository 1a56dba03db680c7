"""deploy/ against the code: commands parse; settings, ports, paths and exit codes exist; health checks work."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from pipeline.commands.exit_codes import BUSY
from pipeline.contract.settings import SETTINGS
from service.api.routes import OPEN_ROUTES
from service.serving import supervisor
from tests.support.command import parse
from tests.support.data_folder import DataFolder
from tests.support.process import BIN, running
from tests.support.project import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = [
    (path.name, part)
    for path in sorted(DEPLOY.glob("kubernetes/*.yaml"))
    for part in yaml.safe_load_all(path.read_text("utf-8"))
]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
DOCKERFILE = [
    (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
    for line in re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text("utf-8")).splitlines()
    if line and not line.startswith("#")
]
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
PORT = next(setting.default for setting in SETTINGS if setting.name == "port")
PROGRAM = "/opt/usage/bin/usage"


def the(kind: str) -> Any:
    """Return the only object of a kind."""
    (part,) = (part for _, part in KUBERNETES if part["kind"] == kind)
    return part


POD_SPECS = [
    the("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"],
    the("Deployment")["spec"]["template"]["spec"],
]


def instructions(name: str) -> list[str]:
    """Return the arguments of each instruction of that name in the Dockerfile."""
    return [rest for instruction, rest in DOCKERFILE if instruction == name]


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Yield the arguments of `usage` wherever a file starts it, with the name of the file."""
    yield "Dockerfile", json.loads(instructions("CMD")[0])
    for spec in POD_SPECS:
        yield "kubernetes", spec["containers"][0]["args"]
    for service in COMPOSE["services"].values():
        yield "compose.yaml", service["command"]
    for path in (*UNITS, DEPLOY / "crontab"):
        for found in re.findall(rf"(?m){PROGRAM} ([^>|\n]+?)(?: 2?>.*)?$", path.read_text("utf-8")):
            yield path.name, shlex.split(found)


@pytest.mark.parametrize(("file", "arguments"), [*command_lines()])
def test_commands(file: str, arguments: list[str]) -> None:
    """Each file starts an existing command with existing options."""
    parse(arguments)
    assert all(isinstance(argument, str) for argument in arguments), file


def test_what_is_started() -> None:
    """Every way to deploy starts both the runs and the service."""
    started = {(file, arguments[0]) for file, arguments in command_lines()}
    assert started == {
        ("Dockerfile", "serve"),
        *((file, command) for file in ("kubernetes", "compose.yaml") for command in ("run", "serve")),
        ("usage-run.service", "run"),
        ("usage-serve.service", "serve"),
        ("crontab", "run"),
        ("crontab", "status"),
        ("crontab", "check"),
    }
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["usage"]


def test_settings() -> None:
    """The files set only settings that exist."""
    text = "".join(path.read_text("utf-8") for path in DEPLOY.rglob("*") if path.is_file())
    assert set(re.findall(r"USAGE_[A-Z_]+", text)) <= {setting.variable for setting in SETTINGS}


def test_folders() -> None:
    """Every way to deploy makes `raw/`, without which a run exits 2."""
    (made,) = (json.loads(rest) for rest in instructions("RUN") if "--directory" in rest)
    assert made[-3:] == ["/data", "/data/raw", "/data/directory"]
    (container,) = POD_SPECS[0]["initContainers"]
    (mount,) = container["volumeMounts"]
    assert container["command"][-2:] == [f"{mount['mountPath']}/raw", f"{mount['mountPath']}/directory"]
    assert container["image"] == POD_SPECS[0]["containers"][0]["image"]
    for path in (DEPLOY / "crontab", DEPLOY / "systemd/usage-run.service"):
        text = path.read_text("utf-8")
        (folder,) = set(re.findall(r"(?m)^(?:Environment=)?USAGE_DATA_DIR=(.+)$", text))
        (once,) = re.findall(r"(?m)^# Once: (install .+)$", text)
        assert once.split()[-3:] == [folder, f"{folder}/directory", f"{folder}/raw"]


def test_ports_and_probes() -> None:
    """All files name the same port, and probes ask paths that need no credential."""
    assert instructions("EXPOSE") == [PORT]
    assert f"USAGE_PORT={PORT}" in instructions("ENV")
    assert COMPOSE["services"]["serve"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    (container,) = POD_SPECS[1]["containers"]
    assert {"name": "USAGE_PORT", "value": PORT} in container["env"]
    (port,) = container["ports"]
    assert str(port["containerPort"]) == PORT
    assert [entry["targetPort"] for entry in the("Service")["spec"]["ports"]] == [port["name"]]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    paths = {name: probe["path"] for name, probe in probes.items()}
    assert paths == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
    assert set(paths.values()) < OPEN_ROUTES


def test_exit_codes() -> None:
    """The files name only exit codes of a run, and never treat a run that found another at work as a failure."""
    load = (ROOT / "docs/load.md").read_text("utf-8")
    (rows,) = re.findall(r"## Exit codes of `usage run`\n\n((?:\|.*\n)+)", load)
    known = {int(code) for row in rows.splitlines() for code in re.findall(r"\d+", row.split("|")[1])}
    assert BUSY in known
    assert f"SuccessExitStatus={BUSY}\n" in (DEPLOY / "systemd/usage-run.service").read_text()
    job = the("CronJob")["spec"]["jobTemplate"]["spec"]
    (codes,) = (rule["onExitCodes"] for rule in job["podFailurePolicy"]["rules"] if "onExitCodes" in rule)
    assert BUSY in codes["values"]
    assert set(codes["values"]) <= known - {0}
    assert codes["containerName"] == job["template"]["spec"]["containers"][0]["name"]


@pytest.mark.parametrize(("file", "part"), KUBERNETES, ids=lambda part: part if isinstance(part, str) else part["kind"])
def test_kubernetes_schema(file: str, part: dict[str, Any]) -> None:
    """Every object fits the schema of Kubernetes, without unknown keys."""
    assert kubernetes_validate.validate(part, kubernetes_validate.latest_version(), strict=True), file


def test_kubernetes_parts_belong_together() -> None:
    """Selectors find the pods, claims exist, one run works at a time, and the service only reads."""
    deployment, cron_job = the("Deployment"), the("CronJob")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert the("Service")["spec"]["selector"].items() <= labels.items()
    run_labels = cron_job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert not the("Service")["spec"]["selector"].items() <= run_labels.items()
    assert cron_job["spec"]["concurrencyPolicy"] == "Forbid"
    for spec, reads_only in zip(POD_SPECS, (False, True), strict=True):
        (term,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        selector = term["labelSelector"]["matchLabels"].items()
        assert selector <= labels.items()
        assert selector <= run_labels.items()
        (container,) = spec["containers"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == the("PersistentVolumeClaim")["metadata"]["name"]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert mounts.keys() == volumes.keys()
        assert mounts["data"].get("readOnly", False) is reads_only
        assert {"name": "USAGE_DATA_DIR", "value": mounts["data"]["mountPath"]} in container["env"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert (
            f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}" == instructions("USER")[0]
        )


def test_stopping_takes_its_time() -> None:
    """No service is killed before it has answered the requests that have begun."""
    pause = POD_SPECS[1]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = supervisor._STOP_SECONDS  # noqa: SLF001 - how long a stop may take
    assert POD_SPECS[1]["terminationGracePeriodSeconds"] >= pause + needed
    assert int(COMPOSE["services"]["serve"]["stop_grace_period"].removesuffix("s")) > needed
    (seconds,) = re.findall(r"(?m)^TimeoutStopSec=(\d+)$", (DEPLOY / "systemd/usage-serve.service").read_text())
    assert int(seconds) > needed


def test_compose() -> None:
    """The image is built from this project, both services use its volume, and the service only reads."""
    services = COMPOSE["services"]
    build = services["run"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    data_dir = next(rest.partition("=")[2] for rest in instructions("ENV") if rest.startswith("USAGE_DATA_DIR="))
    assert services["run"]["volumes"] == [f"data:{data_dir}"]
    assert services["serve"]["volumes"] == [f"data:{data_dir}:ro"]
    assert all(service["read_only"] for service in services.values())


def test_dockerfile() -> None:
    """Copied files exist and are not ignored, both stages use the oldest supported Python, and no process is root."""
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    sources = {source for rest in instructions("COPY") if "--from" not in rest for source in rest.split()[:-1]}
    assert sources == allowed
    assert all((ROOT / source).exists() for source in sources)
    (oldest,) = re.findall(r'(?m)^requires-python = ">=([0-9.]+)"$', (ROOT / "pyproject.toml").read_text())
    assert {rest.split()[0] for rest in instructions("FROM")} == {f"python:{oldest}-slim"}
    assert instructions("USER")[-1].split(":")[0] != "0"
    downloads = [json.loads(rest) for rest in instructions("RUN") if "download" in rest]
    assert all("--require-hashes" in command and command[-1] == "requirements.lock" for command in downloads)
    installs = [rest for rest in instructions("RUN") if '"install", "--quiet"' in rest or '"wheel"' in rest]
    assert len(installs) == 2
    assert all("--no-index" in rest for rest in installs)


def test_health_check(folder: DataFolder) -> None:
    """The image's health check succeeds while a service listens, and fails otherwise."""
    (rest,) = instructions("HEALTHCHECK")
    program, *arguments = json.loads(rest[rest.index("CMD ") + 4 :])
    assert program == "python"

    def check(port: int) -> int:
        environment = {**os.environ, "USAGE_PORT": str(port), "no_proxy": "*"}
        return subprocess.run(
            [sys.executable, *arguments], env=environment, check=False, stderr=subprocess.DEVNULL
        ).returncode

    with running(folder.root) as url:
        assert check(urlsplit(url).port or 0) == 0
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        assert check(taken.getsockname()[1]) != 0


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze to verify units with")
def test_units(tmp_path: Path) -> None:
    """The units pass the checks of systemd without a warning, and systemd rates their exposure as low."""
    program = tmp_path / "usage"  # in a path without spaces, which units would have to quote
    program.symlink_to(BIN / "usage")
    units = []
    for path in sorted(DEPLOY.glob("systemd/*")):
        units.append(str(tmp_path / path.name))
        (tmp_path / path.name).write_text(path.read_text("utf-8").replace(PROGRAM, str(program)))
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    for unit in units:
        if unit.endswith(".service"):
            command = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", unit]
            rated = subprocess.run(command, capture_output=True, text=True, check=False)
            assert rated.returncode == 0, rated.stdout


def test_timer_and_crontab() -> None:
    """The timer starts the run, and every line of the crontab has five fields, a user and a command."""
    assert (DEPLOY / "systemd/usage-run.timer").stem == (DEPLOY / "systemd/usage-run.service").stem
    crontab = (DEPLOY / "crontab").read_text("utf-8").splitlines()
    jobs = [line.split(maxsplit=6) for line in crontab if line and line[0] in "*0123456789"]
    assert [(*job[5:6], job[6].removeprefix("said=$(").split()[0]) for job in jobs] == [("usage", PROGRAM)] * 3
    assert all(re.fullmatch(r"[\d*/,-]+", field) for job in jobs for field in job[:5])
    assert not any("%" in job[6] for job in jobs), "cron takes it for the end of a line"
