/* Bare libzmq: what the transport alone can do on this machine. Each object has a context of its own; those with a thread
 * are stopped by ending their context. */
#include "CYardstick.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

static _Thread_local const char *last_error = "";
const char *yard_error(void) { return last_error; }

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pause_ns(int64_t nanoseconds) {
    struct timespec t = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    nanosleep(&t, NULL);
}

typedef struct {
    void *context;
    void *socket;
} line;

static int line_close(line *l, int result) {
    if (result < 0) last_error = zmq_strerror(zmq_errno());
    if (l->socket) zmq_close(l->socket);
    if (l->context) zmq_ctx_term(l->context);
    return result;
}

static int line_open(line *l, int kind, const char *endpoint, int binds, int high_water_mark) {
    int linger = 0;
    l->socket = NULL;
    l->context = zmq_ctx_new();
    if (!l->context) return line_close(l, -1);
    l->socket = zmq_socket(l->context, kind);
    if (!l->socket) return line_close(l, -1);
    zmq_setsockopt(l->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(l->socket, ZMQ_SNDHWM, &high_water_mark, sizeof high_water_mark);
    zmq_setsockopt(l->socket, ZMQ_RCVHWM, &high_water_mark, sizeof high_water_mark);
    int result = binds ? zmq_bind(l->socket, endpoint) : zmq_connect(l->socket, endpoint);
    return result < 0 ? line_close(l, -1) : 0;
}

struct yard_push { line line; };

yard_push *yard_push_connect(const char *endpoint, int high_water_mark) {
    yard_push *push = calloc(1, sizeof *push);
    if (push && line_open(&push->line, ZMQ_PUSH, endpoint, 0, high_water_mark) < 0) { free(push); return NULL; }
    /* A receiver that takes nothing for so long is gone. */
    int timeout = 60000;
    if (push) zmq_setsockopt(push->line.socket, ZMQ_SNDTIMEO, &timeout, sizeof timeout);
    return push;
}

static int send_frames(void *socket, const yard_frame *frames, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (zmq_send(socket, frames[i].data, frames[i].size, frames[i].more ? ZMQ_SNDMORE : 0) < 0) {
            last_error = zmq_strerror(zmq_errno());
            return -1;
        }
    }
    return 0;
}

int yard_push_send(yard_push *push, const yard_frame *frames, size_t count) {
    return send_frames(push->line.socket, frames, count);
}

void yard_push_close(yard_push *push) {
    line_close(&push->line, 0);
    free(push);
}

struct yard_pull {
    line line;
    pthread_t thread;
    _Atomic uint64_t messages;
    _Atomic int stopped;
};

static void *pull_all(void *argument) {
    yard_pull *pull = argument;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (!atomic_load_explicit(&pull->stopped, memory_order_relaxed)) {
        if (zmq_msg_recv(&message, pull->line.socket, 0) < 0) continue;
        if (!zmq_msg_more(&message)) atomic_fetch_add_explicit(&pull->messages, 1, memory_order_release);
    }
    zmq_msg_close(&message);
    return NULL;
}

yard_pull *yard_pull_bind(const char *endpoint, int high_water_mark) {
    yard_pull *pull = calloc(1, sizeof *pull);
    if (!pull) return NULL;
    if (line_open(&pull->line, ZMQ_PULL, endpoint, 1, high_water_mark) < 0) { free(pull); return NULL; }
    int timeout = 50;
    zmq_setsockopt(pull->line.socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    if (pthread_create(&pull->thread, NULL, pull_all, pull)) { line_close(&pull->line, 0); free(pull); return NULL; }
    return pull;
}

int yard_pull_wait(yard_pull *pull, uint64_t messages, double seconds) {
    const int64_t deadline = now() + (int64_t)(seconds * 1e9);
    while (atomic_load_explicit(&pull->messages, memory_order_acquire) < messages) {
        if (now() > deadline) { last_error = "messages did not arrive in time"; return -1; }
        pause_ns(50000);
    }
    return 0;
}

void yard_pull_close(yard_pull *pull) {
    atomic_store(&pull->stopped, 1);
    pthread_join(pull->thread, NULL);
    line_close(&pull->line, 0);
    free(pull);
}

struct yard_echo {
    line line;
    pthread_t thread;
    void *reply;
    size_t reply_bytes;
    _Atomic int stopped;
};

static void *echo_all(void *argument) {
    yard_echo *echo = argument;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (!atomic_load_explicit(&echo->stopped, memory_order_relaxed)) {
        /* A DEALER's request: the routing id, then the body. */
        if (zmq_msg_recv(&message, echo->line.socket, 0) < 0) continue;
        if (!zmq_msg_more(&message)) continue;
        zmq_msg_send(&message, echo->line.socket, ZMQ_SNDMORE);
        do zmq_msg_recv(&message, echo->line.socket, 0);
        while (zmq_msg_more(&message));
        zmq_send(echo->line.socket, echo->reply, echo->reply_bytes, 0);
    }
    zmq_msg_close(&message);
    return NULL;
}

yard_echo *yard_echo_bind(const char *endpoint, size_t reply_bytes) {
    yard_echo *echo = calloc(1, sizeof *echo);
    if (!echo) return NULL;
    echo->reply = calloc(1, reply_bytes + 1);
    echo->reply_bytes = reply_bytes;
    if (!echo->reply || line_open(&echo->line, ZMQ_ROUTER, endpoint, 1, 1000) < 0) goto failed;
    int timeout = 50;
    zmq_setsockopt(echo->line.socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    if (pthread_create(&echo->thread, NULL, echo_all, echo)) { line_close(&echo->line, 0); goto failed; }
    return echo;
failed:
    free(echo->reply);
    free(echo);
    return NULL;
}

void yard_echo_close(yard_echo *echo) {
    atomic_store(&echo->stopped, 1);
    pthread_join(echo->thread, NULL);
    line_close(&echo->line, 0);
    free(echo->reply);
    free(echo);
}

struct yard_client { line line; };

yard_client *yard_client_connect(const char *endpoint) {
    yard_client *client = calloc(1, sizeof *client);
    if (client && line_open(&client->line, ZMQ_DEALER, endpoint, 0, 1000) < 0) { free(client); return NULL; }
    int timeout = 5000;
    if (client) {
        zmq_setsockopt(client->line.socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
        zmq_setsockopt(client->line.socket, ZMQ_SNDTIMEO, &timeout, sizeof timeout);
    }
    return client;
}

int64_t yard_client_ask(yard_client *client, const void *request, size_t size, void *reply, size_t capacity,
                        size_t *reply_size) {
    const int64_t start = now();
    if (zmq_send(client->line.socket, request, size, 0) < 0) { last_error = zmq_strerror(zmq_errno()); return -1; }
    int got = zmq_recv(client->line.socket, reply, capacity, 0);
    if (got < 0) { last_error = zmq_strerror(zmq_errno()); return -1; }
    *reply_size = (size_t)got;
    return now() - start;
}

int yard_client_pipeline(yard_client *client, const void *request, size_t size, size_t count, size_t window, void *reply,
                         size_t capacity, size_t *reply_size) {
    void *socket = client->line.socket;
    size_t sent = 0, received = 0;
    while (received < count) {
        while (sent < count && sent - received < window) {
            if (zmq_send(socket, request, size, 0) < 0) { last_error = zmq_strerror(zmq_errno()); return -1; }
            ++sent;
        }
        int got = zmq_recv(socket, reply, capacity, 0);
        if (got < 0) { last_error = zmq_strerror(zmq_errno()); return -1; }
        do {
            ++received;
            *reply_size = (size_t)got;
        } while (received < sent && (got = zmq_recv(socket, reply, capacity, ZMQ_DONTWAIT)) >= 0);
    }
    return 0;
}

int yard_client_flood(yard_client *client, const void *request, size_t size, size_t count) {
    for (size_t i = 0; i < count; ++i)
        if (zmq_send(client->line.socket, request, size, 0) < 0) { last_error = zmq_strerror(zmq_errno()); return -1; }
    return 0;
}

void yard_client_close(yard_client *client) {
    line_close(&client->line, 0);
    free(client);
}

struct yard_load {
    line line;
    pthread_t thread;
    const yard_frame *frames;
    size_t count;
    int64_t interval;
    _Atomic int stopped;
};

static void *send_load(void *argument) {
    yard_load *load = argument;
    int64_t next = now();
    while (!atomic_load_explicit(&load->stopped, memory_order_relaxed)) {
        for (size_t sent = 0; sent < load->count && !atomic_load_explicit(&load->stopped, memory_order_relaxed);) {
            /* A message with all its parts. */
            size_t parts = 1;
            while (sent + parts < load->count && load->frames[sent + parts - 1].more) ++parts;
            /* Where there is no room, nothing of it is sent, and the load may have been stopped meanwhile. */
            if (send_frames(load->line.socket, load->frames + sent, parts) < 0 && zmq_errno() == EAGAIN) continue;
            sent += parts;
            next += load->interval * (int64_t)parts / (int64_t)load->count;
            const int64_t left = next - now();
            if (left > 0) pause_ns(left);
        }
    }
    return NULL;
}

yard_load *yard_load_start(const char *endpoint, const yard_frame *frames, size_t count, double messages_per_second) {
    yard_load *load = calloc(1, sizeof *load);
    if (!load) return NULL;
    load->frames = frames;
    load->count = count;
    load->interval = (int64_t)(1e9 / messages_per_second);
    if (line_open(&load->line, ZMQ_PUSH, endpoint, 0, 1000) < 0) { free(load); return NULL; }
    int timeout = 50;
    zmq_setsockopt(load->line.socket, ZMQ_SNDTIMEO, &timeout, sizeof timeout);
    if (pthread_create(&load->thread, NULL, send_load, load)) { line_close(&load->line, 0); free(load); return NULL; }
    return load;
}

void yard_load_stop(yard_load *load) {
    atomic_store(&load->stopped, 1);
    pthread_join(load->thread, NULL);
    line_close(&load->line, 0);
    free(load);
}
