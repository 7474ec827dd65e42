#include "CSimdJSON.h"

#include <new>
#include <simdjson.h>

static_assert(CSIMDJSON_PADDING >= simdjson::SIMDJSON_PADDING, "the callers' padding must satisfy simdjson");

struct csimdjson_parser {
    simdjson::dom::parser parser;
    simdjson::dom::document document;
    size_t max_capacity;
    size_t max_depth;

    csimdjson_parser(size_t capacity, size_t depth) : parser(capacity), max_capacity(capacity), max_depth(depth) {}
};

extern "C" {

const int32_t csimdjson_error_capacity = simdjson::CAPACITY;
const int32_t csimdjson_error_depth = simdjson::DEPTH_ERROR;
const int32_t csimdjson_error_empty = simdjson::EMPTY;

csimdjson_parser *csimdjson_create(size_t max_capacity, size_t max_depth) {
    return new (std::nothrow) csimdjson_parser(max_capacity, max_depth);
}

void csimdjson_destroy(csimdjson_parser *parser) { delete parser; }

int32_t csimdjson_reserve(csimdjson_parser *parser, size_t capacity) {
    if (capacity > parser->max_capacity) return simdjson::CAPACITY;
    if (auto error = parser->parser.allocate(capacity, parser->max_depth)) return error;
    return parser->document.allocate(capacity);
}

int32_t csimdjson_parse(csimdjson_parser *parser, const uint8_t *bytes, size_t length) {
    return parser->parser.parse_into_document(parser->document, bytes, length, false).error();
}

const uint64_t *csimdjson_tape(const csimdjson_parser *parser) { return parser->document.tape.get(); }

const uint8_t *csimdjson_strings(const csimdjson_parser *parser) { return parser->document.string_buf.get(); }

const char *csimdjson_error_text(int32_t code) {
    return simdjson::error_message(static_cast<simdjson::error_code>(code));
}
}
