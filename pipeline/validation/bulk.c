/* The fast path of validation: approves lines in bulk and writes their rows.
 *
 * It approves only lines that `pipeline.validation.validate` approves, with the same row, and hands every other line,
 * good or bad, back to that validator. Where a rule would take much code here (a repeated key, an escaped control
 * character, deep nesting), the line is handed back as well. `pipeline.validation.native` loads this file's library,
 * `pipeline.validation.bulk` calls it.
 *
 * Memory: a line ends with a newline, and no JSON token contains one, so every step stops there at the latest. Up to
 * AHEAD_BYTES behind the newline may be read; the caller's buffer has them. Nothing is allocated. The texts that a line
 * writes to the scratch area (without escapes, in lower case, without white space) are never longer than the line.
 *
 * The accepted actions and statuses are passed in with `state_t`. What else Python must agree on is exported at the end
 * of this file: the keys of a record, the limits, and the layout of the structures.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "little-endian machines only"
#endif

#ifndef SOURCE_CRC32
#define SOURCE_CRC32 0 /* the build sets it to the checksum of this file */
#endif

enum {
    LINE_BYTES_MAX = 1 << 20,
    ID_CHARACTERS_MAX = 128,
    METADATA_DEPTH_MAX = 128, /* also of the values of unknown keys, which may be deeper: those are handed back */
    LANGUAGES_MAX = 32,       /* of a line; one with more is handed back */
    KEYS_MAX = 64,            /* of an object in metadata; likewise */
    AHEAD_BYTES = sizeof(uint64_t)
};
#define COUNT_MAX INT64_C(1000000000000)

typedef struct {
    uint32_t start; /* in the buffer */
    int32_t size;   /* in bytes; -1: null */
} text_t;

#define NULL_TEXT {0, -1}

typedef struct {
    int64_t timestamp, recorded_at; /* microseconds UTC */
    int64_t credits, audio_ms;
    text_t workspace_id, id, action, kind, resource_type, resource_id, resource_name;
    text_t user_id, user_name, metadata, ip, run_id, run_status;
    int32_t first_language, languages; /* where they start in `state_t.languages`, and how many they are */
    int32_t source;
    int32_t reserved;
} row_t;

typedef struct {
    text_t locale; /* null: untagged */
    int64_t characters, lines, corrected;
} language_t;

typedef struct {
    int64_t number;      /* of the line in its block, from 0 */
    int64_t start, stop; /* of the line, in bytes from the start of its block, without the newline */
} handed_back_t;

typedef struct {
    uint8_t *buffer;               /* blocks of lines, then the scratch area */
    int64_t scratch, scratch_stop; /* the free part of the scratch area, in bytes from the start of the buffer */
    row_t *rows;
    int64_t row_count, row_capacity;
    language_t *languages;
    int64_t language_count, language_capacity;
    int64_t earliest, latest;   /* the instants that `timestamp` may have */
    const char *const *actions; /* the accepted ones; a null pointer ends the list */
    const char *const *statuses;
    int64_t line_count; /* of the last block */
    int32_t source;     /* the number that the rows of the next block carry */
    int32_t run_action; /* the place in `actions` of the one that requires `run` */
} state_t;

/* A line while it is read. */
typedef struct {
    state_t *state;
    const uint8_t *at; /* the next byte */
    uint8_t *scratch;  /* the next free byte of the scratch area */
} line_t;

/* The keys of one object of a record. */
typedef struct {
    const char *name; /* of the class in `records.py` */
    int64_t required; /* so many of its first keys are required */
    const char *const *keys;
} object_t;

enum { RECORD, RESOURCE, USER, RUN, USAGE, LANGUAGE };

#define KEYS(...) (const char *const[]) {__VA_ARGS__, NULL}
static const object_t OBJECTS[] = {
    [RECORD] = {"Record", 6, KEYS("id", "workspace_id", "timestamp", "action", "kind", "resource",
                                  "recorded_at", "user", "metadata", "ip", "run", "usage")},
    [RESOURCE] = {"Resource", 1, KEYS("type", "id", "name")},
    [USER] = {"User", 2, KEYS("id", "name")},
    [RUN] = {"Run", 2, KEYS("id", "status")},
    [USAGE] = {"Usage", 0, KEYS("credits", "audio_ms", "languages")},
    [LANGUAGE] = {"Language", 0, KEYS("locale", "characters", "lines", "corrected")},
    {NULL, 0, NULL},
};

/* ---- Tokens ---- */

static const uint64_t LOW_BITS = 0x0101010101010101u, HIGH_BITS = 0x8080808080808080u;

/* Skip plain ASCII characters of a string; stops at a quote, a backslash, a control character or a byte above 127. */
static const uint8_t *skip_plain(const uint8_t *at) {
    for (;; at += AHEAD_BYTES) {
        uint64_t word;
        memcpy(&word, at, AHEAD_BYTES);
        uint64_t quote = word ^ (LOW_BITS * '"'), backslash = word ^ (LOW_BITS * '\\');
        uint64_t control = (word - LOW_BITS * 0x20) & ~word;
        quote = (quote - LOW_BITS) & ~quote;
        backslash = (backslash - LOW_BITS) & ~backslash;
        uint64_t found = (word | control | quote | backslash) & HIGH_BITS;
        if (found) return at + (__builtin_ctzll(found) >> 3);
    }
}

static bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

/* Return the size of the UTF-8 sequence of two to four bytes at a place; 0 if it is malformed. */
static int utf8_size(const uint8_t *at) {
    uint8_t lead = at[0], next = at[1];
    if (lead < 0xC2 || lead > 0xF4 || !is_continuation(next)) return 0;
    if (lead < 0xE0) return 2;
    if (!is_continuation(at[2])) return 0;
    if (lead < 0xF0) return (lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) ? 0 : 3;
    if ((lead == 0xF0 && next < 0x90) || (lead == 0xF4 && next > 0x8F)) return 0;
    return is_continuation(at[3]) ? 4 : 0;
}

static uint8_t *put_utf8(uint8_t *out, int32_t point) {
    if (point < 0x80) {
        *out++ = (uint8_t)point;
    } else if (point < 0x800) {
        *out++ = (uint8_t)(0xC0 | point >> 6);
        *out++ = (uint8_t)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *out++ = (uint8_t)(0xE0 | point >> 12);
        *out++ = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (point & 0x3F));
    } else {
        *out++ = (uint8_t)(0xF0 | point >> 18);
        *out++ = (uint8_t)(0x80 | (point >> 12 & 0x3F));
        *out++ = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (point & 0x3F));
    }
    return out;
}

/* Return the value of four hex digits; -1 if they are not. */
static int hex(const uint8_t *at) {
    int value = 0;
    for (int digit = 0; digit < 4; digit++, at++) {
        uint8_t byte = *at;
        if (byte >= '0' && byte <= '9') value = value * 16 + byte - '0';
        else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') value = value * 16 + (byte | 0x20) - 'a' + 10;
        else return -1;
    }
    return value;
}

/* Step over an escape, from its backslash; return its character, or -1 for a lone surrogate or an unknown escape. */
static int32_t take_escape(const uint8_t **at) {
    const uint8_t *place = *at + 2;
    int32_t point;
    switch ((*at)[1]) {
        case '"': case '\\': case '/': point = (*at)[1]; break;
        case 'b': point = '\b'; break;
        case 'f': point = '\f'; break;
        case 'n': point = '\n'; break;
        case 'r': point = '\r'; break;
        case 't': point = '\t'; break;
        case 'u':
            point = hex(place);
            if (point < 0 || (point >= 0xDC00 && point < 0xE000)) return -1;
            place += 4;
            if (point >= 0xD800 && point < 0xDC00) {
                if (place[0] != '\\' || place[1] != 'u') return -1;
                int32_t low = hex(place + 2);
                if (low < 0xDC00 || low >= 0xE000) return -1;
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
                place += 6;
            }
            break;
        default: return -1;
    }
    *at = place;
    return point;
}

static void skip_space(line_t *line) {
    while (*line->at == ' ' || *line->at == '\t' || *line->at == '\r') line->at++;
}

static bool take(line_t *line, uint8_t byte) {
    if (*line->at != byte) return false;
    line->at++;
    return true;
}

static bool take_word(line_t *line, const char *word) {
    const uint8_t *at = line->at;
    for (; *word; word++, at++) {
        if (*at != (uint8_t)*word) return false;
    }
    line->at = at;
    return true;
}

/* Take a string; `text` is its content, in the scratch area if it has escapes. */
static bool take_string(line_t *line, text_t *text) {
    if (!take(line, '"')) return false;
    const uint8_t *buffer = line->state->buffer, *start = line->at, *at = start;
    uint8_t *out = NULL; /* the end of the content in the scratch area; null without escapes so far */
    for (;;) {
        const uint8_t *stop = skip_plain(at);
        while (*stop >= 0x80) {
            int size = utf8_size(stop);
            if (!size) return false;
            stop += size;
            if (*stop < 0x80) stop = skip_plain(stop);
        }
        if (out && stop > at) {
            memcpy(out, at, (size_t)(stop - at));
            out += stop - at;
        }
        if (*stop == '"') {
            line->at = stop + 1;
            if (out) {
                *text = (text_t){(uint32_t)(line->scratch - buffer), (int32_t)(out - line->scratch)};
                line->scratch = out;
            } else {
                *text = (text_t){(uint32_t)(start - buffer), (int32_t)(stop - start)};
            }
            return true;
        }
        if (*stop != '\\') return false;
        if (!out) {
            out = line->scratch;
            memcpy(out, start, (size_t)(stop - start));
            out += stop - start;
        }
        at = stop;
        int32_t point = take_escape(&at);
        if (point < 0) return false;
        out = put_utf8(out, point);
    }
}

static bool take_digits(line_t *line) {
    const uint8_t *start = line->at;
    while (*line->at >= '0' && *line->at <= '9') line->at++;
    return line->at > start;
}

static bool take_number(line_t *line) {
    take(line, '-');
    if (!take(line, '0') && !take_digits(line)) return false;
    if (take(line, '.') && !take_digits(line)) return false;
    if (*line->at == 'e' || *line->at == 'E') {
        line->at++;
        if (!take(line, '+')) take(line, '-');
        return take_digits(line);
    }
    return true;
}

/* ---- Values of any type: metadata, with its stored form, and the values of unknown keys, which are dropped ---- */

typedef struct {
    line_t *line;
    const uint8_t *start; /* of the value */
    uint8_t *out;         /* the end of the stored form in the scratch area; null while that is the text as written */
} value_t;

/* Copy the value so far to the scratch area, because the stored form differs from here on. */
static void copy_value(value_t *value) {
    if (value->out) return;
    size_t size = (size_t)(value->line->at - value->start);
    memcpy(value->line->scratch, value->start, size);
    value->out = value->line->scratch + size;
}

/* Append what was taken since a place to the stored form. */
static void keep(value_t *value, const uint8_t *from) {
    if (!value->out) return;
    size_t size = (size_t)(value->line->at - from);
    memcpy(value->out, from, size);
    value->out += size;
}

static bool keep_byte(value_t *value, uint8_t byte) {
    if (!take(value->line, byte)) return false;
    keep(value, value->line->at - 1);
    return true;
}

static void drop_space(value_t *value) {
    uint8_t byte = *value->line->at;
    if (byte != ' ' && byte != '\t' && byte != '\r') return;
    copy_value(value);
    skip_space(value->line);
}

/* Take a string; the stored form has characters in place of escapes, where JSON allows them. */
static bool keep_string(value_t *value, bool is_key) {
    line_t *line = value->line;
    const uint8_t *from = line->at;
    if (!take(line, '"')) return false;
    for (;;) {
        line->at = skip_plain(line->at);
        if (*line->at == '"') {
            line->at++;
            keep(value, from);
            return true;
        }
        if (*line->at >= 0x80) {
            int size = utf8_size(line->at);
            if (!size) return false;
            line->at += size;
        } else if (*line->at == '\\' && !is_key) { /* an escaped key may repeat another one */
            const uint8_t *at = line->at;
            int32_t point = take_escape(&at);
            if (point < 0) return false;
            if (line->at[1] == 'u' || line->at[1] == '/') {
                if (point < 0x20) return false; /* its stored form is another escape */
                keep(value, from);
                copy_value(value);
                if (point == '"' || point == '\\') *value->out++ = '\\';
                value->out = put_utf8(value->out, point);
                from = at;
            }
            line->at = at;
        } else {
            return false;
        }
    }
}

static bool keep_value(value_t *value, int depth);

/* Take the members of an object and its closing bracket; no key may repeat another one. */
static bool keep_members(value_t *value, int depth) {
    text_t keys[KEYS_MAX];
    const uint8_t *buffer = value->line->state->buffer;
    for (int count = 0; count < KEYS_MAX; count++) {
        drop_space(value);
        const uint8_t *start = value->line->at;
        if (!keep_string(value, true)) return false;
        keys[count] = (text_t){(uint32_t)(start - buffer), (int32_t)(value->line->at - start)};
        for (int before = 0; before < count; before++) {
            if (keys[before].size == keys[count].size &&
                !memcmp(buffer + keys[before].start, start, (size_t)keys[count].size)) return false;
        }
        drop_space(value);
        if (!keep_byte(value, ':') || !keep_value(value, depth)) return false;
        if (keep_byte(value, '}')) return true;
        if (!keep_byte(value, ',')) return false;
    }
    return false;
}

/* Take any value and the white space around it; `depth` is the number of containers around it. */
static bool keep_value(value_t *value, int depth) {
    line_t *line = value->line;
    drop_space(value);
    const uint8_t *from = line->at;
    switch (*from) {
        case '{':
        case '[': {
            bool is_object = *from == '{';
            uint8_t close = is_object ? '}' : ']';
            if (depth == METADATA_DEPTH_MAX) return false;
            keep_byte(value, *from);
            drop_space(value);
            if (keep_byte(value, close)) break;
            if (is_object) {
                if (!keep_members(value, depth + 1)) return false;
                break;
            }
            do {
                if (!keep_value(value, depth + 1)) return false;
            } while (keep_byte(value, ','));
            if (!keep_byte(value, close)) return false;
            break;
        }
        case '"':
            if (!keep_string(value, false)) return false;
            break;
        case 't': case 'f': case 'n':
            if (!take_word(line, "true") && !take_word(line, "false") && !take_word(line, "null")) return false;
            keep(value, from);
            break;
        default:
            if (!take_number(line)) return false;
            keep(value, from);
    }
    drop_space(value);
    return true;
}

/* ---- Fields ---- */

/* Take the value of a known key, which is given by its place in `object_t.keys`, and store it. */
typedef bool take_field_t(line_t *line, int key, void *into);

/* Return the place of a text in a list that ends with a null pointer; -1 if it is not there. */
static int place_of(const line_t *line, text_t text, const char *const words[]) {
    const char *content = (const char *)line->state->buffer + text.start;
    for (int place = 0; words[place]; place++) {
        if (words[place][0] == content[0] && strlen(words[place]) == (size_t)text.size &&
            !memcmp(words[place], content, (size_t)text.size)) return place;
    }
    return -1;
}

/* Take an object with all its required keys, each known key once, and any unknown ones. */
static bool take_object(line_t *line, const object_t *object, take_field_t *take_field, void *into) {
    unsigned seen = 0, required = (1u << object->required) - 1; /* a bit for each known key */
    if (!take(line, '{')) return false;
    skip_space(line);
    if (take(line, '}')) return !required;
    do {
        text_t key;
        const uint8_t *scratch = line->scratch;
        skip_space(line);
        if (!take_string(line, &key) || line->scratch != scratch) return false; /* an escaped key may be a known one */
        skip_space(line);
        if (!take(line, ':')) return false;
        skip_space(line);
        int place = place_of(line, key, object->keys);
        if (place >= 0) {
            if (seen >> place & 1 || !take_field(line, place, into)) return false;
            seen |= 1u << place;
        } else {
            value_t dropped = {line, line->at, NULL};
            if (!keep_value(&dropped, 0)) return false;
        }
        skip_space(line);
    } while (take(line, ','));
    return take(line, '}') && (seen & required) == required;
}

static bool take_string_or_null(line_t *line, text_t *text) {
    if (*line->at != 'n') return take_string(line, text);
    *text = (text_t)NULL_TEXT;
    return take_word(line, "null");
}

static bool take_count(line_t *line, int64_t *count) {
    const uint8_t *start = line->at;
    for (*count = 0; *line->at >= '0' && *line->at <= '9'; line->at++) {
        *count = *count * 10 + (*line->at - '0');
        if (*count > COUNT_MAX) return false;
    }
    return line->at > start && (*start != '0' || line->at == start + 1);
}

static bool take_id(line_t *line, text_t *text) {
    if (!take_string(line, text)) return false;
    int characters = 0;
    for (int place = 0; place < text->size; place++) {
        characters += !is_continuation(line->state->buffer[text->start + (uint32_t)place]);
    }
    return characters >= 1 && characters <= ID_CHARACTERS_MAX;
}

/* Copy a text to the scratch area, to change it there. */
static uint8_t *copy_text(line_t *line, text_t *text) {
    uint8_t *copy = line->scratch, *buffer = line->state->buffer;
    memcpy(copy, buffer + text->start, (size_t)text->size);
    text->start = (uint32_t)(copy - buffer);
    line->scratch += text->size;
    return copy;
}

/* Take a UUID; it is stored in lower case. */
static bool take_uuid(line_t *line, text_t *text) {
    const uint8_t *scratch = line->scratch;
    if (!take_string(line, text) || text->size != 36 || line->scratch != scratch) return false;
    const uint8_t *at = line->state->buffer + text->start;
    bool is_lower = true;
    for (int place = 0; place < 36; place++) {
        uint8_t byte = at[place];
        if (place == 8 || place == 13 || place == 18 || place == 23) {
            if (byte != '-') return false;
        } else if (byte >= 'A' && byte <= 'F') {
            is_lower = false;
        } else if (!(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'f')) {
            return false;
        }
    }
    if (is_lower) return true;
    uint8_t *copy = copy_text(line, text);
    for (int place = 0; place < 36; place++) {
        if (copy[place] >= 'A' && copy[place] <= 'F') copy[place] |= 0x20;
    }
    return true;
}

/* Return the value of a fixed number of digits; -1 if they are not. */
static int digits(const uint8_t *at, int size) {
    int value = 0;
    for (int place = 0; place < size; place++) {
        if (at[place] < '0' || at[place] > '9') return -1;
        value = value * 10 + at[place] - '0';
    }
    return value;
}

/* Take an RFC 3339 date-time with offset, in microseconds UTC; further digits are cut off. */
static bool take_instant(line_t *line, int64_t *instant) {
    static const int LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    text_t text;
    if (!take_string(line, &text) || text.size < 20) return false;
    const uint8_t *at = line->state->buffer + text.start, *stop = at + text.size;
    int year = digits(at, 4), month = digits(at + 5, 2), day = digits(at + 8, 2);
    int hour = digits(at + 11, 2), minute = digits(at + 14, 2), second = digits(at + 17, 2);
    if (at[4] != '-' || at[7] != '-' || (at[10] | 0x20) != 't' || at[13] != ':' || at[16] != ':') return false;
    if (year < 0 || month < 1 || month > 12 || hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day < 1 || day > LENGTHS[month - 1] + (month == 2 && is_leap) || second < 0 || second > 59) return false;
    at += 19;
    int64_t fraction = 0;
    if (*at == '.') {
        int64_t unit = 100000;
        const uint8_t *first = ++at;
        for (; at < stop && *at >= '0' && *at <= '9'; at++, unit /= 10) fraction += unit * (*at - '0');
        if (at == first) return false;
    }
    int64_t offset = 0; /* minutes east of UTC */
    if (stop - at == 1) {
        if ((*at | 0x20) != 'z') return false;
    } else {
        if (stop - at != 6 || (*at != '+' && *at != '-') || at[3] != ':') return false;
        int hours = digits(at + 1, 2), minutes = digits(at + 4, 2);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
        offset = (*at == '-' ? -1 : 1) * (hours * 60 + minutes);
    }
    /* Days since 1970, counted in years that begin in March, so that a leap day is the last of its year. */
    int64_t years = month > 2 ? year : year - 1, months = month > 2 ? month - 3 : month + 9;
    int64_t centuries = years < 0 ? -1 : years / 100;
    int64_t leap_days = (years < 0 ? -1 : years / 4) - centuries + (years < 0 ? -1 : years / 400);
    int64_t days = years * 365 + leap_days + (months * 153 + 2) / 5 + day - 1 - 719468;
    *instant = (((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000000 + fraction;
    return true;
}

/* Take metadata in its stored form: compact JSON. */
static bool take_metadata(line_t *line, text_t *text) {
    if (*line->at != '{') return take_word(line, "null");
    value_t value = {line, line->at, NULL};
    if (!keep_value(&value, 0)) return false;
    const uint8_t *start = value.out ? line->scratch : value.start, *stop = value.out ? value.out : line->at;
    *text = (text_t){(uint32_t)(start - line->state->buffer), (int32_t)(stop - start)};
    if (value.out) line->scratch = value.out;
    return true;
}

/* Take a locale in its stored form; an empty one and `und` are null. */
static bool take_locale(line_t *line, text_t *text) {
    const uint8_t *scratch = line->scratch;
    if (*line->at == 'n') return take_word(line, "null");
    if (!take_string(line, text) || line->scratch != scratch) return false;
    uint8_t *tag = copy_text(line, text);
    int length = 0; /* of the subtag so far */
    bool is_first = true;
    for (int place = 0; place < text->size; place++) {
        uint8_t byte = tag[place];
        if (byte >= 'A' && byte <= 'Z') tag[place] = byte |= 0x20;
        if (byte >= 'a' && byte <= 'z') {
            length++;
        } else if (byte >= '0' && byte <= '9' && !is_first) {
            length++;
        } else if ((byte == '-' || byte == '_') && length >= 1 + is_first) {
            tag[place] = '-';
            length = 0;
            is_first = false;
        } else {
            return false;
        }
        if (length > 8) return false;
    }
    if (!text->size || (text->size == 3 && !memcmp(tag, "und", 3))) text->size = -1;
    return text->size < 0 || length >= 1 + is_first;
}

static bool take_language_field(line_t *line, int key, void *into) {
    language_t *language = into;
    switch (key) {
        case 0: return take_locale(line, &language->locale);
        case 1: return take_count(line, &language->characters);
        case 2: return take_count(line, &language->lines);
        default: return take_count(line, &language->corrected);
    }
}

/* Compare two locales in the order of the bytes; null comes last. */
static int compare(const line_t *line, text_t one, text_t other) {
    if (one.size < 0 || other.size < 0) return (one.size < 0) - (other.size < 0);
    const uint8_t *buffer = line->state->buffer;
    size_t size = (size_t)(one.size < other.size ? one.size : other.size);
    int order = memcmp(buffer + one.start, buffer + other.start, size);
    return order ? order : one.size - other.size;
}

/* Take the languages, sorted by locale; the counts of a repeated locale are added up. */
static bool take_languages(line_t *line, row_t *row) {
    state_t *state = line->state;
    language_t *sorted = state->languages + state->language_count;
    int length = 0;
    if (*line->at == 'n') return take_word(line, "null");
    if (state->language_capacity - state->language_count < LANGUAGES_MAX || !take(line, '[')) return false;
    row->first_language = (int32_t)state->language_count;
    skip_space(line);
    if (take(line, ']')) return true;
    for (int number = 0; number < LANGUAGES_MAX; number++) {
        language_t language = {NULL_TEXT, 0, 0, 0};
        skip_space(line);
        if (!take_object(line, &OBJECTS[LANGUAGE], take_language_field, &language)) return false;
        int place = length, order = -1;
        while (place > 0 && (order = compare(line, sorted[place - 1].locale, language.locale)) > 0) place--;
        if (place > 0 && order == 0) {
            sorted[place - 1].characters += language.characters;
            sorted[place - 1].lines += language.lines;
            sorted[place - 1].corrected += language.corrected;
        } else {
            memmove(sorted + place + 1, sorted + place, (size_t)(length - place) * sizeof *sorted);
            sorted[place] = language;
            length++;
        }
        skip_space(line);
        if (take(line, ']')) {
            row->languages = length;
            return true;
        }
        if (!take(line, ',')) return false;
    }
    return false;
}

static bool take_resource_field(line_t *line, int key, void *into) {
    row_t *row = into;
    switch (key) {
        case 0: return take_string(line, &row->resource_type);
        case 1: return take_string_or_null(line, &row->resource_id);
        default: return take_string_or_null(line, &row->resource_name);
    }
}

static bool take_user_field(line_t *line, int key, void *into) {
    row_t *row = into;
    return key == 0 ? take_uuid(line, &row->user_id) : take_string(line, &row->user_name);
}

static bool take_run_field(line_t *line, int key, void *into) {
    row_t *row = into;
    if (key == 0) return take_string(line, &row->run_id);
    return take_string(line, &row->run_status) && place_of(line, row->run_status, line->state->statuses) >= 0;
}

static bool take_usage_field(line_t *line, int key, void *into) {
    row_t *row = into;
    switch (key) {
        case 0: return take_count(line, &row->credits);
        case 1: return take_count(line, &row->audio_ms);
        default: return take_languages(line, row);
    }
}

static bool take_record_field(line_t *line, int key, void *into) {
    row_t *row = into;
    bool is_null = *line->at == 'n';
    switch (key) {
        case 0: return take_id(line, &row->id);
        case 1: return take_uuid(line, &row->workspace_id);
        case 2: return take_instant(line, &row->timestamp);
        case 3: return take_string(line, &row->action) && place_of(line, row->action, line->state->actions) >= 0;
        case 4: return take_string(line, &row->kind);
        case 5: return take_object(line, &OBJECTS[RESOURCE], take_resource_field, row);
        case 6: return is_null ? take_word(line, "null") : take_instant(line, &row->recorded_at);
        case 7: return is_null ? take_word(line, "null") : take_object(line, &OBJECTS[USER], take_user_field, row);
        case 8: return take_metadata(line, &row->metadata);
        case 9: return take_string_or_null(line, &row->ip);
        case 10: return is_null ? take_word(line, "null") : take_object(line, &OBJECTS[RUN], take_run_field, row);
        default: return is_null ? take_word(line, "null") : take_object(line, &OBJECTS[USAGE], take_usage_field, row);
    }
}

/* ---- Lines ---- */

static const row_t EMPTY_ROW = {
    .recorded_at = INT64_MIN, /* absent */
    .workspace_id = NULL_TEXT,
    .id = NULL_TEXT,
    .action = NULL_TEXT,
    .kind = NULL_TEXT,
    .resource_type = NULL_TEXT,
    .resource_id = NULL_TEXT,
    .resource_name = NULL_TEXT,
    .user_id = NULL_TEXT,
    .user_name = NULL_TEXT,
    .metadata = NULL_TEXT,
    .ip = NULL_TEXT,
    .run_id = NULL_TEXT,
    .run_status = NULL_TEXT,
};

/* Return whether a line is certainly good; if so, its row is appended. */
static bool approve_line(state_t *state, const uint8_t *start, const uint8_t *stop) {
    if (stop - start > LINE_BYTES_MAX || state->scratch_stop - state->scratch < stop - start ||
        state->row_count == state->row_capacity) return false;
    row_t *row = state->rows + state->row_count;
    line_t line = {state, start, state->buffer + state->scratch};
    *row = EMPTY_ROW;
    row->source = state->source;
    skip_space(&line);
    if (!take_object(&line, &OBJECTS[RECORD], take_record_field, row)) return false;
    skip_space(&line);
    if (line.at != stop || row->timestamp < state->earliest || row->timestamp > state->latest) return false;
    if (row->run_id.size < 0 && place_of(&line, row->action, state->actions) == state->run_action) return false;
    if (row->recorded_at == EMPTY_ROW.recorded_at) row->recorded_at = row->timestamp;
    state->scratch = line.scratch - state->buffer;
    state->language_count += row->languages;
    state->row_count++;
    return true;
}

/* ---- The interface: `objects`, `facts` and the functions that `pipeline.validation.bulk` calls ---- */

/* Limits, sizes of structures and offsets of their fields. If Python's differ, it does not use this library. */
typedef struct {
    const char *name;
    int64_t value;
} fact_t;

#define SIZE(type) {#type, sizeof(type)}
#define OFFSET(type, field) {#type "." #field, offsetof(type, field)}

static const fact_t FACTS[] = {
    {"bulk.c", SOURCE_CRC32},
    {"LINE_BYTES_MAX", LINE_BYTES_MAX},
    {"ID_CHARACTERS_MAX", ID_CHARACTERS_MAX},
    {"METADATA_DEPTH_MAX", METADATA_DEPTH_MAX},
    {"COUNT_MAX", COUNT_MAX},
    {"LANGUAGES_MAX", LANGUAGES_MAX},
    {"AHEAD_BYTES", AHEAD_BYTES},
    SIZE(text_t), OFFSET(text_t, start), OFFSET(text_t, size),
    SIZE(row_t), OFFSET(row_t, timestamp), OFFSET(row_t, recorded_at), OFFSET(row_t, credits), OFFSET(row_t, audio_ms),
    OFFSET(row_t, workspace_id), OFFSET(row_t, id), OFFSET(row_t, action), OFFSET(row_t, kind),
    OFFSET(row_t, resource_type), OFFSET(row_t, resource_id), OFFSET(row_t, resource_name), OFFSET(row_t, user_id),
    OFFSET(row_t, user_name), OFFSET(row_t, metadata), OFFSET(row_t, ip), OFFSET(row_t, run_id),
    OFFSET(row_t, run_status), OFFSET(row_t, first_language), OFFSET(row_t, languages), OFFSET(row_t, source),
    OFFSET(row_t, reserved),
    SIZE(language_t), OFFSET(language_t, locale), OFFSET(language_t, characters), OFFSET(language_t, lines),
    OFFSET(language_t, corrected),
    SIZE(handed_back_t), OFFSET(handed_back_t, number), OFFSET(handed_back_t, start), OFFSET(handed_back_t, stop),
    SIZE(state_t), OFFSET(state_t, buffer), OFFSET(state_t, scratch), OFFSET(state_t, scratch_stop),
    OFFSET(state_t, rows), OFFSET(state_t, row_count), OFFSET(state_t, row_capacity), OFFSET(state_t, languages),
    OFFSET(state_t, language_count), OFFSET(state_t, language_capacity), OFFSET(state_t, earliest),
    OFFSET(state_t, latest), OFFSET(state_t, actions), OFFSET(state_t, statuses), OFFSET(state_t, line_count),
    OFFSET(state_t, source), OFFSET(state_t, run_action),
    {NULL, 0},
};

const fact_t *const facts = FACTS;
const object_t *const objects = OBJECTS;

/* Append the rows of the good lines of a block, which starts and stops at these offsets in the buffer and ends with a
 * newline. Write the lines that are handed back and return how many they are. */
int64_t approve(state_t *state, int64_t start, int64_t stop, handed_back_t *handed_back) {
    const uint8_t *block = state->buffer + start, *end = state->buffer + stop;
    int64_t number = 0, count = 0;
    for (const uint8_t *at = block; at < end; number++) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        if (!approve_line(state, at, newline)) {
            handed_back[count++] = (handed_back_t){number, at - block, newline - block};
        }
        at = newline + 1;
    }
    state->line_count = number;
    return count;
}

/* Write the texts of one column, in the order of the given row numbers and without gaps. `texts` is the first row's
 * text; the texts of two rows are `stride` bytes apart. */
void gather(const uint8_t *buffer, const uint8_t *texts, int64_t stride, const int64_t *order, int64_t length,
            uint8_t *out) {
    for (int64_t place = 0; place < length; place++) {
        text_t text;
        memcpy(&text, texts + order[place] * stride, sizeof text);
        if (text.size <= 0) continue;
        memcpy(out, buffer + text.start, (size_t)text.size);
        out += text.size;
    }
}
