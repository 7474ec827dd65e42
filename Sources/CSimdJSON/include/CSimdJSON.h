/* A C face for simdjson's DOM parser: parse, then hand out the tape. Every meaning is given to the tape in Swift.
 * The tape's form is documented by simdjson (doc/tape.md). Nothing here throws; a parser belongs to one thread. */
#ifndef CSIMDJSON_H
#define CSIMDJSON_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Readable bytes that must follow the text given to csimdjson_parse; their content does not matter. */
#define CSIMDJSON_PADDING 64

typedef struct csimdjson_parser csimdjson_parser;

/* Null when memory is short. Texts over max_capacity bytes and nesting over max_depth are refused. */
csimdjson_parser *csimdjson_create(size_t max_capacity, size_t max_depth);
void csimdjson_destroy(csimdjson_parser *parser);

/* Makes room for texts of `capacity` bytes; 0 or an error code. What was parsed before is lost. */
int32_t csimdjson_reserve(csimdjson_parser *parser, size_t capacity);

/* Parses one document; 0 or an error code. The text is not referred to afterwards. */
int32_t csimdjson_parse(csimdjson_parser *parser, const uint8_t *bytes, size_t length);

/* The tape and the string buffer of the last document; valid until the next call on this parser. */
const uint64_t *csimdjson_tape(const csimdjson_parser *parser);
const uint8_t *csimdjson_strings(const csimdjson_parser *parser);

/* A static, null-terminated English text. */
const char *csimdjson_error_text(int32_t code);

/* The codes that callers tell apart. */
extern const int32_t csimdjson_error_capacity;
extern const int32_t csimdjson_error_depth;
extern const int32_t csimdjson_error_empty;

#ifdef __cplusplus
}
#endif
#endif
