/* Asks factord with libzmq: ask ENDPOINT METHOD [PARAMETERS]
 *   cc -O2 -o ask ask.c -lzmq && ./ask tcp://127.0.0.1:5561 score '{"user": "ann", "items": ["alien", "brazil"]}'
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* Sends a question and prints the answer; 0, or 1 where there is none in time. */
static int ask(void *socket, const char *method, const char *params) {
    size_t room = strlen(method) + strlen(params) + 64;
    char *body = malloc(room);
    if (!body) return 1;
    int size = snprintf(body, room, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
    /* A DEALER sends the empty frame that a REQ would send by itself. Many questions may be sent before the first answer. */
    int sent = zmq_send(socket, "", 0, ZMQ_SNDMORE) < 0 ? -1 : zmq_send(socket, body, (size_t)size, 0);
    free(body);
    if (sent < 0) return 1;
    int more = 0, failed = 1;
    size_t length = sizeof more;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    do {
        if (zmq_msg_recv(&frame, socket, 0) < 0) break;
        /* The empty frame comes back first; behind the answer there is another frame only where `items_frame` was asked for. */
        if (zmq_msg_size(&frame) > 0) {
            fwrite(zmq_msg_data(&frame), 1, zmq_msg_size(&frame), stdout);
            putchar('\n');
            failed = 0;
        }
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &length);
    } while (more);
    zmq_msg_close(&frame);
    return failed;
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: ask ENDPOINT METHOD [PARAMETERS]\n");
        return 64;
    }
    int milliseconds = 2000, linger = 0;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &milliseconds, sizeof milliseconds);
    int result = zmq_connect(socket, arguments[1]) < 0 || ask(socket, arguments[2], count > 3 ? arguments[3] : "{}");
    if (result) fprintf(stderr, "%s: %s\n", arguments[1], zmq_strerror(zmq_errno()));
    zmq_close(socket);
    zmq_ctx_term(context);
    return result;
}
