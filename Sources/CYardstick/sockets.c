/* Plain sockets: those who only connect, and a client of HTTP that asks once on each connection. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "CYardstick.h"
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A server that takes no more must not hold us up for long. */
static int connect_to(int port, int milliseconds) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    close(descriptor);
    return -1;
}

size_t yard_connect_many(int port, size_t count, int *descriptors) {
    size_t made = 0;
    for (size_t i = 0; i < count; ++i) {
        int descriptor = connect_to(port, 100);
        if (descriptor >= 0) descriptors[made++] = descriptor;
    }
    return made;
}

void yard_close_many(const int *descriptors, size_t count) {
    for (size_t i = 0; i < count; ++i) close(descriptors[i]);
}

int64_t yard_http_ask(int port, const void *request, size_t size, void *reply, size_t capacity, size_t *reply_size) {
    const int64_t start = now();
    int descriptor = connect_to(port, 10000);
    if (descriptor < 0) return -1;
    size_t have = 0;
    ssize_t got = send(descriptor, request, size, MSG_NOSIGNAL) == (ssize_t)size ? 1 : -1;
    while (got > 0 && have < capacity) {
        got = recv(descriptor, (char *)reply + have, capacity - have, 0);
        if (got > 0) have += (size_t)got;
    }
    close(descriptor);
    *reply_size = have;
    return got < 0 || have == 0 ? -1 : now() - start;
}
