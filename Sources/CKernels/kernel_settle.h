/* What records say of their users; included by kernel_body.h for each instruction set.
 *
 * Users' rows of lists, the lists, and the places in them lie anywhere in memory, so that they are asked for ahead, each once what
 * names it has come; a group of records at a time, for a processor that stands at an address that is not translated yet goes on
 * translating those that follow closely.
 */

/* Records ahead at which rows, lists and places are asked for, and how many together. */
enum { FK_NAME(rows_ahead) = 48, FK_NAME(lists_ahead) = 24, FK_NAME(places_ahead) = 8, FK_NAME(group) = 8 };

/* A user's two words. */
FK_INLINE uintptr_t *FK_NAME(lists_of)(const fk_lists *lists, const uint32_t user) {
    const uint32_t row = (user >> fk_shard_bits) & ((1u << fk_slab_bits) - 1);
    return (uintptr_t *)(lists->directory[user >> (fk_shard_bits + fk_slab_bits)] +
                         (uint64_t)(user & ((1u << fk_shard_bits) - 1)) * lists->slab_bytes) +
           2 * (size_t)row;
}

/* Calls for a group of records, so far ahead of one, what is to be called with the user of each. */
#define FK_AHEAD(distance, ...)                                                                      \
    for (size_t i = index + (distance); i < visible && i < index + (distance) + FK_NAME(group); ++i) { \
        const fk_record *const record = source->records + ((first + i) & source->mask);               \
        /* Only an interaction is sure to name a user. */                                             \
        if (!FK_NAME(names_user)(record)) continue;                                                   \
        const uintptr_t *const row = FK_NAME(lists_of)(lists, record->user);                          \
        __VA_ARGS__                                                                                   \
    }

FK_INLINE int FK_NAME(names_user)(const fk_record *record) {
    return ((record->nature >> fk_kind_shift) & fk_kind_mask) == fk_kind_interaction;
}

FK_INLINE void FK_NAME(ask_ahead)(const fk_source *source, const fk_lists *lists, const size_t first, const size_t index,
                                  const size_t visible) {
    static const uint32_t none[8] __attribute__((aligned(32))) = {6};
    FK_AHEAD(FK_NAME(rows_ahead), fk_bring(row);)
    /* Which users have lists cannot be foretold, and a branch guessed wrong would wait for the row: then that is asked for again. */
    FK_AHEAD(FK_NAME(lists_ahead), {
        const uintptr_t history = row[0], seen = row[1] & ~(uintptr_t)1;
        /* Where there is a set, only the place of the next item is wanted; a history that is searched is two lines at most. */
        const uint32_t *const items = fk_list_items(history), next = fk_list_written(history) & (fk_list_room(history) - 1);
        fk_bring(history ? (const void *)(items + (seen ? next : 0)) : row);
        fk_bring(seen ? (const void *)seen : row);
    })
    FK_AHEAD(FK_NAME(places_ahead), {
        const uintptr_t seen = row[1] & ~(uintptr_t)1;
        const uint32_t *const set = seen ? (const uint32_t *)seen : none;
        const uintptr_t history = row[0] ? row[0] : (uintptr_t)none;
        fk_prefetch(fk_list_items(history) + (fk_list_written(history) & (fk_list_room(history) - 1)));
        fk_prefetch(set + 2 + fk_set_home(record->item, set[0]));
    })
}
#undef FK_AHEAD

/* Leaves out the negatives of an event that its user has seen. */
FK_INLINE void FK_NAME(leave_out_seen)(fk_batch *batch, const uintptr_t history, const uintptr_t seen, fk_settling *at) {
    const size_t event = at->event, items = batch->counts[event], read = at->read;
    const uint32_t *const drawn = batch->ordinals + read;
    /* As a rule they are all new to the user, and lie where they belong. */
    if (read == at->write && seen <= 1 && (!history || !fk_list_holds_any(history, drawn + 1, items - 1))) {
        at->read = at->write = read + items;
        return;
    }
    size_t write = at->write;
    for (size_t i = 0; i < items; ++i) {
        const uint32_t ordinal = drawn[i];
        batch->ordinals[write] = ordinal;
        batch->labels[write] = batch->labels[read + i];
        batch->weights[write] = batch->weights[read + i];
        /* No branch: which ones stay cannot be foretold. */
        write += i == 0 || !fk_has_seen(history, seen, ordinal);
    }
    batch->counts[event] = (uint32_t)(write - at->write);
    at->read = read + items;
    at->write = write;
}

/* Takes an item up in a user's lists; answers whether there was room. Readers see a set's slot, or a list's word, last; and whoever
 * sees an item in an older one's place sees the word from before it, too. */
FK_INLINE int FK_NAME(take_up)(const fk_lists *lists, uintptr_t *row, const uint32_t item) {
    const uintptr_t history = row[0];
    uint32_t *const set = (uint32_t *)(row[1] & ~(uintptr_t)1);
    if (set) {
        if (!fk_set_holds(set, item)) {
            const uint32_t slots = set[0], count = set[1];
            if (count >= slots / 4 * 3 + slots % 4 || count >= lists->seen_limit) return 0;
            uint32_t slot = fk_set_home(item, slots);
            while (set[2 + slot]) slot = slot + 1 == slots ? 0 : slot + 1;
            __atomic_store_n(set + 2 + slot, item + 1, __ATOMIC_RELAXED);
            __atomic_store_n(set + 1, count + 1, __ATOMIC_RELEASE);
        }
        if (!lists->holds_history) return 1;
    } else if (!lists->holds_history) {
        return lists->seen_limit == 0;
    }
    if (!history) return 0;
    const uint32_t room = fk_list_room(history), written = fk_list_written(history);
    /* While it says what was seen, a history must not lose an item without notice. */
    const int loses = room == lists->ring && (set || lists->seen_limit == 0);
    if (written >= room && !loses) return 0;
    __atomic_store_n((uint32_t *)fk_list_items(history) + (written & (room - 1)), item, __ATOMIC_RELEASE);
    __atomic_store_n(row, fk_list_next(history), __ATOMIC_RELEASE);
    return 1;
}

static void FK_NAME(settle)(fk_batch *batch, const fk_source *source, const fk_lists *lists, int verifies, fk_settling *at, size_t first,
                            size_t count, size_t visible) {
    fk_batch local = *batch;
    fk_settling place = *at;
    const int leaves_out = verifies && lists->seen_limit > 0;
    for (size_t index = place.record; index < count; ++index) {
        /* By the record's number and not by the call's: groups do not begin anew with each call. */
        if (((first + index) & (FK_NAME(group) - 1)) == 0) FK_NAME(ask_ahead)(source, lists, first, index, visible);
        const fk_record *const record = source->records + ((first + index) & source->mask);
        const fk_rule *const rule = source->rules + (record->nature & fk_type_mask);
        uintptr_t *const row = FK_NAME(lists_of)(lists, record->user);
        if (rule->weight * record->weight > 0) {
            if (leaves_out) FK_NAME(leave_out_seen)(&local, row[0], row[1], &place);
            ++place.event;
        }
        if (rule->marks_seen && !FK_NAME(take_up)(lists, row, record->item)) {
            place.record = index;
            *at = place;
            return;
        }
    }
    place.record = count;
    *at = place;
}
