/* Changes inputs by the structure of JSON, so that many of them stay good; some as libFuzzer does.
 *
 * Half of the time a line that was approved before takes the place of the input, since nearly all of a corpus is bad.
 * A token is a string, a run of other characters, or one character of punctuation. A change copies a value over another
 * value, doubles or deletes a few adjacent tokens, changes a byte within a value, or adds white space or a line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

enum { TOKENS_MAX = 1024, REMEMBERED_MAX = 512, REMEMBERED_BYTES = 1024 };

typedef struct {
    size_t start, stop;
} token_t;

static uint64_t state = 1;

/* Return a pseudo-random number below a limit (xorshift64). */
static size_t below(size_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % limit);
}

static bool is_punctuation(uint8_t byte) { return memchr("{}[]:, \t\r\n", byte, 10) != NULL; }

static size_t tokens_of(const uint8_t *data, size_t size, token_t *tokens) {
    size_t count = 0;
    for (size_t at = 0; at < size && count < TOKENS_MAX; count++) {
        size_t start = at++;
        if (data[start] == '"') {
            for (; at < size && data[at] != '"' && data[at] != '\n'; at++) at += data[at] == '\\' && at + 1 < size;
            at += at < size && data[at] == '"';
        } else if (!is_punctuation(data[start])) {
            while (at < size && !is_punctuation(data[at]) && data[at] != '"') at++;
        }
        tokens[count] = (token_t){start, at};
    }
    return count;
}

/* Replace what lies between two places by other bytes, which may be part of the data; return the new size. */
static size_t replace(uint8_t *data, size_t size, size_t most, token_t place, const uint8_t *bytes, size_t length) {
    static uint8_t copy[1 << 16];
    if (length > sizeof copy || size - (place.stop - place.start) + length > most) return size;
    memcpy(copy, bytes, length);
    memmove(data + place.start + length, data + place.stop, size - place.stop);
    memcpy(data + place.start, copy, length);
    return size - (place.stop - place.start) + length;
}

/* Return a random token; most of the time a value, which is neither punctuation nor a key. */
static token_t any_token(const uint8_t *data, size_t size, const token_t *tokens, size_t count) {
    token_t token = tokens[below(count)];
    for (int times = 0; times < 20; times++, token = tokens[below(count)]) {
        size_t next = token.stop;
        while (next < size && (data[next] == ' ' || data[next] == '\t')) next++;
        if (!is_punctuation(data[token.start]) && (next == size || data[next] != ':')) break;
    }
    return token;
}

static size_t change(uint8_t *data, size_t size, size_t most) {
    static const char SPACE[] = " \t\r";
    static const char BYTES[] = "\"\\/u0123456789abcdefABCDEFnrt-_+.TZ:{}[]\x80\xbf\xc3\xe2\xed\xf0\xf4 ";
    static token_t tokens[TOKENS_MAX];
    size_t count = tokens_of(data, size, tokens);
    if (!count) return LLVMFuzzerMutate(data, size, most);
    token_t token = any_token(data, size, tokens, count), other = any_token(data, size, tokens, count);
    size_t last = below(count), first = last - (last < 8 ? below(last + 1) : below(8));
    token_t span = {tokens[first].start, tokens[last].stop};
    token_t point = {token.start, token.start};
    uint8_t byte = (uint8_t)BYTES[below(sizeof BYTES - 1)];
    switch (below(10)) {
        case 0:
        case 1:
            for (int times = 0; times < 20 && (data[other.start] == '"') != (data[token.start] == '"'); times++) {
                other = any_token(data, size, tokens, count);
            }
            return replace(data, size, most, token, data + other.start, other.stop - other.start);
        case 2:
            point.start = point.stop = span.stop;
            return replace(data, size, most, point, data + span.start, span.stop - span.start);
        case 3: return replace(data, size, most, span, data, 0);
        case 4: return replace(data, size, most, point, (const uint8_t *)SPACE + below(3), 1);
        case 5:
        case 6: data[token.start + below(token.stop - token.start)] = byte; return size;
        case 7:
        case 8:
            point.start = point.stop = token.start + below(token.stop - token.start);
            return replace(data, size, most, point, &byte, 1);
        default:
            size = replace(data, size, most, (token_t){size, size}, (const uint8_t *)"\n", 1);
            return replace(data, size, most, (token_t){size, size}, data, size);
    }
}

static struct {
    uint8_t line[REMEMBERED_BYTES];
    size_t size;
} remembered[REMEMBERED_MAX];
static size_t remembered_count;

/* Keep an approved line, to change it later. */
void remember(const uint8_t *line, size_t size) {
    if (size > REMEMBERED_BYTES) return;
    size_t place = remembered_count++;
    if (place >= REMEMBERED_MAX) place = below(REMEMBERED_MAX);
    memcpy(remembered[place].line, line, size);
    remembered[place].size = size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
    state ^= seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    size_t count = remembered_count < REMEMBERED_MAX ? remembered_count : REMEMBERED_MAX;
    size_t place = count && below(2) ? below(count) : REMEMBERED_MAX;
    if (place < REMEMBERED_MAX && remembered[place].size <= most) {
        size = remembered[place].size;
        memcpy(data, remembered[place].line, size);
    } else if (!size || below(2)) {
        return LLVMFuzzerMutate(data, size, most);
    }
    for (size_t times = 1 + below(3); times; times--) size = size ? change(data, size, most) : size;
    return size;
}

#pragma clang attribute pop
