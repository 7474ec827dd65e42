/* The plain loop with each user's newest items as context: the query is the user's row and a sum of other rows, which all take a step. */
#include "loop.h"
#include <math.h>

INLINE void cap_norm(const yard_model *m, float *restrict row, const size_t k) {
    float norm = 0;
    for (size_t f = 0; f < k; ++f) norm += row[f] * row[f];
    if (norm > m->norm_cap)
        for (size_t f = 0; f < k; ++f) row[f] *= sqrtf(m->norm_cap / norm);
}

/* One item against the query, which moves with it; returns the error. */
INLINE float one(const yard_model *m, float *restrict query, float *restrict gradient, float *restrict z, yard_state *zs, float constant,
                 float y, const size_t k) {
    float s = constant + zs->weight;
    for (size_t f = 0; f < k; ++f) s += query[f] * z[f];
    const float e = clamp(1.0f / (1.0f + expf(-s)) - y, m->error_cap);
    for (size_t f = 0; f < k; ++f) {
        const float a = query[f], b = z[f];
        gradient[f] += e * b;
        query[f] = a - m->rate * e * b;
        z[f] = b - m->rate * (e * a + m->l2 * b);
    }
    cap_norm(m, z, k);
    zs->weight -= m->weight_rate * (e + m->weight_l2 * zs->weight);
    zs->updates += 1;
    return e;
}

INLINE double loop(yard_model *m, yard_history *h, const yard_event *events, size_t count, size_t ahead, const size_t k) {
    double squares = 0;
    const size_t length = h->length, slots = h->slots;
    for (size_t i = 0; i < count; ++i) {
        /* First where the user's newest items stand, then the rows, then the rows that these name. */
        if (ahead && i + 4 * ahead < count) {
            const size_t user = events[i + 4 * ahead].user;
            __builtin_prefetch(h->written + user, 1, 3);
            for (size_t s = 0; s < slots; s += 16) __builtin_prefetch(h->newest + user * slots + s, 1, 3);
        }
        if (ahead && i + 2 * ahead < count) {
            const yard_event *next = events + i + 2 * ahead;
            fetch(m->users + next->user * k, m->user_states + next->user, k);
            fetch(m->items + next->item * k, m->item_states + next->item, k);
            for (int n = 0; n < m->negatives; ++n) {
                const uint32_t item = draw(m, i + 2 * ahead, n);
                fetch(m->items + item * k, m->item_states + item, k);
            }
        }
        if (ahead && i + ahead < count) {
            const size_t user = events[i + ahead].user, written = h->written[user], held = written < length ? written : length;
            for (size_t n = 1; n <= held; ++n) {
                const size_t item = h->newest[user * slots + ((written - n) & (slots - 1))];
                fetch(h->rows + item * k, h->states + item, k);
            }
        }
        const yard_event *event = events + i;
        float *const p = m->users + event->user * k;
        yard_state *const ps = m->user_states + event->user;
        uint32_t *const newest = h->newest + event->user * slots;
        const size_t written = h->written[event->user], held = written < length ? written : length;
        float query[k], gradient[k];
        for (size_t f = 0; f < k; ++f) query[f] = p[f], gradient[f] = 0;
        float x = held ? 1 / sqrtf((float)held) : 0;
        for (size_t n = 1; n <= held; ++n) {
            const float *const row = h->rows + newest[(written - n) & (slots - 1)] * k;
            for (size_t f = 0; f < k; ++f) query[f] += x * row[f];
        }
        const float constant = m->bias + ps->weight;
        float e = one(m, query, gradient, m->items + event->item * k, m->item_states + event->item, constant, 1, k), sum = e;
        squares += e * e;
        for (int n = 0; n < m->negatives; ++n) {
            const uint32_t item = draw(m, i, n);
            e = one(m, query, gradient, m->items + item * k, m->item_states + item, constant, 0, k);
            sum += e;
            squares += e * e;
        }
        for (size_t f = 0; f < k; ++f) p[f] -= m->rate * (gradient[f] + (float)(m->negatives + 1) * m->l2 * p[f]);
        cap_norm(m, p, k);
        ps->weight -= m->weight_rate * (sum + m->weight_l2 * ps->weight);
        ps->updates += 1;
        m->bias -= m->bias_rate * sum;
        for (size_t n = 1; n <= held; ++n) {
            const size_t item = newest[(written - n) & (slots - 1)];
            float *const row = h->rows + item * k;
            for (size_t f = 0; f < k; ++f) row[f] -= h->rate * (x * gradient[f] + m->l2 * row[f]);
            cap_norm(m, row, k);
            h->states[item].updates += 1;
        }
        newest[written & (slots - 1)] = event->item;
        h->written[event->user] += 1;
    }
    return squares;
}

#define RANK(k)                                                                                                             \
    static __attribute__((noinline)) double train_##k(yard_model *m, yard_history *h, const yard_event *events, size_t count, \
                                                      size_t ahead) {                                                       \
        return loop(m, h, events, count, ahead, (k));                                                                       \
    }
RANK(8) RANK(16) RANK(32) RANK(64) RANK(128)

double yard_train_history(yard_model *m, yard_history *h, const yard_event *events, size_t count, size_t ahead) {
    switch (m->rank) {
    case 8: return train_8(m, h, events, count, ahead);
    case 16: return train_16(m, h, events, count, ahead);
    case 32: return train_32(m, h, events, count, ahead);
    case 64: return train_64(m, h, events, count, ahead);
    case 128: return train_128(m, h, events, count, ahead);
    default: return loop(m, h, events, count, ahead, m->rank);
    }
}
