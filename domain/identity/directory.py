"""Directory information: the name and the address of a person, which may be withheld from whoever need not have them (34 CFR § 99.37)."""

from enum import StrEnum


class DirectoryInformation(StrEnum):
    SHARED = "SHARED"
    WITHHELD = "WITHHELD"
