from __future__ import annotations

import json

from platform_cli.images.sbom import bill_of_materials
from platform_cli.pipeline.model import Lock, NodePackages

TEXT = """\
--extra-index-url https://user:password@packages.example.com/simple
annotated-types==0.8.0 \\
    --hash=sha256:13b2 \\
    --hash=sha256:f072
uvicorn[standard]==0.40.0 ; python_version < "4" \\
    --hash=sha256:5c1b
own @ https://user:password@packages.example.com/own-1.0-py3-none-any.whl
"""
NPM = {"packages": {"": {"version": "1"}, "node_modules/a/node_modules/@s/b": {"version": "2.0.0"}}}


def test_components() -> None:
    packages = NodePackages("{}", json.dumps(NPM), "//registry/:_authToken=password", "v24")
    bill = bill_of_materials(Lock(TEXT, "hash", "3.12", "linux", packages))
    assert [component["purl"] for component in json.loads(bill)["components"]] == [
        "pkg:npm/%40s/b@2.0.0", "pkg:pypi/annotated-types@0.8.0", "pkg:pypi/own", "pkg:pypi/uvicorn@0.40.0",
    ]  # fmt: skip
    assert b"password" not in bill
