/* What factord is measured against: plain C, built for this machine with -O3 -march=native -ffast-math, without tables,
 * ids, queues, snapshots or any other duty of a service. Used by factord-bench alone.
 */
#ifndef CYARDSTICK_H
#define CYARDSTICK_H
#include <stddef.h>
#include <stdint.h>

/// One event in memory, ids resolved to row numbers.
typedef struct {
    uint32_t user;
    uint32_t item;
    float label;
} yard_event;

/// What a row holds beside its factors: the same as the product's.
typedef struct {
    float weight;
    float weight_accumulator;
    float factor_accumulator;
    uint32_t updates;
} yard_state;

enum { yard_squared = 0, yard_logistic = 1 };
enum { yard_sgd = 0, yard_adagrad = 1 };

/// A matrix factorisation with biases: rows of `rank` floats (a multiple of 8), 64-byte aligned, one after the other.
typedef struct {
    float *users;
    float *items;
    yard_state *user_states;
    yard_state *item_states;
    size_t rank;
    size_t item_count;
    float bias;
    float rate, l2, weight_rate, weight_l2, bias_rate;
    float error_cap;
    float norm_cap;  ///< of the squared norm
    int loss, optimizer;
    int negatives;   ///< uniform draws for each event, label 0
    uint64_t seed;   ///< of the draws
} yard_model;

/// Learns the events in order. `ahead`: how many events ahead rows are asked for; 0 switches that off.
/// Returns the sum of squared errors.
double yard_train(yard_model *model, const yard_event *events, size_t count, size_t ahead);

/// What each user did last, and items' rows as such: context of the user's next event.
typedef struct {
    float *rows;         ///< as the model's items, without weights
    yard_state *states;
    uint32_t *newest;    ///< `slots` items a user, a power of two; item number n of all that came at n modulo that
    uint32_t *written;   ///< how many came, by user
    size_t slots, length;  ///< room, and how many of them are context: each with the inverse of the root of their number
    float rate;
} yard_history;

/// As `yard_train`, logistic and sgd, with users' newest items as context of their events, which they are added to. Rows of a history
/// are asked for `ahead` events ahead, items' rows twice, and histories four times that.
double yard_train_history(yard_model *model, yard_history *history, const yard_event *events, size_t count, size_t ahead);

/// Hogwild: each thread learns its own run of the events, `passes` times over. With `private_items` each thread has item rows
/// of its own, which shows what the machine could do if threads never met (what is learned is of no use then).
/// Returns the sum of squared errors of all passes; -1 where a thread or its memory was refused. Not NaN: the compiler is
/// told that there is none.
double yard_train_threads(yard_model *model, const yard_event *events, size_t count, size_t ahead, int threads, int passes,
                          int private_items);

/// The best `n` (at most 64) of `count` rows for a query, by a scan.
void yard_scan(const float *query, const float *rows, const yard_state *states, size_t count, size_t rank, uint32_t *best,
               size_t n);

/// Sums all words of a buffer; copies one. For the bandwidth of memory.
uint64_t yard_read(const void *memory, size_t bytes);
void yard_copy(void *to, const void *from, size_t bytes);

/// Multiplies all numbers of a buffer in place: each byte is read and written once, as an update does with its rows.
void yard_update(float *memory, size_t count, float factor);

/// 64-byte aligned, zeroed and touched; NULL when there is not enough. Given back by `yard_free`.
void *yard_allocate(size_t bytes);
void yard_free(void *memory);

/// A frame of a message; `more` frames of the same message follow.
typedef struct {
    const void *data;
    size_t size;
    int more;
} yard_frame;

/// A PUSH socket of bare libzmq. NULL on failure, as for all that follow; the caller reports `yard_error`.
typedef struct yard_push yard_push;
yard_push *yard_push_connect(const char *endpoint, int high_water_mark);
/// Sends all frames, waiting where the queue is full; 0 or -1.
int yard_push_send(yard_push *push, const yard_frame *frames, size_t count);
void yard_push_close(yard_push *push);

/// A thread that receives messages with bare libzmq and counts them.
typedef struct yard_pull yard_pull;
yard_pull *yard_pull_bind(const char *endpoint, int high_water_mark);
/// Waits until so many messages have come since the start; 0, or -1 after `seconds`.
int yard_pull_wait(yard_pull *pull, uint64_t messages, double seconds);
void yard_pull_close(yard_pull *pull);

/// A thread that answers every request on a ROUTER socket with `reply_bytes` bytes.
typedef struct yard_echo yard_echo;
yard_echo *yard_echo_bind(const char *endpoint, size_t reply_bytes);
void yard_echo_close(yard_echo *echo);

/// A DEALER that asks and waits, one request at a time.
typedef struct yard_client yard_client;
yard_client *yard_client_connect(const char *endpoint);
/// Nanoseconds of a round trip, or -1. Up to `capacity` bytes of the answer are kept in `reply`, its size in `reply_size`.
int64_t yard_client_ask(yard_client *client, const void *request, size_t size, void *reply, size_t capacity,
                        size_t *reply_size);
void yard_client_close(yard_client *client);

/// Asks `count` times, with up to `window` requests under way; 0, or -1 with `yard_error` where an answer stays out. Up to
/// `capacity` bytes of the last answer are kept in `reply`, its size in `reply_size`.
int yard_client_pipeline(yard_client *client, const void *request, size_t size, size_t count, size_t window, void *reply,
                         size_t capacity, size_t *reply_size);

/// Asks `count` times and never reads an answer; 0 or -1.
int yard_client_flood(yard_client *client, const void *request, size_t size, size_t count);

/// Opens so many plain connections to a port of this machine, and says nothing on them. Answers how many came to be.
size_t yard_connect_many(int port, size_t count, int *descriptors);
void yard_close_many(const int *descriptors, size_t count);

/// One request of HTTP on a connection of its own, which the request must ask to be closed. Nanoseconds from before the connect to
/// the end, or -1.
int64_t yard_http_ask(int port, const void *request, size_t size, void *reply, size_t capacity, size_t *reply_size);

/// A thread that sends the same message so many times a second.
typedef struct yard_load yard_load;
yard_load *yard_load_start(const char *endpoint, const yard_frame *frames, size_t count, double messages_per_second);
void yard_load_stop(yard_load *load);

/// What libzmq said of the last failure on this thread.
const char *yard_error(void);

#endif
