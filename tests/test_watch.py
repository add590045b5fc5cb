import math

import numpy as np
import pytest

from kernels.dtypes import DATED, PERPETUAL, SPOT
from monitor.detect.arrays import CONTRACTS_PER_ASSET, Arrays
from monitor.detect.watch import OFF_LIST, Watch
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.parameters import Parameters
from tests.stand_in import perpetual, spot


def watch(*assets: str) -> tuple[Watch, Arrays]:
    """A watch over these assets of venue alpha, and its arrays."""
    arrays = Arrays(len(assets), 1, Parameters())
    return Watch(assets, ("alpha",), arrays), arrays


def table(*listed: Instrument) -> InstrumentTable:
    """A listing of venue alpha."""
    found = InstrumentTable("alpha")
    found.replace("perp", [i for i in listed if i.product == "perp"])
    found.replace("spot", [i for i in listed if i.product == "spot"])
    return found


BTC = perpetual("alpha", "BTC-PERP", "BTC")
BTC_SPOT = spot("alpha", "BTC-SPOT", "BTC")
BTC_DEC = Instrument("alpha", "perp", "BTC-DEC", "BTC", "USD", "USD", Unit.BASE)
DOGE = perpetual("alpha", "DOGE-PERP", "DOGE")


def test_watched_contracts_have_rows_of_their_kind() -> None:
    """Perpetuals, spot pairs and dated contracts of an asset each get a row that says so."""
    found, arrays = watch("ETH", "BTC")
    found.renew(table(BTC, BTC_SPOT, BTC_DEC, DOGE))
    rows = [found.row(i) for i in (BTC, BTC_DEC, BTC_SPOT)]
    assert rows == [0, 1, 2]
    assert arrays.contracts["kind"][:3].tolist() == [PERPETUAL, DATED, SPOT]
    assert arrays.contracts["asset"][:4].tolist() == [1, 1, 1, -1]
    assert np.isnan(arrays.contracts["interest"]).all()


@pytest.mark.parametrize(
    "instrument",
    [
        DOGE,
        Instrument("alpha", "perp", "NEW"),
        Instrument("alpha", "perp", "BTC-Q", "BTC", "USD", "BTC", Unit.UNKNOWN),
        Instrument("alpha", "perp", "BTC-EUR", "BTC", "EUR", "EUR", Unit.BASE),
        Instrument("alpha", "perp", "BTC-STOCK", "BTC", "USD", "USD", Unit.BASE, tradfi=True),
    ],
    ids=["off the list", "unknown", "quanto", "other quote", "not a coin"],
)
def test_what_cannot_be_watched_has_no_row(instrument: Instrument) -> None:
    """Other assets, unknown ones, and those without coins or dollars count as other."""
    found, _ = watch("BTC")
    found.renew(table(instrument))
    assert found.row(instrument) == OFF_LIST
    assert found.contracts == []


def test_a_delisted_contract_is_marked_and_comes_back_to_its_row() -> None:
    """Gone from the listing it has no row and no open interest; listed again it has its own."""
    found, arrays = watch("BTC")
    found.renew(table(BTC, BTC_SPOT))
    arrays.contracts["interest"][0] = 5.0
    found.renew(table(BTC_SPOT))
    assert (found.row(BTC), found.row(BTC_SPOT)) == (OFF_LIST, 1)
    assert math.isnan(arrays.contracts["interest"][0])
    found.renew(table(BTC_SPOT, BTC))
    assert (found.row(BTC), int(arrays.contracts["live"][0])) == (0, 1)
    assert len(found.contracts) == 2


def test_a_listing_changes_its_own_venue_alone() -> None:
    """What one venue lists says nothing of another venue's contracts."""
    found, arrays = watch("BTC")
    found.renew(table(BTC))
    other = InstrumentTable("beta")
    found.renew(other)
    assert found.row(BTC) == 0
    assert int(arrays.contracts["live"][0]) == 1


def test_contracts_beyond_the_rows_count_as_other() -> None:
    """When rows run out, further contracts are off the list, and that is counted."""
    found, _ = watch("BTC")
    many = [perpetual("alpha", f"BTC-{k}", "BTC") for k in range(CONTRACTS_PER_ASSET + 2)]
    found.renew(table(*many))
    assert [found.row(i) for i in many[-3:]] == [CONTRACTS_PER_ASSET - 1, OFF_LIST, OFF_LIST]
    assert found.refused == 2


def test_an_equal_instrument_has_the_same_row() -> None:
    """Rows belong to venue and symbol, not to one object in memory."""
    found, _ = watch("BTC")
    found.renew(table(BTC))
    assert found.row(perpetual("alpha", "BTC-PERP", "BTC")) == 0


def test_unknown_instruments_are_not_held_without_bound() -> None:
    """A flood of instruments nobody listed is looked up each time and forgotten."""
    found, _ = watch("BTC")
    found.renew(table(BTC))
    for k in range(10_050):
        assert found.row(Instrument("alpha", "perp", f"NEW-{k}")) == OFF_LIST
    assert len(found._held) <= 10_000
    assert found.row(BTC) == 0
