"""What the types cannot say: ranges, orders, names, and files that must be there."""

import operator
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from monitor.config.problems import join
from monitor.config.sections import Config
from monitor.events import MARKET


class Breach(NamedTuple):
    """A rule that is broken: at which path, what was expected, and the value."""

    path: str
    what: str
    value: object


_RANGES: dict[str, tuple[int, int]] = {
    "clock.epoch_ns": (0, 2**63 - 1),
    "clock.start_ns": (0, 2**63 - 1),
    "mqtt.port": (1, 65_535),
    "mqtt.keepalive_s": (1, 65_535),
    "mqtt.alert_expiry_s": (1, 2**32 - 2),
    "mqtt.outbox_alerts": (1, 1_000_000),
    "mqtt.outbox_states": (1, 1_000_000),
    "http.port": (0, 65_535),
    "state.every_s": (1, 86_400),
    "detector.notice_confirmers": (0, 8),
    "detector.building_confirmers": (0, 8),
    "detector.flat_ratio": (0, 1),
    "detector.depth_confirmer_ratio": (0, 1),
    "detector.market_assets": (2, 1_000),
    "detector.breadth_ratio": (0, 1),
    "detector.most_lean": (1, 1_000),
}

# Other numbers of the detector are 0 or more.
_ABOVE_ZERO = (
    "clock.speed",
    "mqtt.publish_timeout_s",
    "detector.drain_per_min",
    "detector.contract_cap",
    "detector.asset_cap",
    "detector.notice_tier",
    "detector.cascading_forced",
    "detector.cascading_move_ratio",
    "detector.exhausting_rate_ratio",
    "detector.interest_age_s",
    "detector.unconfirmed_after_s",
    "detector.price_z",
    "detector.basis_z",
    "detector.taker_z",
    "detector.least_scale_ratio",
    "detector.scale_fall_ratio",
    "detector.least_fallen_ratio",
    "detector.scale_days",
    "detector.breadth_level",
    "detector.breadth_within_s",
)

_BELOW_ZERO = ("detector.cascading_interest_ratio", "detector.interest_confirmer_ratio")

# Each pair: the second key stands above the first.
_ASCENDING = (
    ("detector.quiet_level", "detector.notice_tier"),
    ("detector.notice_tier", "detector.building_tier"),
    ("detector.building_tier", "detector.onset_tier"),
    ("detector.exhausting_rate_ratio", "detector.wave_rate_ratio"),
    ("detector.exhausting_extreme_s", "detector.exhausted_extreme_s"),
)

# Each pair: the second key does not stand below the first.
_NOT_DESCENDING = (
    ("detector.contract_cap", "detector.asset_cap"),
    ("detector.onset_tier", "detector.full_level"),
    ("detector.least_scale_ratio", "detector.prior_scale_ratio"),
    ("detector.prior_scale_ratio", "detector.most_scale_ratio"),
)

_READ_FILES = ("tls_ca", "tls_cert", "tls_key", "username_file", "password_file")
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
_ASSET = re.compile(r"[^\s/+#$]{1,32}")
_TOPIC = re.compile(r"[^\s/+#$]+(/[^\s/+#$]+)*")


def breaches(config: Config) -> Iterator[Breach]:
    """Every rule that this configuration breaks."""
    yield from _ranges(config)
    yield from _orders(config)
    yield from _assets(config.watch.assets)
    yield from _endpoints(config)
    yield from _mqtt(config)
    if not _HOST.fullmatch(config.http.host):
        yield Breach("http.host", "an address to listen on", config.http.host)
    if stat.S_ISDIR(_mode(config.state.path)):
        yield Breach("state.path", "a file, not a directory", config.state.path)
    if stat.S_ISREG(_mode(config.record.directory)):
        yield Breach("record.directory", "a directory, not a file", config.record.directory)


def _at(config: Config, path: str) -> float:
    number: float = operator.attrgetter(path)(config)
    return number


def _ranges(config: Config) -> Iterator[Breach]:
    for path, (least, most) in _RANGES.items():
        if not least <= _at(config, path) <= most:
            yield Breach(path, f"{least} to {most}", _at(config, path))
    for path in _ABOVE_ZERO:
        if _at(config, path) <= 0:
            yield Breach(path, "above 0", _at(config, path))
    for path in _BELOW_ZERO:
        if _at(config, path) >= 0:
            yield Breach(path, "below 0", _at(config, path))
    for key in config.detector.__struct_fields__:
        path = f"detector.{key}"
        if path not in _RANGES and path not in _BELOW_ZERO + _ABOVE_ZERO and _at(config, path) < 0:
            yield Breach(path, "0 or more", _at(config, path))
    quantile = config.detector.scale_quantile
    if not 0 < quantile < 1:
        yield Breach("detector.scale_quantile", "between 0 and 1", quantile)


def _orders(config: Config) -> Iterator[Breach]:
    for low, high in _ASCENDING:
        if _at(config, high) <= _at(config, low):
            yield Breach(high, f"above {low} = {_at(config, low)}", _at(config, high))
    for low, high in _NOT_DESCENDING:
        if _at(config, high) < _at(config, low):
            yield Breach(high, f"{low} = {_at(config, low)} or more", _at(config, high))


def _assets(assets: tuple[str, ...]) -> Iterator[Breach]:
    if not assets:
        yield Breach("watch.assets", "one asset or more", assets)
    for place, asset in enumerate(assets):
        path = f"watch.assets[{place}]"
        # an asset is a level of topics
        if asset != asset.upper() or not _ASSET.fullmatch(asset):
            yield Breach(path, "an asset in upper case, such as BTC", asset)
        elif asset == MARKET:
            yield Breach(path, "an asset, not the word for all of them", asset)
        elif asset in assets[:place]:
            yield Breach(path, "each asset once", asset)


def _endpoints(config: Config) -> Iterator[Breach]:
    for name, options in config.venues.items():
        for original, replacement in options.endpoints.items():
            path = join(join(join("venues", name), "endpoints"), original)
            old, new = _split(original), _split(replacement)
            if not _plain(old) or old.path:
                yield Breach(path, "a key such as wss://fstream.binance.com", original)
            elif "@" in new.netloc:
                yield Breach(path, "a value without user and password", "***")
            elif not _plain(new):
                yield Breach(path, f"a value such as {old.scheme}://127.0.0.1:9001", replacement)
            elif new.scheme.startswith("ws") != old.scheme.startswith("ws"):
                yield Breach(path, f"a value with the scheme {old.scheme}", replacement)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _plain(parts: SplitResult) -> bool:
    """Whether it is a scheme, a host, perhaps a port and a path, and nothing else."""
    known = parts.scheme in {"ws", "wss", "http", "https"} and bool(parts.hostname)
    return known and not (parts.query or parts.fragment or "@" in parts.netloc)


def _mqtt(config: Config) -> Iterator[Breach]:
    mqtt = config.mqtt
    if not _HOST.fullmatch(mqtt.host):
        yield Breach("mqtt.host", "a host without scheme or port", mqtt.host)
    if not mqtt.client_id:
        yield Breach("mqtt.client_id", "a name", mqtt.client_id)
    if not _TOPIC.fullmatch(mqtt.base):
        yield Breach("mqtt.base", "topic levels such as liqmon or house/liqmon", mqtt.base)
    if mqtt.username and mqtt.username_file:
        yield Breach("mqtt.username_file", "nothing beside mqtt.username", mqtt.username_file)
    if mqtt.tls_cert and not mqtt.tls_key:
        yield Breach("mqtt.tls_key", "a file beside mqtt.tls_cert", mqtt.tls_key)
    if mqtt.tls_key and not mqtt.tls_cert:
        yield Breach("mqtt.tls_cert", "a file beside mqtt.tls_key", mqtt.tls_cert)
    for key in _READ_FILES:
        file = getattr(mqtt, key)
        if file and key.startswith("tls") and not mqtt.tls:
            yield Breach(f"mqtt.{key}", "nothing without mqtt.tls = true", file)
        elif file and mqtt.enabled and (stat.S_ISDIR(_mode(file)) or not os.access(file, os.R_OK)):
            yield Breach(f"mqtt.{key}", "a readable file", file)


def _mode(path: str) -> int:
    """What the system says stands there; 0 for nothing, or nothing that it shows us."""
    try:
        return Path(path).stat().st_mode if path else 0
    except OSError:
        return 0
