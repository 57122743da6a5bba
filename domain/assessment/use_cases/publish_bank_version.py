"""Publishes a calibration of an item bank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.banks import BankVersion, CalibratedItem, ResponseModel
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class PublishBankVersion:
    new_unit: Callable[[str], SittingUnit]
    clock: Clock

    async def __call__(
        self, caller: Caller, request_id: str, bank: str, model: ResponseModel, calibration: str, items: Sequence[CalibratedItem]
    ) -> BankVersion:
        version = BankVersion.of(bank, model, calibration, items, self.clock())
        async with self.new_unit(caller.organization) as unit:
            kept = await unit.banks.add(version, request_id)
            await unit.commit()
        return kept
