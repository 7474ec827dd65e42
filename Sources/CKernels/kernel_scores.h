/* Scores of rows against a query, for retrieval; included by kernel_body.h for each instruction set. */

FK_INLINE void FK_NAME(score_of)(const float *query, float constant, const float *rows, const fk_row_state *states,
                                 size_t count, const size_t width, size_t stride, float *out) {
    for (size_t i = 0; i < count; ++i) {
        const float *q = rows + i * stride;
        float dot = 0;
        for (size_t f = 0; f < width; ++f) dot += query[f] * q[f];
        out[i] = constant + states[i].weight + dot;
    }
}

FK_RACY static void FK_NAME(score_rows)(const float *query, float constant, const float *rows, const fk_row_state *states,
                                        size_t count, size_t width, size_t stride, float *out) {
    switch (width) {
    case 8: FK_NAME(score_of)(query, constant, rows, states, count, 8, stride, out); return;
    case 16: FK_NAME(score_of)(query, constant, rows, states, count, 16, stride, out); return;
    case 32: FK_NAME(score_of)(query, constant, rows, states, count, 32, stride, out); return;
    case 64: FK_NAME(score_of)(query, constant, rows, states, count, 64, stride, out); return;
    case 128: FK_NAME(score_of)(query, constant, rows, states, count, 128, stride, out); return;
    default: FK_NAME(score_of)(query, constant, rows, states, count, width & ~(size_t)7, stride, out);
    }
}

FK_RACY static void FK_NAME(softplus)(const float *x, size_t count, float *out) {
    for (size_t i = 0; i < count; ++i) out[i] = fk_softplus_near(x[i]);
}
