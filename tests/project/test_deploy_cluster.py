"""deploy/kubernetes/cluster against the code, and what all files for Kubernetes have to keep."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from pipeline.contract.setting_values import Size
from pipeline.contract.settings import SETTINGS, Settings
from service.api.routes import OPEN_ROUTES
from service.serving import supervisor
from tests.support.command import parse
from tests.support.missing import skip
from tests.support.project import ROOT

FOLDER: Final = ROOT / "deploy/kubernetes"
PARTS: Final = [
    (path.relative_to(FOLDER).as_posix(), part)
    for path in sorted(FOLDER.glob("**/*.yaml"))
    for part in yaml.safe_load_all(path.read_text("utf-8"))
]
CLUSTER: Final = {(part["kind"], part["metadata"]["name"]): part for file, part in PARTS if file.startswith("cluster/")}
PODS: Final = [
    (file, part["spec"].get("jobTemplate", part)["spec"]["template"])
    for file, part in PARTS
    if part["kind"] in {"CronJob", "Deployment"}
]
RUN_CODE: Final = {"scheduler": 8786, "worker": 8788}  # ports whose peers can run code
MIB: Final = {"Mi": 1, "Gi": 1024}


def of_file(parts: list[tuple[str, Any]]) -> pytest.MarkDecorator:
    """Return a decorator that runs a test for each part, named by its file."""
    return pytest.mark.parametrize(("file", "part"), parts, ids=[file for file, _ in parts])


def pod(component: str) -> Any:
    """Return the only container of a component of the cluster, and the pod that it is in."""
    kind = "CronJob" if component == "run" else "Deployment"
    spec = CLUSTER[kind, f"usage-{component}"]["spec"]
    template = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]
    (container,) = template["spec"]["containers"]
    return container, template


def mib(size: str) -> int:
    """Return a quantity of Kubernetes in MiB."""
    return int(size[:-2]) * MIB[size[-2:]]


def reach(policy: Any, port: int) -> Iterator[set[str]]:
    """Yield the components that each rule of a policy lets reach a port, which must name the pods and the port."""
    for rule in policy["spec"].get("ingress", []):
        assert rule["ports"] == [{"protocol": "TCP", "port": port}]
        for peer in rule["from"]:
            assert peer.keys() == {"podSelector"}, "of the same namespace"
            wanted = {one["key"]: one["values"] for one in peer["podSelector"]["matchExpressions"]}
            assert wanted["app.kubernetes.io/name"] == ["usage-cluster"]
            yield set(wanted["app.kubernetes.io/component"])


@of_file([(file, part) for file, part in PARTS if file.startswith("cluster/")])
def test_schema(file: str, part: dict[str, Any]) -> None:
    """Every object fits the schema of Kubernetes, without unknown keys."""
    assert kubernetes_validate.validate(part, kubernetes_validate.latest_version(), strict=True), file


@of_file(PODS)
def test_no_privileges(file: str, part: dict[str, Any]) -> None:
    """No pod runs as root, gains privileges, has a token, reaches into its node, or writes into its image."""
    spec = part["spec"]
    assert spec["automountServiceAccountToken"] is False, file
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    security = spec["securityContext"]
    assert security["runAsNonRoot"]
    assert 0 not in {security["runAsUser"], security["runAsGroup"], security["fsGroup"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    kinds = {kind for volume in spec["volumes"] for kind in volume.keys() - {"name"}}
    assert kinds <= {"emptyDir", "persistentVolumeClaim"}
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert mib(container["resources"]["limits"]["memory"]) >= mib(container["resources"]["requests"]["memory"])
        assert all("hostPort" not in port for port in container.get("ports", []))


def test_ports_that_run_code() -> None:
    """Only coordinator, scheduler and workers reach the ports of scheduler and workers."""
    policies = {name: part for (kind, name), part in CLUSTER.items() if kind == "NetworkPolicy"}
    found = {
        component: [peers for one in policies.values() if selects(one, component) for peers in reach(one, port)]
        for component, port in RUN_CODE.items()
    }
    assert found == {"scheduler": [{"run", "worker"}], "worker": [{"run", "scheduler", "worker"}]}
    for component, port in RUN_CODE.items():
        (own,) = (policy for policy in policies.values() if selects(policy, component))
        assert set(own["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        container, _ = pod(component)
        assert [one["containerPort"] for one in container["ports"]] == [port]
    assert policies["usage-run"]["spec"]["policyTypes"] == ["Ingress"]
    assert selects(policies["usage-run"], "run")
    assert "ingress" not in policies["usage-run"]["spec"], "nobody reaches the coordinator"


def selects(policy: Any, component: str) -> bool:
    """Return whether a policy is about the pods of a component."""
    labels = pod(component)[1]["metadata"]["labels"].items()
    return bool(policy["spec"]["podSelector"]["matchLabels"].items() <= labels)


def test_credentials() -> None:
    """Only what writes has the writer's credentials; the service has the reader's, and the scheduler none."""
    secrets = {}
    for component in ("run", "worker", "serve", "scheduler"):
        container, template = pod(component)
        sources = container.get("envFrom", [])
        secrets[component] = (
            template["spec"]["serviceAccountName"],
            [source["secretRef"]["name"] for source in sources if "secretRef" in source],
        )
        assert ("ServiceAccount", secrets[component][0]) in CLUSTER
        settings = [source["configMapRef"]["name"] for source in sources if "configMapRef" in source]
        assert all(("ConfigMap", name) in CLUSTER for name in settings)
        assert not re.search("SECRET|PASSWORD|ACCESS_KEY", json.dumps(container.get("env", [])))
    assert secrets == {
        "run": ("usage-writer", ["usage-writer"]),
        "worker": ("usage-writer", ["usage-writer"]),
        "serve": ("usage-reader", ["usage-reader"]),
        "scheduler": ("usage-scheduler", []),
    }
    assert not [name for kind, name in CLUSTER if kind == "Secret"]


def test_commands() -> None:
    """Coordinator and service are commands of this project; scheduler and workers are Dask's, with options it has."""
    environ = CLUSTER["ConfigMap", "usage-cluster"]["data"]
    names = {setting.variable for setting in SETTINGS}
    for component in ("run", "serve"):
        container, _ = pod(component)
        assert parse(container["args"])
        own = {variable["name"]: variable["value"] for variable in container["env"]}
        assert own.keys() <= names
        Settings.read({**environ, **own})
    address = f"tcp://usage-scheduler:{RUN_CODE['scheduler']}"
    assert pod("run")[0]["args"] == ["run", "--cluster", address]
    assert CLUSTER["Service", "usage-scheduler"]["spec"]["ports"][0]["port"] == RUN_CODE["scheduler"]
    commands = {component: pod(component)[0]["command"] for component in RUN_CODE}
    assert {component: command[:2] for component, command in commands.items()} == {
        component: ["dask", component] for component in RUN_CODE
    }
    try:
        dask = {component: import_module(f"distributed.cli.dask_{component}").main for component in RUN_CODE}
        given = {name: dask[name].make_context(name, command[2:]).params for name, command in commands.items()}
    except ImportError:
        skip("distributed is not installed")
    assert (given["scheduler"]["port"], given["worker"]["worker_port"]) == ("8786", "8788")
    assert given["worker"]["scheduler"] == address
    assert (given["worker"]["nthreads"], given["worker"]["nanny"]) == (1, False)
    assert all(one["dashboard"] is False and "127.0.0.1" in str(one["dashboard_address"]) for one in given.values())


def test_one_image() -> None:
    """All pods have the image of the Dockerfile, which has what speaks to object stores and to Dask."""
    images = {
        container["image"]
        for _, template in PODS
        for container in [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]
    }
    assert len(images) == 1
    assert '"workspace-usage[dask,s3]"' in (ROOT / "deploy/Dockerfile").read_text("utf-8")


def test_folders() -> None:
    """Every folder that is written to is an empty volume of limited size, with room for what is put there."""
    for component in ("run", "worker", "serve", "scheduler"):
        container, template = pod(component)
        sizes = {volume["name"]: volume["emptyDir"]["sizeLimit"] for volume in template["spec"]["volumes"]}
        mounts = {mount["mountPath"]: sizes[mount["name"]] for mount in container["volumeMounts"]}
        own = {variable["name"]: variable["value"] for variable in container.get("env", [])}
        folders = {value for name, value in own.items() if name in {"USAGE_SCRATCH", "USAGE_CACHE_DIR"}}
        assert mounts.keys() == {"/tmp", *folders}
        assert len(folders) == (component != "scheduler")
        if component != "scheduler":
            assert mib(container["resources"]["limits"]["ephemeral-storage"]) > sum(map(mib, mounts.values())) - 1
        if "USAGE_CACHE_BYTES" in own:
            kept = Settings.read(own).cache_bytes
            assert isinstance(kept, Size)
            assert mib(mounts[own["USAGE_CACHE_DIR"]]) << 20 > kept
    assert f"--local-directory={pod('worker')[0]['env'][0]['value']}" in pod("worker")[0]["command"]


def test_service_goes_on() -> None:
    """There are always two replicas but one, they are asked before they get requests, and they stop gently."""
    deployment = CLUSTER["Deployment", "usage-serve"]["spec"]
    assert deployment["replicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budget = CLUSTER["PodDisruptionBudget", "usage-serve"]["spec"]
    assert budget["maxUnavailable"] < deployment["replicas"]
    container, template = pod("serve")
    labels = template["metadata"]["labels"]
    selectors = [deployment["selector"]["matchLabels"], budget["selector"]["matchLabels"]]
    selectors.append(CLUSTER["Service", "usage-serve"]["spec"]["selector"])
    (spread,) = template["spec"]["topologySpreadConstraints"]
    assert [*selectors, spread["labelSelector"]["matchLabels"]] == [labels] * 4
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
    assert set(probes.values()) < OPEN_ROUTES
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = supervisor._STOP_SECONDS  # noqa: SLF001 - how long a stop may take
    assert template["spec"]["terminationGracePeriodSeconds"] >= pause + needed


def test_one_run_and_one_scheduler() -> None:
    """One run works at a time, one scheduler knows all workers, and none of another release is left."""
    assert CLUSTER["CronJob", "usage-run"]["spec"]["concurrencyPolicy"] == "Forbid"
    for component in RUN_CODE:
        assert CLUSTER["Deployment", f"usage-{component}"]["spec"]["strategy"] == {"type": "Recreate"}
        labels = pod(component)[1]["metadata"]["labels"]
        assert CLUSTER["Deployment", f"usage-{component}"]["spec"]["selector"]["matchLabels"] == labels
    assert CLUSTER["Deployment", "usage-scheduler"]["spec"]["replicas"] == 1
    assert CLUSTER["Service", "usage-scheduler"]["spec"]["selector"] == pod("scheduler")[1]["metadata"]["labels"]
    one_machine = yaml.safe_load((FOLDER / "run.yaml").read_text("utf-8"))["spec"]["jobTemplate"]["spec"]
    here = CLUSTER["CronJob", "usage-run"]["spec"]["jobTemplate"]["spec"]
    assert here["podFailurePolicy"] == one_machine["podFailurePolicy"], "the same exit codes mean the same"
