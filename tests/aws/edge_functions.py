"""Lets moto publish and test functions of CloudFront, and know which distributions run them, as AWS does."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.cloudfront import urls
from moto.cloudfront.exceptions import CloudFrontException
from moto.cloudfront.models import CloudFrontBackend, DefaultCacheBehaviour
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult

from .cloudfront import run_function

FUNCTION = "{0}/2020-05-31/function/(?P<function_name>[^/]+)"
UNPUBLISHED = "UNPUBLISHED"


def know_edge_functions() -> None:
    init, delete_function = DefaultCacheBehaviour.__init__, CloudFrontBackend.delete_function

    def init_with_functions(self: DefaultCacheBehaviour, config: dict[str, Any]) -> None:
        init(self, config)
        self.function_associations = config.get("FunctionAssociations") or {"Quantity": 0}

    def delete_unused(self: CloudFrontBackend, name: str, if_match: bool) -> None:
        if name in self.functions and self.functions[name].arn in _used(self):
            raise CloudFrontException("FunctionInUse", "a distribution has it")
        delete_function(self, name, if_match)

    def publish_function(self: CloudFrontResponse) -> ActionResult:
        self.backend.describe_function(name=self._get_param("Name")).status = "UNASSOCIATED"
        return EmptyResult()

    def test_function(self: CloudFrontResponse) -> ActionResult:
        function = self.backend.describe_function(name=self._get_param("Name"))
        event = self._get_param("EventObject")
        output = {"response": run_function(function.code.decode(), event.decode())}
        return ActionResult({"TestResult": {"FunctionOutput": json.dumps(output)}})

    DefaultCacheBehaviour.__init__ = init_with_functions  # type: ignore[method-assign]
    CloudFrontBackend.delete_function = delete_unused  # type: ignore[method-assign]
    for name in ("create_distribution", "update_distribution"):
        setattr(CloudFrontBackend, name, _with_published_functions(getattr(CloudFrontBackend, name)))
    CloudFrontResponse.publish_function = publish_function  # type: ignore[attr-defined]
    CloudFrontResponse.test_function = test_function  # type: ignore[attr-defined]
    for action in ("publish", "test"):
        urls.url_paths[f"{FUNCTION}/{action}$"] = CloudFrontResponse.dispatch


def _with_published_functions(write: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(write)
    def written(self: CloudFrontBackend, *arguments: Any, **more: Any) -> Any:
        made = write(self, *arguments, **more)
        live = {one.arn for one in self.functions.values() if one.status != UNPUBLISHED}
        if _used(self) - live:
            raise CloudFrontException("InvalidFunctionAssociation", "it is not published")
        return made

    return written


def _used(backend: CloudFrontBackend) -> set[str]:
    configs: list[Any] = [one.distribution_config for one in backend.distributions.values()]
    return {
        item["FunctionARN"]
        for config in configs
        for item in config.DefaultCacheBehavior.function_associations.get("Items", ())
    }
