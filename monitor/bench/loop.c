/* The twin of kernels/flow.py `ingest` in C: the same arithmetic, in the same order, over the
   same records. It exists to be compared with: what a compiled loop costs at its best. */

#include <math.h>
#include <stdint.h>

enum { LIQUIDATION = 0, TRADE = 1, BOOK_TOP = 2, MARK = 3 };
enum { SPOT = 1 };
enum { SECOND_WINDOWS = 5, WINDOWS = 7, SECONDS_HELD = 3600, MINUTES_HELD = 1440 };

static const int64_t NS = 1000000000;
static const int64_t WINDOWS_S[WINDOWS] = {1, 10, 60, 300, 3600, 14400, 86400};
static const double MICRO_USD = 1000000.0;
static const double MOST_MICRO_USD = 10000000000.0 * 1000000.0;

typedef struct {
    int64_t received_ns, event_ns;
    double a, b;
    int32_t row;
    uint8_t kind, position, venue, counts;
} event_t;

typedef struct {
    int32_t asset;
    uint8_t kind, live;
    double bid, ask;
    int64_t quote_ns;
    double mark;
    int64_t mark_ns;
    double interest;
    int64_t interest_ns, cap_second;
    double cap_long, cap_short;
} contract_t;

typedef struct {
    double interest, interest_index, scale;
    uint8_t frozen;
    double taker_usd, spot_taker_usd, price, spot_price;
    int64_t price_second;
    double return_var;
    int64_t return_n;
    double basis_mean, basis_var;
    int64_t basis_n;
    double taker_mean, taker_var;
    int64_t taker_n;
    double price_z60, price_z300, basis, basis_z, taker_z, depth_ratio;
    int32_t depth_band;
    double interest_change_5m, interest_age_s;
} asset_t;

typedef struct {
    double bucket;
    int64_t bucket_ns, second;
    double added, share, share_total;
    int64_t usd_total, orders_total;
    double start_share;
    int64_t start_usd, start_orders;
    double excited_10s, excited_60s, excited_300s;
    int64_t excited_ns;
    double share_60s;
    int32_t tier;
    int64_t no_interest, late;
} pressure_t;

typedef struct {
    int64_t usd, largest;
    int32_t orders;
} bucket_t;

typedef struct {
    int64_t usd, orders;
} sum_t;

typedef struct {
    double drain_per_s, contract_cap, asset_cap, tier_1, tier_2, tier_3, full_level;
    int64_t late_ns, venues, other;
} limits_t;

static inline double least(double x, double y) { return y < x ? y : x; }
static inline double most(double x, double y) { return y > x ? y : x; }

/* Sizes of the records, for the caller to hold against its own. */
int64_t record_bytes(int64_t which) {
    const int64_t sizes[] = {sizeof(event_t), sizeof(contract_t), sizeof(asset_t),
                             sizeof(pressure_t), sizeof(bucket_t), sizeof(sum_t),
                             sizeof(limits_t)};
    return sizes[which];
}

int64_t ingest(const event_t *restrict events, int64_t start, int64_t end, int64_t second,
               contract_t *restrict contracts, asset_t *restrict assets,
               pressure_t *restrict pressure, bucket_t *restrict seconds,
               bucket_t *restrict minutes, sum_t *restrict sums,
               const limits_t *restrict limits) {
    const limits_t l = *limits;
    for (int64_t i = start; i < end; i++) {
        const event_t *e = &events[i];
        const double a = e->a, b = e->b;
        if (e->kind == BOOK_TOP) {
            contract_t *c = &contracts[e->row];
            c->bid = a;
            c->ask = b;
            c->quote_ns = e->received_ns;
            continue;
        }
        if (e->kind == TRADE) {
            const contract_t *c = &contracts[e->row];
            const double usd = a * b;
            if (!isfinite(usd)) continue;
            if (c->kind == SPOT)
                assets[c->asset].spot_taker_usd += usd;
            else
                assets[c->asset].taker_usd += usd;
            continue;
        }
        if (e->kind == MARK) {
            contracts[e->row].mark = a;
            contracts[e->row].mark_ns = e->received_ns;
            continue;
        }
        if (e->kind != LIQUIDATION) {
            contract_t *c = &contracts[e->row];
            asset_t *s = &assets[c->asset];
            double coins = a;
            if (isnan(coins)) {
                if (!(b > 0.0 && c->mark > 0.0)) continue;
                coins = b / c->mark;
            }
            if (!(0.0 < coins && coins < INFINITY)) continue;
            const double before = c->interest, level = s->interest;
            if (isnan(before)) {
                s->interest = isnan(level) ? coins : level + coins;
            } else {
                if (level > 0.0) s->interest_index *= 1.0 + (coins - before) / level;
                s->interest = level + (coins - before);
            }
            c->interest = coins;
            c->interest_ns = e->event_ns;
            continue;
        }

        int64_t micro = 0;
        if (b > 0.0) micro = (int64_t)least(b * MICRO_USD + 0.5, MOST_MICRO_USD);
        const int64_t asset = e->row < 0 ? l.other : contracts[e->row].asset;
        const int64_t ladder = asset * 2 + e->position;
        const int64_t line = ladder * l.venues + e->venue;
        const int64_t happened = e->event_ns / NS;
        const int64_t event_second = happened < second ? happened : second;
        const int64_t age = second - event_second;
        if (age < SECONDS_HELD) {
            bucket_t *k = &seconds[line * SECONDS_HELD + event_second % SECONDS_HELD];
            k->usd += micro;
            k->orders += 1;
            if (micro > k->largest) k->largest = micro;
            for (int w = 0; w < SECOND_WINDOWS; w++)
                if (age < WINDOWS_S[w]) {
                    sums[line * WINDOWS + w].usd += micro;
                    sums[line * WINDOWS + w].orders += 1;
                }
        }
        const int64_t minute = event_second / 60;
        const int64_t age_min = second / 60 - minute;
        if (age_min < MINUTES_HELD) {
            bucket_t *k = &minutes[line * MINUTES_HELD + minute % MINUTES_HELD];
            k->usd += micro;
            k->orders += 1;
            if (micro > k->largest) k->largest = micro;
            for (int w = SECOND_WINDOWS; w < WINDOWS; w++)
                if (age_min * 60 < WINDOWS_S[w]) {
                    sums[line * WINDOWS + w].usd += micro;
                    sums[line * WINDOWS + w].orders += 1;
                }
        }
        if (e->row < 0) continue;

        contract_t *c = &contracts[e->row];
        pressure_t *p = &pressure[ladder];
        if (e->counts == 0 || e->received_ns - e->event_ns > l.late_ns) {
            p->late += 1;
            continue;
        }
        const double interest = assets[asset].interest;
        if (!(interest > 0.0 && 0.0 < a && a < INFINITY)) {
            p->no_interest += 1;
            continue;
        }
        const double x = a / interest, u = assets[asset].scale;
        const int64_t now_second = e->received_ns / NS;
        double dt_s = (double)(e->received_ns - p->bucket_ns) * 1e-9;
        const double before = most(0.0, p->bucket - l.drain_per_s * u * dt_s);

        if (c->cap_second != now_second) {
            c->cap_second = now_second;
            c->cap_long = 0.0;
            c->cap_short = 0.0;
        }
        double add;
        if (e->position == 0) {
            add = most(0.0, least(x, l.contract_cap * u - c->cap_long));
            c->cap_long += add;
        } else {
            add = most(0.0, least(x, l.contract_cap * u - c->cap_short));
            c->cap_short += add;
        }
        if (p->second != now_second) {
            p->second = now_second;
            p->added = 0.0;
            p->share = 0.0;
        }
        add = most(0.0, least(add, l.asset_cap * u - p->added));
        if (before == 0.0) {
            p->start_share = p->share_total;
            p->start_usd = p->usd_total;
            p->start_orders = p->orders_total;
        }
        p->added += add;
        p->share += x;
        p->share_total += x;
        p->usd_total += micro;
        p->orders_total += 1;
        const double after = least(before + add, l.full_level * u);
        p->bucket = after;
        p->bucket_ns = e->received_ns;

        dt_s = (double)(e->received_ns - p->excited_ns) * 1e-9;
        p->excited_10s = p->excited_10s * exp(-dt_s / 10.0) + x;
        p->excited_60s = p->excited_60s * exp(-dt_s / 60.0) + x;
        p->excited_300s = p->excited_300s * exp(-dt_s / 300.0) + x;
        p->excited_ns = e->received_ns;

        const int tier_before = before >= l.tier_3 * u   ? 3
                                : before >= l.tier_2 * u ? 2
                                : before >= l.tier_1 * u ? 1
                                                         : 0;
        const int tier = after >= l.tier_3 * u   ? 3
                         : after >= l.tier_2 * u ? 2
                         : after >= l.tier_1 * u ? 1
                                                 : 0;
        p->tier = tier;
        if (tier > tier_before) return i;
    }
    return end;
}
