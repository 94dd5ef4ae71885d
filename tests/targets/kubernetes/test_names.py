from __future__ import annotations

import re

import pytest

from platform_cli.errors import InputError
from platform_cli.targets.kubernetes.names import check_name_fits


@pytest.mark.parametrize("name", ["notes", "n", "notes-2", "n" * 63])
def test_names_of_services(name: str) -> None:
    assert check_name_fits(name) == name


@pytest.mark.parametrize("name", ["2notes", "9" * 63])
def test_a_name_that_no_service_can_have_comes_with_one_that_it_can(name: str) -> None:
    with pytest.raises(InputError, match="no name for a Service") as raised:
        check_name_fits(name)
    proposal = re.fullmatch("--name (.*)", raised.value.hint or "")
    assert proposal
    assert check_name_fits(proposal[1]) == proposal[1]
