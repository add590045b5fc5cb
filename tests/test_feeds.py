import pytest

from monitor.detect.feeds import SILENT_NS, Feeds
from monitor.events import Fact, FactKind

NS = 1_000_000_000
CONNECTING, CONNECTED, DISCONNECTED = (
    FactKind.CONNECTING,
    FactKind.CONNECTED,
    FactKind.DISCONNECTED,
)


def told(*facts: tuple[int, FactKind]) -> Feeds:
    """Feeds that have taken these facts of (connection, kind), a second apart."""
    feeds = Feeds()
    for second, (number, kind) in enumerate(facts):
        feeds.take(Fact(second * NS, number, "alpha", "main", kind, f"detail {second}"))
    return feeds


def test_an_open_silent_socket_does_not_flow() -> None:
    """Connected and acknowledged is not data: a stream flows from its first useful frame."""
    feeds = told((1, CONNECTING), (1, CONNECTED), (1, FactKind.ACKNOWLEDGED))
    stream = feeds.stream("alpha", "main")
    assert feeds.missing(100 * NS) == ("alpha/main",)
    stream.last_useful_ns = 100 * NS
    assert feeds.missing(100 * NS) == ()


@pytest.mark.parametrize(("later_ns", "flows"), [(SILENT_NS, True), (SILENT_NS + 1, False)])
def test_a_minute_of_silence_ends_the_flow(later_ns: int, flows: bool) -> None:
    """After a minute without a useful frame the stream is missing."""
    stream = told((1, CONNECTED)).stream("alpha", "main")
    stream.last_useful_ns = 5 * NS
    assert stream.flowing(5 * NS + later_ns) is flows


def test_a_failed_attempt_takes_nothing_from_the_open_connection() -> None:
    """A replacement that never came up leaves the old connection flowing."""
    feeds = told((1, CONNECTED), (2, CONNECTING), (2, DISCONNECTED))
    stream = feeds.stream("alpha", "main")
    stream.last_useful_ns = 2 * NS
    assert stream.open == [1]
    assert stream.flowing(3 * NS)


def test_overlapping_connections_flow_until_the_last_is_cut() -> None:
    """A rotation keeps the stream flowing: the new connection is open before the old goes."""
    feeds = told((1, CONNECTED), (2, CONNECTED), (1, DISCONNECTED))
    stream = feeds.stream("alpha", "main")
    stream.last_useful_ns = 2 * NS
    assert (stream.state, stream.flowing(3 * NS)) == ("connected", True)
    feeds.take(Fact(4 * NS, 2, "alpha", "main", DISCONNECTED, "lost"))
    assert (stream.state, stream.detail, stream.flowing(4 * NS)) == ("disconnected", "lost", False)


def test_the_picture_of_a_stream_says_how_it_stands() -> None:
    """A view names the state, why, since when, and how often it was connected again."""
    feeds = told((1, CONNECTED), (1, DISCONNECTED), (2, CONNECTED))
    feeds.take(Fact(9 * NS, 7, "alpha", "book", CONNECTING))
    feeds.stream("alpha", "main").last_useful_ns = 5 * NS
    views = {view.session: view for view in feeds.views(10 * NS)}
    main = views["main"]
    assert (main.state, main.reconnects, main.connected_ns) == ("flowing", 1, 2 * NS)
    assert (views["book"].state, views["book"].reconnects) == ("connecting", 0)
    assert feeds.missing(10 * NS) == ("alpha/book",)
    assert feeds.missing(200 * NS) == ("alpha/book", "alpha/main")
