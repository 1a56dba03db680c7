/* The set-based shortcut of the judge: lines in bulk, straight into rows.
 *
 * Approves only what `pipeline.validation.validate` approves, with the same row, and hands back every other line, good or bad, for
 * the judge to look at. Where a rule would take many words here (a repeated key, a control character, deep nesting),
 * the line is handed back. `pipeline.validation.bulk` is the only caller.
 *
 * Nothing is read past a line: it ends with a newline, which no token of JSON holds, so that every step fails on it.
 * Eight bytes at once may be looked at behind it; the buffer has them. Nothing is allocated. What a line writes to the
 * scratch (texts without their escapes, in lower case, without white space) is never longer than the line.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "little-endian machines only"
#endif

enum { LINE_BYTES_MAX = 1 << 20, ID_CHARACTERS_MAX = 128, KEYS_MAX = 64, DEPTH_MAX = 128, LANGUAGES_MAX = 32 };
static const int64_t COUNT_MAX = 1000000000000;

typedef struct {
    uint32_t start; /* in the buffer */
    int32_t size;   /* -1: null */
} text_t;

enum { /* in the order of the columns */
    WORKSPACE_ID, ID, ACTION, KIND, RESOURCE_TYPE, RESOURCE_ID, RESOURCE_NAME, USER_ID, USER_NAME, METADATA, IP,
    RUN_ID, RUN_STATUS, TEXTS
};

typedef struct {
    int64_t timestamp, recorded_at; /* microseconds UTC */
    int64_t credits, audio_ms;
    text_t texts[TEXTS];
    int32_t first_language, languages;
    int32_t source;
    int32_t reserved;
} row_t;

typedef struct {
    text_t locale;
    int64_t characters, lines, corrected;
} language_t;

typedef struct {
    int64_t number, start, stop; /* of the line; from 0, in the block */
} other_t;

typedef struct {
    uint8_t *buffer;
    int64_t scratch, scratch_stop; /* where it is free, and where it ends */
    row_t *rows;
    int64_t row_count, row_capacity;
    language_t *languages;
    int64_t language_count, language_capacity;
    int64_t earliest, latest; /* instants that `timestamp` may have */
    int64_t line_count;       /* of the block */
    int32_t source;           /* what the lines came from */
    int32_t reserved;
} approval_t;

typedef struct {
    approval_t *approval;
    const uint8_t *at; /* the next byte */
    uint8_t *scratch;
} line_t;

/* ---- Tokens ---- */

static const uint64_t LOW = 0x0101010101010101u, HIGH = 0x8080808080808080u;

/* The first byte that is not an ordinary ASCII character of a string: a quote, backslash, control or other byte. */
static const uint8_t *ordinary(const uint8_t *at) {
    for (;; at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t quote = word ^ (LOW * '"'), backslash = word ^ (LOW * '\\');
        uint64_t control = (word - LOW * 0x20) & ~word;
        quote = (quote - LOW) & ~quote;
        backslash = (backslash - LOW) & ~backslash;
        uint64_t found = (word | control | quote | backslash) & HIGH;
        if (found) return at + (__builtin_ctzll(found) >> 3);
    }
}

static bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

/* The length of the UTF-8 sequence of several bytes at a place; 0 where there is none. */
static int sequence(const uint8_t *at) {
    uint8_t lead = at[0], next = at[1];
    if (lead < 0xC2 || lead > 0xF4 || !is_continuation(next)) return 0;
    if (lead < 0xE0) return 2;
    if (!is_continuation(at[2])) return 0;
    if (lead < 0xF0) return (lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) ? 0 : 3;
    if ((lead == 0xF0 && next < 0x90) || (lead == 0xF4 && next > 0x8F)) return 0;
    return is_continuation(at[3]) ? 4 : 0;
}

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

static uint8_t *encode(uint8_t *out, int32_t point) {
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

/* The character that an escape stands for, at its backslash; -1 for half a pair, or no escape at all. */
static int32_t escape(const uint8_t **at) {
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

static void space(line_t *line) {
    while (*line->at == ' ' || *line->at == '\t' || *line->at == '\r') line->at++;
}

static bool take(line_t *line, uint8_t byte) {
    if (*line->at != byte) return false;
    line->at++;
    return true;
}

static bool literal(line_t *line, const char *word) {
    const uint8_t *at = line->at;
    for (; *word; word++, at++) {
        if (*at != (uint8_t)*word) return false;
    }
    line->at = at;
    return true;
}

/* A string without its escapes. */
static bool string(line_t *line, text_t *text) {
    if (!take(line, '"')) return false;
    const uint8_t *base = line->approval->buffer, *start = line->at, *at = start;
    uint8_t *out = NULL;
    for (;;) {
        const uint8_t *stop = ordinary(at);
        while (*stop >= 0x80) {
            int size = sequence(stop);
            if (!size) return false;
            stop += size;
            if (*stop < 0x80) stop = ordinary(stop);
        }
        if (out && stop > at) {
            memcpy(out, at, (size_t)(stop - at));
            out += stop - at;
        }
        if (*stop == '"') {
            line->at = stop + 1;
            if (out) {
                *text = (text_t){(uint32_t)(line->scratch - base), (int32_t)(out - line->scratch)};
                line->scratch = out;
            } else {
                *text = (text_t){(uint32_t)(start - base), (int32_t)(stop - start)};
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
        int32_t point = escape(&at);
        if (point < 0) return false;
        out = encode(out, point);
    }
}

static bool digits(line_t *line) {
    const uint8_t *start = line->at;
    while (*line->at >= '0' && *line->at <= '9') line->at++;
    return line->at > start;
}

static bool number(line_t *line) {
    take(line, '-');
    if (!take(line, '0') && !digits(line)) return false;
    if (take(line, '.') && !digits(line)) return false;
    if (*line->at == 'e' || *line->at == 'E') {
        line->at++;
        if (!take(line, '+')) take(line, '-');
        return digits(line);
    }
    return true;
}

/* ---- Values that are kept as they are: metadata, in its stored form, and those of unknown keys, which are not ---- */

typedef struct {
    line_t *line;
    const uint8_t *start; /* of the value */
    uint8_t *out;         /* where the stored form goes on; null while it is the text that stands there */
} value_t;

/* From here on the stored form is another text than the one that stands there. */
static void differ(value_t *value) {
    if (value->out) return;
    size_t size = (size_t)(value->line->at - value->start);
    memcpy(value->line->scratch, value->start, size);
    value->out = value->line->scratch + size;
}

/* Keep what was read since a place. */
static void keep(value_t *value, const uint8_t *from) {
    if (!value->out) return;
    size_t size = (size_t)(value->line->at - from);
    memcpy(value->out, from, size);
    value->out += size;
}

static bool kept(value_t *value, uint8_t byte) {
    if (!take(value->line, byte)) return false;
    keep(value, value->line->at - 1);
    return true;
}

static void no_space(value_t *value) {
    uint8_t byte = *value->line->at;
    if (byte != ' ' && byte != '\t' && byte != '\r') return;
    differ(value);
    space(value->line);
}

static bool kept_string(value_t *value, bool is_key) {
    line_t *line = value->line;
    const uint8_t *from = line->at;
    if (!take(line, '"')) return false;
    for (;;) {
        line->at = ordinary(line->at);
        if (*line->at == '"') {
            line->at++;
            keep(value, from);
            return true;
        }
        if (*line->at >= 0x80) {
            int size = sequence(line->at);
            if (!size) return false;
            line->at += size;
        } else if (*line->at == '\\' && !is_key) { /* an escaped key may be one that stood before */
            const uint8_t *at = line->at;
            int32_t point = escape(&at);
            if (point < 0) return false;
            if (line->at[1] == 'u' || line->at[1] == '/') {
                if (point < 0x20) return false; /* which is written in another way */
                keep(value, from);
                differ(value);
                if (point == '"' || point == '\\') *value->out++ = '\\';
                value->out = encode(value->out, point);
                from = at;
            }
            line->at = at;
        } else {
            return false;
        }
    }
}

static bool any(value_t *value, int depth);

static bool kept_members(value_t *value, int depth) {
    text_t keys[KEYS_MAX];
    const uint8_t *base = value->line->approval->buffer;
    for (int count = 0; count < KEYS_MAX; count++) {
        no_space(value);
        const uint8_t *start = value->line->at;
        if (!kept_string(value, true)) return false;
        keys[count] = (text_t){(uint32_t)(start - base), (int32_t)(value->line->at - start)};
        for (int before = 0; before < count; before++) {
            if (keys[before].size == keys[count].size &&
                !memcmp(base + keys[before].start, start, (size_t)keys[count].size)) return false;
        }
        no_space(value);
        if (!kept(value, ':') || !any(value, depth)) return false;
        if (kept(value, '}')) return true;
        if (!kept(value, ',')) return false;
    }
    return false;
}

/* Any value, with the white space around it. */
static bool any(value_t *value, int depth) {
    line_t *line = value->line;
    no_space(value);
    const uint8_t *from = line->at;
    switch (*from) {
        case '{':
        case '[': {
            bool is_object = *from == '{';
            uint8_t close = is_object ? '}' : ']';
            if (depth == DEPTH_MAX) return false;
            kept(value, *from);
            no_space(value);
            if (kept(value, close)) break;
            if (is_object) {
                if (!kept_members(value, depth + 1)) return false;
                break;
            }
            do {
                if (!any(value, depth + 1)) return false;
            } while (kept(value, ','));
            if (!kept(value, close)) return false;
            break;
        }
        case '"':
            if (!kept_string(value, false)) return false;
            break;
        case 't': case 'f': case 'n':
            if (!literal(line, "true") && !literal(line, "false") && !literal(line, "null")) return false;
            keep(value, from);
            break;
        default:
            if (!number(line)) return false;
            keep(value, from);
    }
    no_space(value);
    return true;
}

/* ---- Fields ---- */

/* Reads the value of the known key of that number. */
typedef bool field_t(line_t *line, int key, void *into);

/* The place of a text among words, which end with a null pointer; -1 where it is none of them. */
static int place_of(const line_t *line, text_t text, const char *const words[]) {
    for (int place = 0; words[place]; place++) {
        if (strlen(words[place]) == (size_t)text.size &&
            !memcmp(line->approval->buffer + text.start, words[place], (size_t)text.size)) return place;
    }
    return -1;
}

/* An object: its known keys, each once, the required ones among them (a bit each), and any others. */
static bool object(line_t *line, const char *const keys[], unsigned required, field_t *field, void *into) {
    unsigned seen = 0;
    if (!take(line, '{')) return false;
    space(line);
    if (take(line, '}')) return !required;
    do {
        text_t key;
        const uint8_t *scratch = line->scratch;
        space(line);
        if (!string(line, &key) || line->scratch != scratch) return false; /* an escape may hide a known key */
        space(line);
        if (!take(line, ':')) return false;
        space(line);
        int place = place_of(line, key, keys);
        if (place >= 0) {
            if (seen >> place & 1 || !field(line, place, into)) return false;
            seen |= 1u << place;
        } else {
            value_t ignored = {line, line->at, NULL};
            if (!any(&ignored, 0)) return false;
        }
        space(line);
    } while (take(line, ','));
    return take(line, '}') && (seen & required) == required;
}

static bool string_or_null(line_t *line, text_t *text) {
    if (*line->at != 'n') return string(line, text);
    *text = (text_t){0, -1};
    return literal(line, "null");
}

static bool count(line_t *line, int64_t *value) {
    const uint8_t *start = line->at;
    *value = 0;
    for (; *line->at >= '0' && *line->at <= '9'; line->at++) {
        if (line->at - start == 13) return false;
        *value = *value * 10 + (*line->at - '0');
    }
    return line->at > start && (*start != '0' || line->at == start + 1) && *value <= COUNT_MAX;
}

/* A text of the same length in the scratch, for a form that is another text. */
static uint8_t *copy(line_t *line, text_t *text) {
    uint8_t *found = line->scratch;
    const uint8_t *base = line->approval->buffer;
    memcpy(found, base + text->start, (size_t)text->size);
    text->start = (uint32_t)(found - base);
    line->scratch += text->size;
    return found;
}

static bool is_id(const line_t *line, text_t text) {
    int characters = 0;
    for (int place = 0; place < text.size; place++) {
        characters += !is_continuation(line->approval->buffer[text.start + (uint32_t)place]);
    }
    return characters >= 1 && characters <= ID_CHARACTERS_MAX;
}

/* A UUID, in lower case. */
static bool uuid(line_t *line, text_t *text) {
    const uint8_t *scratch = line->scratch;
    if (!string(line, text) || text->size != 36 || line->scratch != scratch) return false;
    const uint8_t *at = line->approval->buffer + text->start;
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
    uint8_t *found = copy(line, text);
    for (int place = 0; place < 36; place++) {
        if (found[place] >= 'A' && found[place] <= 'F') found[place] |= 0x20;
    }
    return true;
}

/* Digits of a fixed number; -1 where they are none. */
static int fixed(const uint8_t *at, int size) {
    int value = 0;
    for (int place = 0; place < size; place++) {
        if (at[place] < '0' || at[place] > '9') return -1;
        value = value * 10 + at[place] - '0';
    }
    return value;
}

/* An RFC 3339 date-time with offset, as microseconds UTC; further digits are cut off. */
static bool instant(line_t *line, int64_t *moment) {
    static const int LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    text_t text;
    if (!string(line, &text) || text.size < 20) return false;
    const uint8_t *at = line->approval->buffer + text.start, *stop = at + text.size;
    int year = fixed(at, 4), month = fixed(at + 5, 2), day = fixed(at + 8, 2);
    int hour = fixed(at + 11, 2), minute = fixed(at + 14, 2), second = fixed(at + 17, 2);
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
    int64_t east = 0;
    if (stop - at == 1) {
        if ((*at | 0x20) != 'z') return false;
    } else {
        if (stop - at != 6 || (*at != '+' && *at != '-') || at[3] != ':') return false;
        int hours = fixed(at + 1, 2), minutes = fixed(at + 4, 2);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
        east = (*at == '-' ? -1 : 1) * (hours * 60 + minutes);
    }
    /* Days since 1970, in years that begin in March, so that the leap day is the last. */
    int64_t years = month > 2 ? year : year - 1, months = month > 2 ? month - 3 : month + 9;
    int64_t centuries = years < 0 ? -1 : years / 100;
    int64_t leap_days = (years < 0 ? -1 : years / 4) - centuries + (years < 0 ? -1 : years / 400);
    int64_t days = years * 365 + leap_days + (months * 153 + 2) / 5 + day - 1 - 719468;
    *moment = (((days * 24 + hour) * 60 + minute - east) * 60 + second) * 1000000 + fraction;
    return true;
}

static bool resource(line_t *line, int key, void *into) {
    text_t *texts = ((row_t *)into)->texts;
    return key ? string_or_null(line, &texts[RESOURCE_TYPE + key]) : string(line, &texts[RESOURCE_TYPE]);
}

static bool user(line_t *line, int key, void *into) {
    text_t *texts = ((row_t *)into)->texts;
    return key ? string(line, &texts[USER_NAME]) : uuid(line, &texts[USER_ID]);
}

static bool run(line_t *line, int key, void *into) {
    static const char *const STATUSES[] = {"pending", "running", "paused", "completed", "failed", "cancelled", NULL};
    text_t *texts = ((row_t *)into)->texts;
    if (!key) return string(line, &texts[RUN_ID]);
    return string(line, &texts[RUN_STATUS]) && place_of(line, texts[RUN_STATUS], STATUSES) >= 0;
}

static bool metadata(line_t *line, text_t *text) {
    if (*line->at != '{') return literal(line, "null");
    value_t value = {line, line->at, NULL};
    if (!any(&value, 0)) return false;
    const uint8_t *start = value.out ? line->scratch : value.start, *stop = value.out ? value.out : line->at;
    *text = (text_t){(uint32_t)(start - line->approval->buffer), (int32_t)(stop - start)};
    if (value.out) line->scratch = value.out;
    return true;
}

/* A locale in its stored form; null where it means untagged. */
static bool locale(line_t *line, text_t *text) {
    const uint8_t *scratch = line->scratch;
    if (*line->at == 'n') return literal(line, "null");
    if (!string(line, text) || line->scratch != scratch) return false;
    uint8_t *tag = copy(line, text);
    int length = 0; /* of the subtag */
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

static bool language_field(line_t *line, int key, void *into) {
    language_t *language = into;
    switch (key) {
        case 0: return locale(line, &language->locale);
        case 1: return count(line, &language->characters);
        case 2: return count(line, &language->lines);
        default: return count(line, &language->corrected);
    }
}

/* Locales in their order, untagged last. */
static int compare(const line_t *line, text_t one, text_t other) {
    if (one.size < 0 || other.size < 0) return (one.size < 0) - (other.size < 0);
    const uint8_t *base = line->approval->buffer;
    int order = memcmp(base + one.start, base + other.start, (size_t)(one.size < other.size ? one.size : other.size));
    return order ? order : one.size - other.size;
}

/* Languages in order, each locale once: one that comes again adds up. */
static bool languages(line_t *line, row_t *row) {
    static const char *const KEYS[] = {"locale", "characters", "lines", "corrected", NULL};
    approval_t *approval = line->approval;
    language_t *found = approval->languages + approval->language_count;
    int length = 0;
    if (*line->at == 'n') return literal(line, "null");
    if (approval->language_capacity - approval->language_count < LANGUAGES_MAX || !take(line, '[')) return false;
    row->first_language = (int32_t)approval->language_count;
    space(line);
    if (take(line, ']')) return true;
    for (int number = 0; number < LANGUAGES_MAX; number++) {
        language_t language = {{0, -1}, 0, 0, 0};
        space(line);
        if (!object(line, KEYS, 0, language_field, &language)) return false;
        int place = length, order = -1;
        while (place > 0 && (order = compare(line, found[place - 1].locale, language.locale)) > 0) place--;
        if (place > 0 && order == 0) {
            found[place - 1].characters += language.characters;
            found[place - 1].lines += language.lines;
            found[place - 1].corrected += language.corrected;
        } else {
            memmove(found + place + 1, found + place, (size_t)(length - place) * sizeof *found);
            found[place] = language;
            length++;
        }
        space(line);
        if (take(line, ']')) {
            row->languages = length;
            return true;
        }
        if (!take(line, ',')) return false;
    }
    return false;
}

static bool usage(line_t *line, int key, void *into) {
    row_t *row = into;
    switch (key) {
        case 0: return count(line, &row->credits);
        case 1: return count(line, &row->audio_ms);
        default: return languages(line, row);
    }
}

enum {
    KEY_ID, KEY_WORKSPACE_ID, KEY_TIMESTAMP, KEY_ACTION, KEY_KIND, KEY_RESOURCE, KEY_RECORDED_AT, KEY_USER,
    KEY_METADATA, KEY_IP, KEY_RUN, KEY_USAGE
};
static const char *const RECORD_KEYS[] = {
    "id", "workspace_id", "timestamp", "action", "kind", "resource", "recorded_at", "user", "metadata",
    "ip", "run", "usage", NULL
};
static const unsigned RECORD_REQUIRED = (1u << (KEY_RESOURCE + 1)) - 1;
static const int64_t NEVER = INT64_MIN;

static const char *const ACTIONS[] = {
    "workflow_run", "voice_generated", "template_applied", "member_invited", "api_key_created", "settings_changed", NULL
};

static bool record(line_t *line, int key, void *into) {
    static const char *const RESOURCE_KEYS[] = {"type", "id", "name", NULL};
    static const char *const USER_KEYS[] = {"id", "name", NULL};
    static const char *const RUN_KEYS[] = {"id", "status", NULL};
    static const char *const USAGE_KEYS[] = {"credits", "audio_ms", "languages", NULL};
    row_t *row = into;
    text_t *texts = row->texts;
    bool is_null = *line->at == 'n';
    switch (key) {
        case KEY_ID: return string(line, &texts[ID]) && is_id(line, texts[ID]);
        case KEY_WORKSPACE_ID: return uuid(line, &texts[WORKSPACE_ID]);
        case KEY_TIMESTAMP: return instant(line, &row->timestamp);
        case KEY_ACTION: return string(line, &texts[ACTION]) && place_of(line, texts[ACTION], ACTIONS) >= 0;
        case KEY_KIND: return string(line, &texts[KIND]);
        case KEY_RESOURCE: return object(line, RESOURCE_KEYS, 1, resource, row);
        case KEY_RECORDED_AT: return is_null ? literal(line, "null") : instant(line, &row->recorded_at);
        case KEY_USER: return is_null ? literal(line, "null") : object(line, USER_KEYS, 3, user, row);
        case KEY_METADATA: return metadata(line, &texts[METADATA]);
        case KEY_IP: return string_or_null(line, &texts[IP]);
        case KEY_RUN: return is_null ? literal(line, "null") : object(line, RUN_KEYS, 3, run, row);
        default: return is_null ? literal(line, "null") : object(line, USAGE_KEYS, 0, usage, row);
    }
}

/* Whether a line is surely good; its row is then the last one. */
static bool approve_line(approval_t *approval, const uint8_t *start, const uint8_t *stop) {
    if (stop - start > LINE_BYTES_MAX || approval->scratch_stop - approval->scratch < stop - start ||
        approval->row_count == approval->row_capacity) return false;
    row_t *row = approval->rows + approval->row_count;
    line_t line = {approval, start, approval->buffer + approval->scratch};
    memset(row, 0, sizeof *row);
    for (int text = 0; text < TEXTS; text++) row->texts[text].size = -1;
    row->recorded_at = NEVER;
    row->source = approval->source;
    space(&line);
    if (!object(&line, RECORD_KEYS, RECORD_REQUIRED, record, row)) return false;
    space(&line);
    if (line.at != stop || row->timestamp < approval->earliest || row->timestamp > approval->latest) return false;
    if (row->texts[RUN_ID].size < 0 && place_of(&line, row->texts[ACTION], ACTIONS) == 0) return false; /* a run */
    if (row->recorded_at == NEVER) row->recorded_at = row->timestamp;
    approval->scratch = line.scratch - approval->buffer;
    approval->language_count += row->languages;
    approval->row_count++;
    return true;
}

/* ---- What `pipeline.validation.bulk` calls ---- */

/* Bytes of a row, a language, another line and the approval, which both sides must agree on. */
const int64_t sizes[] = {sizeof(row_t), sizeof(language_t), sizeof(other_t), sizeof(approval_t)};

/* Approve the lines of a block, each of which ends with a newline; return how many are handed back. */
int64_t approve(approval_t *approval, int64_t start, int64_t stop, other_t *others) {
    const uint8_t *at = approval->buffer + start, *end = approval->buffer + stop;
    int64_t number = 0, handed_back = 0;
    for (; at < end; number++) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        if (!approve_line(approval, at, newline)) {
            others[handed_back++] =
                (other_t){number, at - approval->buffer - start, newline - approval->buffer - start};
        }
        at = newline + 1;
    }
    approval->line_count = number;
    return handed_back;
}

/* Write texts one behind the other, every `stride` bytes one, in an order. */
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
