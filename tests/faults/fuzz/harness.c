/* Feeds an input, which is a block of lines, to `approve` of bulk.c, and aborts when something does not hold:
 *
 * - No byte is touched but those of the block, the AHEAD_BYTES behind it, a scratch area of the block's size, and as
 *   many rows, languages and handed-back lines as the caller reserves (address sanitizer; the gap is poisoned).
 * - Every line is either approved or handed back, with its number and its place.
 * - The result of a line depends neither on its neighbours nor on the bytes behind the block or in the scratch area:
 *   each line is validated again alone, with other bytes there.
 * - A row is well formed: see `check_row`.
 *
 * Whether an approved line is good, and has that row, is compared by `differential.py`. It reads a sample of the
 * approved lines from the file that FUZZ_SAMPLE names, one of FUZZ_EVERY. FUZZ_COUNTS names a file for the counts.
 *
 * Compiled with the folder of bulk.c on the include path. ACTIONS, STATUSES, EARLIEST and LATEST come from Python.
 */

#include "bulk.c"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>

/* Only bulk.c guides the fuzzer. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

void remember(const uint8_t *line, size_t size); /* mutator.c */

static const char *const actions[] = {ACTIONS, NULL}, *const statuses[] = {STATUSES, NULL};

#define REQUIRE(condition)                                                                                            \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                                   \
            abort();                                                                                                  \
        }                                                                                                             \
    } while (0)

/* ---- One call of `approve` ---- */

typedef struct {
    state_t state;
    size_t scratch, memory; /* where the scratch area starts, and the buffer stops */
    handed_back_t *handed_back;
    int64_t count; /* of lines that are handed back */
} result_t;

static size_t aligned(size_t size) { return (size + 15) & ~(size_t)7; } /* at least eight bytes more */

/* Validate a block in memory that is as large as `NativeValidator` reserves, and not a byte larger. What is behind the
 * block might continue a string, a number or white space, or end it; `turn` tells the calls for an input apart. */
static result_t validate(const uint8_t *block, size_t size, size_t lines, size_t turn) {
    static const uint8_t FILLERS[] = "a0 \"}\n\\\xF0"; /* and zero */
    uint8_t filler = FILLERS[(size + turn) % sizeof FILLERS];
    size_t scratch = aligned(size + AHEAD_BYTES), memory = scratch + size;
    int64_t rows = (int64_t)size / 128 + 1, languages = (int64_t)size / 16 + LANGUAGES_MAX;
    result_t result = {.scratch = scratch, .memory = memory, .handed_back = malloc(lines * sizeof(handed_back_t))};
    uint8_t *buffer = malloc(memory);
    memcpy(buffer, block, size);
    memset(buffer + size, filler, memory - size);
    ASAN_POISON_MEMORY_REGION(buffer + size + AHEAD_BYTES, scratch - size - AHEAD_BYTES);
    result.state = (state_t){
        .buffer = buffer,
        .scratch = (int64_t)scratch,
        .scratch_stop = (int64_t)memory,
        .rows = malloc((size_t)rows * sizeof(row_t)),
        .row_capacity = rows,
        .languages = malloc((size_t)languages * sizeof(language_t)),
        .language_capacity = languages,
        .earliest = EARLIEST,
        .latest = LATEST,
        .actions = actions,
        .statuses = statuses,
        .source = filler,
    };
    result.count = approve(&result.state, 0, (int64_t)size, result.handed_back);
    REQUIRE(!memcmp(buffer, block, size));
    REQUIRE(result.state.line_count == (int64_t)lines);
    REQUIRE(result.state.row_count + result.count == (int64_t)lines);
    REQUIRE(result.state.scratch <= result.state.scratch_stop);
    return result;
}

static void discard(result_t *result) {
    ASAN_UNPOISON_MEMORY_REGION(result->state.buffer, result->memory);
    free(result->state.buffer);
    free(result->state.rows);
    free(result->state.languages);
    free(result->handed_back);
}

/* ---- What holds for every row ---- */

static const size_t TEXTS[] = {
    offsetof(row_t, workspace_id), offsetof(row_t, id), offsetof(row_t, action), offsetof(row_t, kind),
    offsetof(row_t, resource_type), offsetof(row_t, resource_id), offsetof(row_t, resource_name),
    offsetof(row_t, user_id), offsetof(row_t, user_name), offsetof(row_t, metadata), offsetof(row_t, ip),
    offsetof(row_t, run_id), offsetof(row_t, run_status),
};
enum { TEXT_COUNT = sizeof TEXTS / sizeof *TEXTS, REQUIRED_TEXTS = 5 };

static text_t text_of(const row_t *row, size_t number) {
    text_t text;
    memcpy(&text, (const uint8_t *)row + TEXTS[number], sizeof text);
    return text;
}

/* Return whether a text is well-formed UTF-8, by another algorithm than that of bulk.c: decode, then compare sizes. */
static bool is_utf8(const uint8_t *at, const uint8_t *stop) {
    while (at < stop) {
        int more = *at < 0x80 ? 0 : *at >> 5 == 6 ? 1 : *at >> 4 == 14 ? 2 : *at >> 3 == 30 ? 3 : -1;
        if (more < 0 || stop - at <= more) return false;
        uint32_t point = more ? *at & (0x3Fu >> more) : *at;
        for (int next = 1; next <= more; next++) {
            if (at[next] >> 6 != 2) return false;
            point = point << 6 | (at[next] & 0x3F);
        }
        int needed = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
        if (needed != more || point > 0x10FFFF || point >> 11 == 27) return false;
        at += more + 1;
    }
    return true;
}


/* A text lies in its line or in the used part of the scratch area. */
static void check_text(const result_t *result, text_t text, int64_t line, int64_t newline) {
    const state_t *state = &result->state;
    int64_t start = text.start, stop = start + text.size;
    REQUIRE(text.size >= -1);
    if (text.size < 0) return;
    REQUIRE((start >= line && stop <= newline) || (start >= (int64_t)result->scratch && stop <= state->scratch));
    REQUIRE(is_utf8(state->buffer + start, state->buffer + stop));
}

static void check_row(const result_t *result, const row_t *row, int64_t line, int64_t newline) {
    const state_t *state = &result->state;
    const int64_t most = LANGUAGES_MAX * COUNT_MAX;
    for (size_t number = 0; number < TEXT_COUNT; number++) {
        text_t text = text_of(row, number);
        check_text(result, text, line, newline);
        REQUIRE(number >= REQUIRED_TEXTS || text.size >= 0);
    }
    REQUIRE(row->workspace_id.size == 36 && (row->user_id.size == 36 || row->user_id.size == -1));
    REQUIRE(row->id.size >= 1 && row->id.size <= 4 * ID_CHARACTERS_MAX);
    REQUIRE((row->user_id.size < 0) == (row->user_name.size < 0));
    REQUIRE((row->run_id.size < 0) == (row->run_status.size < 0));
    REQUIRE(row->timestamp >= EARLIEST && row->timestamp <= LATEST && row->recorded_at != INT64_MIN);
    REQUIRE(row->credits >= 0 && row->credits <= COUNT_MAX && row->audio_ms >= 0 && row->audio_ms <= COUNT_MAX);
    REQUIRE(row->source == state->source && row->languages >= 0 && row->languages <= LANGUAGES_MAX);
    for (int32_t number = 0; number < row->languages; number++) {
        const language_t *language = state->languages + row->first_language + number;
        REQUIRE(row->first_language + row->languages <= state->language_count);
        check_text(result, language->locale, line, newline);
        REQUIRE(language->locale.size != 0 && (language->locale.size > 0 || number == row->languages - 1));
        REQUIRE(language->characters >= 0 && language->characters <= most);
        REQUIRE(language->lines >= 0 && language->lines <= most);
        REQUIRE(language->corrected >= 0 && language->corrected <= most);
    }
}

static bool same_text(const result_t *one, text_t text, const result_t *other, text_t again) {
    const uint8_t *content = one->state.buffer + text.start, *twin = other->state.buffer + again.start;
    return text.size == again.size && (text.size <= 0 || !memcmp(content, twin, (size_t)text.size));
}

static bool same_row(const result_t *one, const row_t *row, const result_t *other, const row_t *again) {
    bool same = row->timestamp == again->timestamp && row->recorded_at == again->recorded_at &&
                row->credits == again->credits && row->audio_ms == again->audio_ms &&
                row->languages == again->languages;
    for (size_t number = 0; number < TEXT_COUNT; number++) {
        same = same && same_text(one, text_of(row, number), other, text_of(again, number));
    }
    for (int32_t number = 0; same && number < row->languages; number++) {
        const language_t *language = one->state.languages + row->first_language + number;
        const language_t *twin = other->state.languages + again->first_language + number;
        same = same_text(one, language->locale, other, twin->locale) && language->characters == twin->characters &&
               language->lines == twin->lines && language->corrected == twin->corrected;
    }
    return same;
}

/* Gather each column of texts, last row first, into memory of its size. */
static void check_gather(const result_t *result) {
    const state_t *state = &result->state;
    int64_t *order = malloc((size_t)state->row_count * sizeof *order);
    for (int64_t place = 0; place < state->row_count; place++) order[place] = state->row_count - 1 - place;
    for (size_t number = 0; number < TEXT_COUNT; number++) {
        size_t size = 0;
        for (int64_t row = 0; row < state->row_count; row++) {
            text_t text = text_of(state->rows + row, number);
            size += text.size > 0 ? (size_t)text.size : 0;
        }
        uint8_t *gathered = malloc(size), *at = gathered;
        const uint8_t *texts = (const uint8_t *)state->rows + TEXTS[number];
        gather(state->buffer, texts, sizeof(row_t), order, state->row_count, gathered);
        for (int64_t row = state->row_count - 1; row >= 0; row--) {
            text_t text = text_of(state->rows + row, number);
            if (text.size <= 0) continue;
            REQUIRE(!memcmp(at, state->buffer + text.start, (size_t)text.size));
            at += text.size;
        }
        free(gathered);
    }
    free(order);
}

/* ---- Counts, and the sample ---- */

static struct {
    long long inputs, lines, approved;
} counts;
static FILE *sample;
static long long every = 1;

static void write_counts(void) {
    const char *path = getenv("FUZZ_COUNTS");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%lld %lld %lld\n", counts.inputs, counts.lines, counts.approved);
        fclose(file);
    }
    if (sample) fclose(sample);
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    const char *path = getenv("FUZZ_SAMPLE"), *step = getenv("FUZZ_EVERY");
    if (path) sample = fopen(path, "w");
    if (step) every = atoll(step);
    return atexit(write_counts);
}

static void count_line(bool approved, const uint8_t *line, size_t size) {
    counts.lines++;
    counts.approved += approved;
    if (approved) remember(line, size);
    if (approved && sample && counts.approved % every == 0) {
        fwrite(line, 1, size, sample);
        fputc('\n', sample);
    }
}

/* ---- One input ---- */

/* Validate a line alone, and compare with its result in the block: a row, or null where it was handed back. */
static void check_alone(const result_t *result, const row_t *row, const uint8_t *line, size_t size) {
    const state_t *state = &result->state;
    result_t alone = validate(line, size + 1, 1, 1);
    if (row) {
        REQUIRE(alone.count == 0 && same_row(result, row, &alone, alone.state.rows));
    } else if (state->row_count < state->row_capacity &&
               state->language_count + LANGUAGES_MAX <= state->language_capacity) { /* else there was no room */
        REQUIRE(alone.count == 1);
    }
    discard(&alone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t block_size = size + (!size || data[size - 1] != '\n'), lines = 0;
    uint8_t *block = malloc(block_size);
    if (size) memcpy(block, data, size);
    block[block_size - 1] = '\n';
    for (size_t place = 0; place < block_size; place++) lines += block[place] == '\n';
    result_t result = validate(block, block_size, lines, 0);
    const handed_back_t *handed_back = result.handed_back, *last = handed_back + result.count;
    const row_t *row = result.state.rows;
    const uint8_t *line = block;
    for (int64_t number = 0; number < (int64_t)lines; number++) {
        const uint8_t *newline = memchr(line, '\n', (size_t)(block + block_size - line));
        bool approved = handed_back == last || handed_back->number != number;
        if (approved) {
            check_row(&result, row, line - block, newline - block);
        } else {
            REQUIRE(handed_back->start == line - block && handed_back->stop == newline - block);
            handed_back++;
        }
        check_alone(&result, approved ? row : NULL, line, (size_t)(newline - line));
        count_line(approved, line, (size_t)(newline - line));
        row += approved;
        line = newline + 1;
    }
    REQUIRE(row == result.state.rows + result.state.row_count);
    check_gather(&result);
    counts.inputs++;
    discard(&result);
    free(block);
    return 0;
}

#pragma clang attribute pop
