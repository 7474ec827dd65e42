/* Symmetric width × width matrices (Gram matrices) for the sampling-free learner and the interaction regulariser; included
 * like kernel_body.h. A matrix is stored whole, row after row. Trainers share them as they share rows.
 *
 * Symbols: M matrix, x vector, a strength.
 */

/* out = M x */
FK_INLINE void FK_NAME(product_of)(float *restrict out, const float *m, const float *x, const size_t width) {
    for (size_t r = 0; r < width; ++r) out[r] = 0;
    /* M is symmetric: a sum of its rows times x[r] needs no horizontal sums. Four rows a round keep `out` in registers. */
    for (size_t r = 0; r < width; r += 4) {
        const float *row = m + r * width;
        const float x0 = x[r], x1 = x[r + 1], x2 = x[r + 2], x3 = x[r + 3];
        for (size_t f = 0; f < width; ++f)
            out[f] += x0 * row[f] + x1 * row[width + f] + x2 * row[2 * width + f] + x3 * row[3 * width + f];
    }
}

FK_RACY static void FK_NAME(product)(float *out, const float *m, const float *x, size_t width) {
    switch (width) {
    case 32: FK_NAME(product_of)(out, m, x, 32); return;
    case 64: FK_NAME(product_of)(out, m, x, 64); return;
    default: FK_NAME(product_of)(out, m, x, width & ~(size_t)7);
    }
}

/* M = keep * M + a x x^T */
FK_RACY static void FK_NAME(rank_one)(float *m, float keep, const float *x, float a, size_t width) {
    for (size_t r = 0; r < width; ++r) {
        const float ax = a * x[r];
        float *row = m + r * width;
        for (size_t f = 0; f < width; ++f) row[f] = keep * row[f] + ax * x[f];
    }
}

/* M += x x^T - y y^T */
FK_RACY static void FK_NAME(rank_two)(float *m, const float *x, const float *y, size_t width) {
    for (size_t r = 0; r < width; ++r) {
        const float xr = x[r], yr = y[r];
        float *row = m + r * width;
        for (size_t f = 0; f < width; ++f) row[f] += xr * x[f] - yr * y[f];
    }
}

/* x <- (I + a M)^-1 x by conjugate gradients started at x (Hestenes and Stiefel 1952), until |r|^2 <= enough |x|^2 or
 * `steps` products are spent; the first residual is always applied. `scratch` holds 3 * width floats. */
FK_RACY static void FK_NAME(solve)(float *x, const float *m, float a, int steps, float enough, float *scratch,
                                   size_t width) {
    float *restrict r = scratch, *restrict d = scratch + width, *restrict md = scratch + 2 * width;
    FK_NAME(product)(md, m, x, width);
    float rr = 0, xx = 0;
    for (size_t f = 0; f < width; ++f) {
        r[f] = -a * md[f];
        d[f] = r[f];
        rr += r[f] * r[f];
        xx += x[f] * x[f];
    }
    enough *= xx;
    if (!(rr > enough)) {
        for (size_t f = 0; f < width; ++f) x[f] += r[f];
        return;
    }
    for (int step = 1; step < steps && rr > enough; ++step) {
        FK_NAME(product)(md, m, d, width);
        float dad = 0;
        for (size_t f = 0; f < width; ++f) {
            md[f] = d[f] + a * md[f];
            dad += d[f] * md[f];
        }
        const float alpha = rr / dad;
        float next = 0;
        for (size_t f = 0; f < width; ++f) {
            x[f] += alpha * d[f];
            r[f] -= alpha * md[f];
            next += r[f] * r[f];
        }
        const float beta = next / rr;
        rr = next;
        for (size_t f = 0; f < width; ++f) d[f] = r[f] + beta * d[f];
    }
}
