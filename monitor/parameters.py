"""What the detector may be told: every constant of its rules, with unit and default.

Defaults and their evidence: u is the asset's own scale (kernels/scale.py), close to the 0.995
quantile of its forced share of open interest over 60 seconds. All tiers, caps and drains are
multiples of u, so a venue that prints only a constant part of its forced orders gives the same
verdicts. Tiers, drain and waits come from training seeds (docs/detection-quality.md).
"""

import msgspec


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[detector]` section.

    Attributes:
        drain_per_min: What the bucket loses in a minute, in u.
        contract_cap: Most one contract may add in one second, in u.
        asset_cap: Most an asset may add in one second, in u.
        notice_tier, building_tier, onset_tier: Bucket levels of the tiers, in u.
        notice_confirmers, building_confirmers: Confirmers that must hold with them.
        full_level: What a bucket holds at most, in u.
        lull_s: Seconds of calm after which another full bucket is another wave.
        quiet_level: Bucket level below which pressure ends, in u.
        quiet_hold_s: For how long, seconds.
        cascading_after_s: Shortest stay in ONSET, seconds.
        cascading_forced: Forced share since onset that makes a cascade, in u.
        cascading_move_ratio: Or price move since onset, as a ratio.
        cascading_interest_ratio: Or open-interest change over 5 minutes, as a ratio.
        exhausting_rate_ratio: Forced share of 60 s over that since onset, at most.
        exhausting_extreme_s: Seconds without a new extreme.
        exhausting_hold_s: For how long all of it must hold, seconds.
        wave_rate_ratio: 60-s share over that since onset that revokes a pause.
        wave_range_ratio: New extreme beyond this part of the range that revokes a pause.
        exhausted_extreme_s: Seconds without a new extreme before EXHAUSTED.
        flat_ratio: Slope of open interest over the steepest of the episode, at most, for flat.
        flat_slope_ratio_per_s: Slope so small that it is flat whatever came before.
        interest_age_s: Age beyond which open interest is not known, seconds.
        unconfirmed_after_s: Seconds without fresh open interest that end an episode.
        price_z: Confirmer: price move of 60 or 300 s, in sigmas.
        interest_confirmer_ratio: Confirmer: open-interest change over 5 minutes.
        depth_confirmer_ratio: Confirmer: depth over its hour's mean, at most.
        basis_z: Confirmer: perp against spot, in sigmas.
        taker_z: Confirmer: taker imbalance over 60 s, in sigmas.
        prior_scale_ratio: u before an asset has a day of its own.
        least_scale_ratio, most_scale_ratio: Bounds of u against nonsense.
        scale_quantile: Quantile of the 60-s share that u rests on.
        scale_fall_ratio: Fall of open interest whose usual print u leans on, as a ratio.
        least_fallen_ratio: Open interest must have fallen by so much in all for that.
        most_lean: How far u may be off that quantile, as a factor.
        scale_days: Ageing time of its histogram, days; full baseline after as many.
        late_order_s: Age on arrival beyond which an order counts in totals only, seconds.
        follows_within_h: Hours within which a later onset follows an earlier episode.
        market_assets: Fewest watched assets that make a market, and fewest pressed ones that
            make breadth.
        breadth_level: Bucket level, in its own u, at which an asset that is fed is pressed.
        breadth_ratio: Part of the watch list's open interest that must be pressed at once.
        breadth_within_s: For how long an asset counts as pressed, seconds.
        breadth_lift: What breadth adds to the level of the market's bucket, in u.
    """

    drain_per_min: float = 1.75
    contract_cap: float = 0.5
    asset_cap: float = 2.5
    notice_tier: float = 2.4
    building_tier: float = 3.6
    onset_tier: float = 5.9
    notice_confirmers: int = 2
    building_confirmers: int = 2
    full_level: float = 11.0
    lull_s: int = 60
    quiet_level: float = 1.5
    quiet_hold_s: int = 600
    cascading_after_s: int = 60
    cascading_forced: float = 10.0
    cascading_move_ratio: float = 0.01
    cascading_interest_ratio: float = -0.005
    exhausting_rate_ratio: float = 0.04
    exhausting_extreme_s: int = 120
    exhausting_hold_s: int = 20
    wave_rate_ratio: float = 0.15
    wave_range_ratio: float = 0.10
    exhausted_extreme_s: int = 1080
    flat_ratio: float = 0.12
    flat_slope_ratio_per_s: float = 1e-6
    interest_age_s: int = 45
    unconfirmed_after_s: int = 3600
    price_z: float = 2.5
    interest_confirmer_ratio: float = -0.0015
    depth_confirmer_ratio: float = 0.70
    basis_z: float = 2.0
    taker_z: float = 2.0
    prior_scale_ratio: float = 3e-4
    least_scale_ratio: float = 1e-6
    most_scale_ratio: float = 5e-3
    scale_quantile: float = 0.995
    scale_fall_ratio: float = 0.001
    least_fallen_ratio: float = 0.01
    most_lean: float = 2.0
    scale_days: float = 14.0
    late_order_s: int = 30
    follows_within_h: float = 72.0
    market_assets: int = 3
    breadth_level: float = 3.0
    breadth_ratio: float = 0.30
    breadth_within_s: int = 120
    breadth_lift: float = 2.0
