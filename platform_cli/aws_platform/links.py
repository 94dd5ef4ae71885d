"""Stores links on AWS: in items of the table, and their secrets in Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..github.repository import GitHub, Repository
from ..pushes.links import Link, LinkedRepository, Links, Vault
from ..targets.aws_lambda.client import AWS, MISSING, absent, hidden_errors
from ..targets.aws_lambda.names import tag_list
from .names import TAGS, secret_name
from .table import Item, Put, Table, Update

REPOSITORIES, LINKS, COUNTERS = "repositories", "links", "counters"


class DynamoLinks(Links):
    def __init__(self, table: Table, vault: Vault) -> None:
        super().__init__(vault)
        self._table = table

    def repositories(self) -> list[LinkedRepository]:
        found = [_repository(item) for item in self._table.query(REPOSITORIES)]
        return sorted(found, key=lambda repository: repository.on_github.name)

    def linked(self, known: Mapping[int, LinkedRepository]) -> list[Link]:
        return [
            Link(item["sk"], known[item["repository"]], item["branch"], item["folder"], item["previews"])
            for item in self._table.query(LINKS)
            if item["repository"] in known
        ]

    def add(self, link: Link) -> None:
        item = {"repository": link.repository.id, "branch": link.branch, "folder": link.folder}
        self._table.put({"pk": LINKS, "sk": link.project, **item, "previews": link.previews})

    def remove(self, project: str) -> None:
        self._table.delete(LINKS, project)

    def insert_repository(self, github_id: int, repository: Repository) -> LinkedRepository:
        new = LinkedRepository(self._table.count(COUNTERS, REPOSITORIES), github_id, repository, None, None)
        github = repository.github
        item = {"id": new.id, "github_id": github_id, "server_url": github.server_url, "api_url": github.api_url}
        more = {"name": repository.name, "hook_id": None, "error": None}
        self._table.write([Put({"pk": REPOSITORIES, "sk": str(new.id), **item, **more}, new=True)])
        return new

    def update_repository(self, repository: LinkedRepository, **fields: str | int | None) -> None:
        self._table.update(Update(REPOSITORIES, str(repository.id), fields))

    def delete_repository(self, repository: LinkedRepository) -> None:
        self._table.delete(REPOSITORIES, str(repository.id))


def _repository(item: Item) -> LinkedRepository:
    repository = Repository(GitHub(item["server_url"], item["api_url"]), item["name"])
    return LinkedRepository(item["id"], item["github_id"], repository, item["hook_id"], item["error"])


class SecretsManagerVault:
    """Keeps one secret per repository, a JSON object of names and texts."""

    def __init__(self, aws: AWS) -> None:
        self._aws = aws

    def put(self, repository: int, values: Mapping[str, str]) -> None:
        name, whole = secret_name(repository), json.dumps({**self.get(repository), **values})
        with hidden_errors(), absent("ResourceExistsException"):
            self._aws.secrets.create_secret(Name=name, SecretString=whole, Tags=tag_list(TAGS))
            return
        with hidden_errors():
            self._aws.secrets.put_secret_value(SecretId=name, SecretString=whole)

    def get(self, repository: int) -> Mapping[str, str]:
        with hidden_errors(), absent(MISSING):
            text = self._aws.secrets.get_secret_value(SecretId=secret_name(repository))["SecretString"]
            values: dict[str, str] = json.loads(text)
            return values
        return {}

    def forget(self, repository: int) -> None:
        with hidden_errors(), absent(MISSING):
            self._aws.secrets.delete_secret(SecretId=secret_name(repository), ForceDeleteWithoutRecovery=True)
