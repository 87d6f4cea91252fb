"""The restricted level of the Pod Security Standards, rule by rule, as kubernetes.io describes it."""

from collections.abc import Iterator
from typing import Any

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"}
_PROFILES = {"RuntimeDefault", "Localhost"}


def violations(spec: dict[str, Any]) -> list[str]:
    """What the restricted level does not allow in a pod's specification."""
    return [*_of_pod(spec), *(problem for container in _containers(spec) for problem in _of_container(spec, container))]


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec["containers"], *spec.get("initContainers", ()), *spec.get("ephemeralContainers", ())]


def _of_pod(spec: dict[str, Any]) -> Iterator[str]:
    for shared in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(shared):
            yield shared
    context = spec.get("securityContext", {})
    if context.get("runAsUser") == 0:
        yield "runAsUser 0"
    if any(it["name"] not in _SYSCTLS for it in context.get("sysctls", ())):
        yield "sysctls"
    for volume in spec.get("volumes", ()):
        if kind := volume.keys() - {"name"} - _VOLUMES:
            yield f"volume {kind}"


def _of_container(spec: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
    pod, own, name = spec.get("securityContext", {}), container.get("securityContext", {}), container["name"]
    if own.get("privileged"):
        yield f"{name}: privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation"
    if not own.get("runAsNonRoot", pod.get("runAsNonRoot")):
        yield f"{name}: runAsNonRoot"
    if own.get("runAsUser") == 0:
        yield f"{name}: runAsUser 0"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield f"{name}: capabilities not dropped"
    if set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities added"
    if (own.get("seccompProfile") or pod.get("seccompProfile", {})).get("type") not in _PROFILES:
        yield f"{name}: seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield f"{name}: procMount"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield f"{name}: hostPort"
    for handler in (*(container.get(f"{it}Probe", {}) for it in ("startup", "readiness", "liveness")),):
        if "host" in handler.get("httpGet", {}):
            yield f"{name}: a probe of another host"
