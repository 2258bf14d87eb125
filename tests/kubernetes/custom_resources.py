"""The custom resources that our manifests use, field by field: what is not named here is refused.

Kubernetes drops a field that a CRD doesn't know, silently unless asked, so a slip of the pen would be found in
production. RayService: KubeRay 1.7, ray-operator/apis/ray/v1/rayservice_types.go and raycluster_types.go (fields), and
controllers/ray/utils/validation.go (rules that the operator checks itself). HTTPRoute: Gateway API 1.2,
apis/v1/httproute_types.go. Feature-gated and deprecated fields are left out: ours are to work without gates. What is
Kubernetes' own inside of them, pods for one, is checked against Kubernetes' schemas.
"""

import json
from functools import cache
from typing import Annotated, Any, Literal, Self

import kubernetes_validate
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

KUBERNETES = "1.37"

Object = dict[str, Any]


def kubernetes_object(value: Object) -> Object:
    """As the API server checks it, and unknown fields are errors."""
    _well(json.dumps(value))
    return value


@cache  # regions and groups have the same pods: one takes 0.1 s
def _well(text: str) -> None:
    kubernetes_validate.validate(json.loads(text), KUBERNETES, strict=True)


def _pod_template(value: Object) -> Object:
    if unknown := value.keys() - {"metadata", "spec"}:
        raise ValueError(f"a pod template has no {', '.join(unknown)}")
    _pod(value["spec"], value.get("metadata", {}))
    return value


def _pod(spec: Object, metadata: Object) -> None:
    kubernetes_object({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", **metadata}, "spec": spec})


def _of_a_container(**fields: Any) -> None:
    _pod({"containers": [{"name": "a", "image": "a", **fields}]}, {})


def _resources(value: Object) -> Object:
    _of_a_container(resources=value)
    return value


def _security_context(value: Object) -> Object:
    _of_a_container(securityContext=value)
    return value


def _environment(value: list[Object]) -> list[Object]:
    _of_a_container(env=value)
    return value


def _value_from(value: Object) -> Object:
    _of_a_container(env=[{"name": "a", "valueFrom": value}])
    return value


PodTemplate = Annotated[Object, AfterValidator(_pod_template)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")]
Parameters = dict[str, str]  # `ray start` flags: KubeRay takes texts only


class Resource(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class ObjectMeta(Resource):
    name: str = Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=47)  # DNS-1035; KubeRay appends to it
    namespace: str
    annotations: dict[str, str] = {}
    labels: dict[str, Label] = {}


class RedisCredential(Resource):
    value_from: Annotated[Object, AfterValidator(_value_from)]


class GcsFaultToleranceOptions(Resource):
    redis_address: str = Field(pattern=r"^rediss?://[^/:]+:\d+$")
    redis_password: RedisCredential | None = None
    redis_username: RedisCredential | None = None


class AuthOptions(Resource):
    mode: Literal["disabled", "token"]
    secret_name: str | None = None


class AutoscalerOptions(Resource):
    version: Literal["v1", "v2"] | None = None
    idle_timeout_seconds: int | None = Field(None, ge=0)
    upscaling_mode: Literal["Default", "Aggressive", "Conservative"] | None = None
    env: Annotated[list[Object], AfterValidator(_environment)] = []
    image: str | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    resources: Annotated[Object, AfterValidator(_resources)] | None = None
    security_context: Annotated[Object, AfterValidator(_security_context)] | None = None


class Group(Resource):
    template: PodTemplate
    ray_start_params: Parameters = {}
    labels: dict[str, Label] = {}
    resources: dict[str, str] = {}

    @model_validator(mode="after")
    def _as_the_operator_wants_it(self) -> Self:
        if "labels" in self.ray_start_params:
            raise ValueError("rayStartParams.labels is refused: labels is a field of the group")
        if self.template["spec"].get("restartPolicy", "Never") != "Never":
            raise ValueError("restartPolicy must be Never or absent with autoscaler v2")
        return self


class HeadGroup(Group):
    service_type: Literal["ClusterIP", "NodePort", "LoadBalancer"] | None = None
    enable_ingress: bool | None = None

    @model_validator(mode="after")
    def _redis_is_elsewhere(self) -> Self:
        environment = self.template["spec"]["containers"][0].get("env", [])
        if taken := {entry["name"] for entry in environment} & {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD"}:
            raise ValueError(f"{taken.pop()} of the head is gcsFaultToleranceOptions'")
        return self


class WorkerGroup(Group):
    group_name: str
    min_replicas: int = Field(ge=0)
    max_replicas: int = Field(ge=0)
    replicas: int | None = None
    idle_timeout_seconds: int | None = None
    priority: int = 0
    num_of_hosts: int = 1

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"minReplicas {self.min_replicas} is greater than maxReplicas {self.max_replicas}")
        return self


class RayCluster(Resource):
    ray_version: str = Field(pattern=r"^\d+\.\d+\.\d+$")  # needed for authOptions
    head_group_spec: HeadGroup
    worker_group_specs: list[WorkerGroup] = []
    auth_options: AuthOptions | None = None
    autoscaler_options: AutoscalerOptions | None = None
    enable_in_tree_autoscaling: bool | None = None
    gcs_fault_tolerance_options: GcsFaultToleranceOptions | None = None
    head_service_annotations: dict[str, str] = {}


class UpgradeStrategy(Resource):
    type: Literal["NewCluster", "None"]  # the third, NewClusterWithIncrementalUpgrade, is behind a gate


class RayServiceSpec(Resource):
    serve_config_v2: str
    ray_cluster_config: RayCluster
    upgrade_strategy: UpgradeStrategy | None = None
    ray_cluster_deletion_delay_seconds: int | None = Field(None, ge=0)
    exclude_head_pod_from_serve_svc: bool | None = None
    serve_service: Annotated[Object, AfterValidator(kubernetes_object)] | None = None
    suspend: bool | None = None


class RayService(Resource):
    api_version: Literal["ray.io/v1"]
    kind: Literal["RayService"]
    metadata: ObjectMeta
    spec: RayServiceSpec


class ParentReference(Resource):
    name: str
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None


class HeaderModifier(Resource):
    set: list[dict[Literal["name", "value"], str]] = []
    add: list[dict[Literal["name", "value"], str]] = []
    remove: list[str] = []


class RouteFilter(Resource):
    type: Literal["RequestHeaderModifier"]
    request_header_modifier: HeaderModifier


class BackendReference(Resource):
    name: str
    port: int = Field(ge=1, le=65535)
    namespace: str | None = None
    weight: int = 1


class RouteTimeouts(Resource):
    request: str | None = Field(None, pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")
    backend_request: str | None = Field(None, pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")


class PathMatch(Resource):
    type: Literal["Exact", "PathPrefix"]
    value: str = Field(pattern=r"^/")


class RouteMatch(Resource):
    path: PathMatch


class RouteRule(Resource):
    """Without backends it leads nowhere: the Gateway answers with an error of its own."""

    matches: list[RouteMatch] = []
    backend_refs: list[BackendReference] = []
    filters: list[RouteFilter] = []
    timeouts: RouteTimeouts | None = None


class HttpRouteSpec(Resource):
    parent_refs: list[ParentReference]
    hostnames: list[str] = []
    rules: list[RouteRule]


class HttpRoute(Resource):
    api_version: Literal["gateway.networking.k8s.io/v1"]
    kind: Literal["HTTPRoute"]
    metadata: ObjectMeta
    spec: HttpRouteSpec


KINDS: dict[str, type[Resource]] = {"RayService": RayService, "HTTPRoute": HttpRoute}


def check(document: Object) -> None:
    """Raises ValueError, or kubernetes_validate's ValidationError, with where it is and what is wrong."""
    if model := KINDS.get(document["kind"]):
        model.model_validate(document)
    else:
        kubernetes_object(document)
