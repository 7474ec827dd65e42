/* The plain Hogwild loop (Niu, Recht, Ré, Wright 2011). The width of a row, the optimiser and the loss are constants
 * wherever the loop is compiled, so that the compiler unrolls it and keeps rows in registers. */
#include "loop.h"
#include <math.h>
#include <pthread.h>
#include <string.h>

/* One row pair: score, error, and both steps from the values before. Returns the error. */
INLINE float one(yard_model *m, float *restrict p, float *restrict q, yard_state *ps, yard_state *qs, float constant,
                 float y, const size_t k, const int optimizer, const int loss) {
    float s = constant + qs->weight;
    for (size_t f = 0; f < k; ++f) s += p[f] * q[f];
    const float e = clamp(loss == yard_logistic ? 1.0f / (1.0f + expf(-s)) - y : s - y, m->error_cap);
    const float l2 = m->l2;
    float eta_p = m->rate, eta_q = m->rate, eta_w = m->weight_rate;
    const float gw = e + m->weight_l2 * qs->weight;
    if (optimizer == yard_adagrad) {
        float gp = 0, gq = 0;
        for (size_t f = 0; f < k; ++f) {
            float a = e * q[f] + l2 * p[f], b = e * p[f] + l2 * q[f];
            gp += a * a;
            gq += b * b;
        }
        ps->factor_accumulator += gp / k;
        qs->factor_accumulator += gq / k;
        qs->weight_accumulator += gw * gw;
        eta_p /= sqrtf(ps->factor_accumulator) + 1e-12f;
        eta_q /= sqrtf(qs->factor_accumulator) + 1e-12f;
        eta_w /= sqrtf(qs->weight_accumulator) + 1e-12f;
    }
    float norm_p = 0, norm_q = 0;
    for (size_t f = 0; f < k; ++f) {
        float a = p[f], b = q[f];
        p[f] = a - eta_p * (e * b + l2 * a);
        q[f] = b - eta_q * (e * a + l2 * b);
        norm_p += p[f] * p[f];
        norm_q += q[f] * q[f];
    }
    if (norm_p > m->norm_cap) {
        float scale = sqrtf(m->norm_cap / norm_p);
        for (size_t f = 0; f < k; ++f) p[f] *= scale;
    }
    if (norm_q > m->norm_cap) {
        float scale = sqrtf(m->norm_cap / norm_q);
        for (size_t f = 0; f < k; ++f) q[f] *= scale;
    }
    qs->weight -= eta_w * gw;
    qs->updates += 1;
    return e;
}

INLINE double loop(yard_model *m, const yard_event *events, size_t count, size_t ahead, const size_t k,
                   const int optimizer, const int loss) {
    double squares = 0;
    float bias = m->bias;
    const int negatives = m->negatives;
    /* The same number of rows on their way, whatever the negatives. */
    if (ahead > 0 && negatives > 0) ahead = ahead / (size_t)(negatives + 1) > 2 ? ahead / (size_t)(negatives + 1) : 2;
    for (size_t i = 0; i < count; ++i) {
        if (ahead && i + ahead < count) {
            const yard_event *next = events + i + ahead;
            fetch(m->users + next->user * k, m->user_states + next->user, k);
            fetch(m->items + next->item * k, m->item_states + next->item, k);
            for (int n = 0; n < negatives; ++n) {
                uint32_t item = draw(m, i + ahead, n);
                fetch(m->items + item * k, m->item_states + item, k);
            }
        }
        const yard_event *event = events + i;
        float *p = m->users + event->user * k;
        yard_state *ps = m->user_states + event->user;
        const float constant = bias + ps->weight;
        float e = one(m, p, m->items + event->item * k, ps, m->item_states + event->item, constant,
                      loss == yard_logistic ? 1 : event->label, k, optimizer, loss);
        float sum = e;
        squares += e * e;
        for (int n = 0; n < negatives; ++n) {
            uint32_t item = draw(m, i, n);
            e = one(m, p, m->items + item * k, ps, m->item_states + item, constant, 0, k, optimizer, loss);
            sum += e;
            squares += e * e;
        }
        float gw = sum + m->weight_l2 * ps->weight, eta = m->weight_rate;
        if (optimizer == yard_adagrad) {
            ps->weight_accumulator += gw * gw;
            eta /= sqrtf(ps->weight_accumulator) + 1e-12f;
        }
        ps->weight -= eta * gw;
        ps->updates += 1;
        bias -= m->bias_rate * sum;
    }
    m->bias = bias;
    return squares;
}

#define BY_LOSS(k, optimizer)                                                                            \
    (m->loss == yard_logistic ? loop(m, events, count, ahead, (k), (optimizer), yard_logistic)           \
                              : loop(m, events, count, ahead, (k), (optimizer), yard_squared))
#define RANK(k)                                                                                          \
    static __attribute__((noinline)) double train_##k(yard_model *m, const yard_event *events, size_t count, size_t ahead) { \
        return m->optimizer == yard_adagrad ? BY_LOSS(k, yard_adagrad) : BY_LOSS(k, yard_sgd);           \
    }
RANK(8) RANK(16) RANK(32) RANK(64) RANK(128)

static __attribute__((noinline)) double train_any(yard_model *m, const yard_event *events, size_t count, size_t ahead) {
    return m->optimizer == yard_adagrad ? BY_LOSS(m->rank, yard_adagrad) : BY_LOSS(m->rank, yard_sgd);
}

double yard_train(yard_model *m, const yard_event *events, size_t count, size_t ahead) {
    switch (m->rank) {
    case 8: return train_8(m, events, count, ahead);
    case 16: return train_16(m, events, count, ahead);
    case 32: return train_32(m, events, count, ahead);
    case 64: return train_64(m, events, count, ahead);
    case 128: return train_128(m, events, count, ahead);
    default: return train_any(m, events, count, ahead);
    }
}

typedef struct {
    yard_model *model;
    const yard_event *events;
    size_t count, ahead;
    int passes;
    double squares;
} part;

static void *run_part(void *argument) {
    part *p = argument;
    for (int pass = 0; pass < p->passes; ++pass) p->squares += yard_train(p->model, p->events, p->count, p->ahead);
    return NULL;
}

double yard_train_threads(yard_model *model, const yard_event *events, size_t count, size_t ahead, int threads, int passes,
                          int private_items) {
    enum { most = 64 };
    if (threads > most) threads = most;
    pthread_t handles[most];
    part parts[most];
    /* A line of its own for each thread, and w0 too: threads that write it at each event do little else. */
    struct {
        yard_model own;
    } __attribute__((aligned(128))) models[most];
    const size_t bytes = model->item_count * model->rank * sizeof(float);
    int started = 0;
    for (int t = 0; t < threads; ++t) {
        models[t].own = *model;
        if (private_items && t > 0) {
            models[t].own.items = yard_allocate(bytes);
            models[t].own.item_states = yard_allocate(model->item_count * sizeof(yard_state));
            if (!models[t].own.items || !models[t].own.item_states) break;
            memcpy(models[t].own.items, model->items, bytes);
            memcpy(models[t].own.item_states, model->item_states, model->item_count * sizeof(yard_state));
        }
        size_t from = count * (size_t)t / (size_t)threads, to = count * (size_t)(t + 1) / (size_t)threads;
        parts[t] = (part){&models[t].own, events + from, to - from, ahead, passes, 0};
        if (pthread_create(&handles[t], NULL, run_part, &parts[t])) break;
        started += 1;
    }
    double squares = 0;
    float bias = 0;
    for (int t = 0; t < started; ++t) {
        pthread_join(handles[t], NULL);
        squares += parts[t].squares;
        bias += models[t].own.bias / (float)started;
        if (private_items && t > 0) {
            yard_free(models[t].own.items);
            yard_free(models[t].own.item_states);
        }
    }
    model->bias = bias;
    return started == threads ? squares : -1;
}
