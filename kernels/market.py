"""The simulated market, second by second: positions break, engines sell, books thin.

For each asset, logs relative to its own start:

    worth    w += sigma_t z + shocks + phi dI               (z partly common to all assets)
    impact   dI = 1 % x net taker flow / 1 % depth          (Kyle-like, linear in flow over depth)
    passing  perp and spot keep (1 - phi) dI for a while; arbitrage moves it between the legs
    mark     = spot + mean basis of half a minute
    depth    thins with hurried moves and heals (Brunnermeier and Pedersen 2009: thin books and
             forced selling feed each other)
    positions  longs and shorts lie in rings of liquidation prices; where the mark crosses one, its
             coins wait for the engine, which sells them at a bounded part of the depth

Every state that the impact of forced orders enters is kept a second time for that impact alone.
The model is linear in it, so the mark without liquidations is the difference, and a liquidation
is endogenous if that mark had not reached its price: the truth a detector is judged by.
"""

import math
from typing import Final

from numba import float64, int64, types
from numba.np.numpy_support import from_dtype

from kernels.dtypes import Reals, Records, agents_dtype, regime_dtype, shock_dtype, tape_dtype
from kernels.jit import kernel

BIN: Final = 5e-4  # width of a bin of liquidation prices, log price
BINS: Final = 2048  # a ring: one hundred percent of log price, twice the longest distance
NORMALS: Final = 9  # random numbers an asset takes in a second
OPEN_EVERY_S: Final = 60
MARK_MEMORY_S: Final = 30.0
TREND_MEMORY_S: Final = 21_600.0
SPEED_MEMORY_S: Final = 20.0
MOST_IMPACT: Final = 0.03  # of log price in one second
DAY_S: Final = 86_400

_tape = from_dtype(tape_dtype)[:, ::1]
_agents = from_dtype(agents_dtype)[::1]
_regime = from_dtype(regime_dtype)[::1]
_shocks = from_dtype(shock_dtype)[::1]


@kernel(float64(int64))
def season(second: int) -> float:
    """Factor on volatility and turnover by time of day, UTC: busier at the American open."""
    hour = (second % DAY_S) / 3600.0
    day = 1.0 + 0.25 * math.cos((hour - 15.0) * math.pi / 12.0)
    # Funding minutes and the American open stir for a minute or two.
    stir = 0.0
    since_funding = second % 28_800
    if since_funding < 90:
        stir = 0.5 * (1.0 - since_funding / 90.0)
    since_open = second % DAY_S - 48_600
    if 0 <= since_open < 600:
        stir += 0.6 * (1.0 - since_open / 600.0)
    return float(day * (1.0 + stir))


@kernel(
    types.void(
        int64,
        _agents,
        _regime,
        float64[:, ::1],
        float64[:, ::1],
        float64[::1],
        float64[::1],
        float64,
        float64,
    )
)
def open_positions(
    a: int,
    agents: Records,
    regime: Records,
    longs: Reals,
    shorts: Reals,
    distances: Reals,
    weights: Reals,
    mark: float,
    trend: float,
) -> None:
    """Let OPEN_EVERY_S pass over an asset's positions: a part is closed, others are opened.

    What is at risk follows open interest, and leans to where price has been going.
    """
    r = regime[0]
    keep = math.exp(-OPEN_EVERY_S / r["holding_s"])
    lean = math.tanh(r["crowding"] * trend + 0.3 * agents["lean"][a])
    risk = r["at_risk_ratio"] * agents["interest"][a]
    # Few open positions while the market is in a hurry.
    pace = 0.02 * risk / (1.0 + 0.1 * agents["hurry"][a])
    held_long, held_short = 0.0, 0.0
    for k in range(BINS):
        longs[a, k] *= keep
        shorts[a, k] *= keep
        held_long += longs[a, k]
        held_short += shorts[a, k]
    new_long = max(0.0, min(risk * (1.0 + lean) - held_long, pace))
    new_short = max(0.0, min(risk * (1.0 - lean) - held_short, pace))
    for k in range(len(distances)):
        place = math.floor((mark - distances[k]) / BIN) % BINS
        longs[a, place] += new_long * weights[k]
        place = math.floor((mark + distances[k]) / BIN) % BINS
        shorts[a, place] += new_short * weights[k]


@kernel(
    types.void(
        int64,
        _tape,
        _agents,
        _regime,
        _shocks,
        float64[:, :, ::1],
        float64[:, ::1],
        float64[:, ::1],
        float64[:, ::1],
        float64[::1],
        float64[::1],
    )
)
def live(
    second: int,
    tape: Records,
    agents: Records,
    regime: Records,
    shocks: Records,
    normals: Reals,
    common: Reals,
    longs: Reals,
    shorts: Reals,
    distances: Reals,
    weights: Reals,
) -> None:
    """Live through the seconds of a tape and write down what truly happened.

    Args:
        second: Market time of the tape's first row, seconds since 1970.
        tape: (seconds x assets), written.
        agents: State of every asset, changed in place.
        regime: One record: how this market behaves.
        shocks: Moves from outside that touch these seconds, in any order.
        normals: Standard normals (seconds x assets x NORMALS).
        common: Standard normals that all assets share (seconds x 2).
        longs: Coins over usual open interest by liquidation price (assets x BINS), changed.
        shorts: The same.
        distances: Distances of liquidation prices from entry, log price, ascending.
        weights: Part of new positions at each distance; adds up to one.
    """
    r = regime[0]
    sigma, rho = r["sigma_1s"], r["common_ratio"]
    own = math.sqrt(1.0 - rho)
    shared = math.sqrt(rho)
    vol_keep = 1.0 / r["vol_memory_s"]
    vol_kick = r["vol_of_vol"] * math.sqrt(2.0 * vol_keep)
    phi, passing_decay = r["permanent_ratio"], 1.0 / r["impact_memory_s"]
    arbitrage, yields = r["arbitrage_per_s"], r["spot_weight"]
    calm_depth, healing = r["depth_ratio"], 1.0 / r["healing_s"]
    drift_keep = 1.0 / r["interest_memory_s"]
    drift_kick = r["interest_dev"] * math.sqrt(2.0 * drift_keep)
    speed_keep = 1.0 / SPEED_MEMORY_S
    # A mean return of memory m has this variance when returns are white.
    speed_usual = sigma * sigma * speed_keep / (2.0 - speed_keep)
    for t in range(tape.shape[0]):
        now = second + t
        busy = season(now)
        for a in range(tape.shape[1]):
            g = agents[a]
            n = normals[t, a]
            # Worth.
            g["log_vol"] += -vol_keep * g["log_vol"] + vol_kick * (0.6 * common[t, 1] + 0.8 * n[1])
            deep, move, excitement = 1.0, 0.0, 0.0
            for k in range(len(shocks)):
                s = shocks[k]
                since = now - s["second"]
                if (s["asset"] == a or s["asset"] < 0) and 0 <= since < s["duration_s"]:
                    move += s["move"] / s["duration_s"]
                    deep = max(deep, s["deep"])
                    if since == 0:
                        excitement += s["excitement"]
            g["log_vol"] = min(3.0, g["log_vol"] + excitement)
            # The factor on depth fades rather than breaks off.
            g["deep"] = max(deep, 1.0 + (g["deep"] - 1.0) * (1.0 - healing))
            vol = sigma * busy * math.exp(g["log_vol"])
            step = vol * (shared * common[t, 0] + own * n[0]) + move
            # A part of every hurried move from outside goes too far and comes back.
            over = r["overshoot_ratio"] * move
            g["worth"] += step - over
            g["passing_perp"] += over
            g["passing_spot"] += over

            # Engines sell what waits, at most a part of the depth.
            depth = calm_depth * g["interest"] * math.exp(g["thin"]) * g["deep"]
            most = r["engine_ratio"] * depth
            sold = min(g["waiting_long"], max(g["waiting_long"] / r["engine_s"], 1e-7), most)
            bought = min(g["waiting_short"], max(g["waiting_short"] / r["engine_s"], 1e-7), most)
            sold_own = 0.0
            if sold > 0.0:
                sold_own = sold * g["waiting_long_own"] / g["waiting_long"]
                g["waiting_long"] -= sold
                g["waiting_long_own"] -= sold_own
            bought_own = 0.0
            if bought > 0.0:
                bought_own = bought * g["waiting_short_own"] / g["waiting_short"]
                g["waiting_short"] -= bought
                g["waiting_short_own"] -= bought_own
            forced = bought - sold

            # Hurried moves make people leave, partly with market orders in the same direction.
            g["leaving"] += (
                -g["leaving"] / 7200.0 + r["leaving_dev"] * math.sqrt(2.0 / 7200.0) * n[2]
            )
            usual = speed_usual * busy * busy
            ratio = g["speed"] * g["speed"] / usual
            g["hurry"] += 0.1 * (ratio - g["hurry"])
            hurried = max(0.0, abs(g["speed"]) - 3.0 * math.sqrt(usual))
            left = min(0.002, r["leaving"] * math.exp(g["leaving"]) * hurried) * g["interest"]
            direction = 1.0 if g["speed"] > 0.0 else -1.0
            panic = direction * left * r["leaving_taker"]

            # Buyers of the dip, and sellers of the top, who come when price is far from worth.
            g["appetite"] += (
                -g["appetite"] / 3600.0 + r["appetite_dev"] * math.sqrt(2.0 / 3600.0) * n[3]
            )
            pull = r["dip_buying_per_s"] * math.exp(g["appetite"])

            # Who leaves of his own will can wait for the book: the calm depth stands against him.
            of_forced = max(-MOST_IMPACT, min(MOST_IMPACT, 0.01 * forced / depth))
            impact = of_forced + 0.01 * panic / calm_depth
            g["worth"] += phi * impact
            g["forced_worth"] += phi * of_forced
            # A stronger pull with distance, as long as it stays a decay.
            fade = min(0.2, passing_decay + pull * abs(g["passing_perp"]) / 0.01)
            across = arbitrage * (g["passing_perp"] - g["passing_spot"])
            g["passing_perp"] += (1.0 - phi) * impact - (1.0 - yields) * across
            g["passing_perp"] -= fade * g["passing_perp"]
            g["passing_spot"] += yields * across - fade * g["passing_spot"]
            across = arbitrage * (g["forced_perp"] - g["forced_spot"])
            g["forced_perp"] += (1.0 - phi) * of_forced - (1.0 - yields) * across
            g["forced_perp"] -= fade * g["forced_perp"]
            g["forced_spot"] += yields * across - fade * g["forced_spot"]

            premium = 2e-4 * g["lean"]
            perp = g["worth"] + g["passing_perp"] + premium + 2e-5 * n[4]
            spot = g["worth"] + g["passing_spot"]
            g["basis_mean"] += (perp - spot - g["basis_mean"]) / MARK_MEMORY_S
            g["forced_basis"] += (
                g["forced_perp"] - g["forced_spot"] - g["forced_basis"]
            ) / MARK_MEMORY_S
            mark = spot + g["basis_mean"]
            unforced = mark - (g["forced_worth"] + g["forced_spot"] + g["forced_basis"])

            # The mark passes liquidation prices.
            here = math.floor(mark / BIN)
            while g["mark_bin"] > here:
                place = g["mark_bin"] % BINS
                hit = longs[a, place]
                if hit > 0.0:
                    g["waiting_long"] += hit
                    if unforced > g["mark_bin"] * BIN:
                        g["waiting_long_own"] += hit
                    longs[a, place] = 0.0
                g["mark_bin"] -= 1
            while g["mark_bin"] < here:
                place = g["mark_bin"] % BINS
                hit = shorts[a, place]
                if hit > 0.0:
                    g["waiting_short"] += hit
                    if unforced < (g["mark_bin"] + 1) * BIN:
                        g["waiting_short_own"] += hit
                    shorts[a, place] = 0.0
                g["mark_bin"] += 1

            # What forced orders moved for good fades out of the comparison in half an hour: new
            # positions are opened at the price as it is.
            g["forced_worth"] -= g["forced_worth"] / 1800.0

            # Open interest.
            g["interest_drift"] += -drift_keep * g["interest_drift"] + drift_kick * n[5]
            target = math.exp(g["interest_drift"])
            g["interest"] += (target - g["interest"]) / r["returning_s"]
            g["interest"] -= left + r["closing_ratio"] * (sold + bought)
            g["interest"] = max(0.05, g["interest"])

            # Books thin with hurry, at once, and heal.
            # Where nobody wants to buy the dip they thin the more.
            fragile = r["thinning"] * math.exp(-0.5 * g["appetite"])
            thin_to = -fragile * math.log(1.0 + max(0.0, g["hurry"] - 2.0))
            if thin_to < g["thin"]:
                g["thin"] += 0.25 * (thin_to - g["thin"])
            else:
                g["thin"] -= healing * g["thin"]
            g["thin"] = max(-4.0, g["thin"])
            realised = step + impact - fade * g["passing_perp"]
            g["speed"] += speed_keep * (realised - g["speed"])
            g["trend"] += (perp - g["trend"]) / TREND_MEMORY_S
            g["lean"] += -g["lean"] / 86_400.0 + math.sqrt(2.0 / 86_400.0) * n[8]
            g["funding_ratio"] += (
                1e-4 + 2e-4 * g["lean"] + 0.02 * (perp - spot) - g["funding_ratio"]
            ) / 3600.0

            if now % OPEN_EVERY_S == a % OPEN_EVERY_S:
                open_positions(
                    a, agents, regime, longs, shorts, distances, weights, mark, perp - g["trend"]
                )

            # The tape.
            coins = g["coins"]
            row = tape[t, a]
            row["perp"] = g["scale_usd"] * math.exp(perp)
            row["spot"] = g["scale_usd"] * math.exp(spot)
            row["mark"] = g["scale_usd"] * math.exp(mark)
            row["interest"] = coins * g["interest"]
            row["forced_long"] = coins * sold
            row["forced_short"] = coins * bought
            row["endogenous_long"] = coins * sold_own
            row["endogenous_short"] = coins * bought_own
            row["depth_usd"] = 2.0 * depth * coins * row["perp"]
            turnover = r["turnover_per_s"] * busy * (0.5 + 0.5 * min(30.0, g["hurry"]))
            drawn = 0.25 * step / max(vol, 1e-9)
            row["taker"] = coins * (forced + panic + turnover * (0.3 * n[6] + drawn))
            row["volume"] = coins * (sold + bought + left + turnover)
            row["spot_taker"] = coins * 0.3 * turnover * (0.3 * n[7] + drawn)
            row["funding_ratio"] = g["funding_ratio"]
            row["stress"] = min(1.0, max(0.0, (g["hurry"] - 8.0) / 40.0))
