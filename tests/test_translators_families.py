"""Every file of translators/families/ is a family: a new one is checked from the moment it lies there."""

import pytest
from contracts.translator_family import TranslatorFamilyContract

from florenz.translators.family import Family
from florenz.translators.family_files import family_named, family_names


@pytest.mark.parametrize("name", family_names())
class TestEveryFamily(TranslatorFamilyContract):
    @pytest.fixture
    def family(self, name: str) -> Family:
        return family_named(name)
