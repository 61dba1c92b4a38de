/*
 * Borrowing rings (loan.h).  In the host, inside malloc.
 *
 * A process that has become another user, sees other directories or has no
 * descriptors left needs none of these: what is lent lies in the control file,
 * which it has mapped since it began, and pages that are shared can be mapped
 * once more from where they are mapped.
 */
#include "loan.h"

#include <sys/mman.h>

#include "session.h"
#include "sys.h"

#define PATIENCE_MS 2000u
#define WAIT_MS 50u

static struct mt_loan *ask(struct mt_control *control, uint64_t asked)
{
    for (uint32_t i = 0; i < MT_LOANS; i++) {
        struct mt_loan *loan = &control->loans[i];
        uint64_t word = atomic_load(&loan->word);
        if (mt_loan_state(word) == MT_LOAN_FREE &&
            atomic_compare_exchange_strong(&loan->word, &word, asked)) {
            atomic_fetch_add(&control->loans_asked, 1);
            return loan;
        }
    }
    return NULL;
}

static bool may_be_answered(const struct mt_control *control, uint64_t until)
{
    return sys_clock_ms() < until && atomic_load(&control->state) == MT_STATE_RUNNING &&
           session_collector_lives();
}

/* Whether it is lent now; else nobody has it. */
static bool await(struct mt_loan *loan, uint64_t asked)
{
    uint64_t word = asked, until = sys_clock_ms() + PATIENCE_MS;
    while (atomic_load(&loan->word) == asked && may_be_answered(session.control, until)) {
        sys_wait((_Atomic uint32_t *)&loan->word, (uint32_t)asked, WAIT_MS);
    }
    if (atomic_compare_exchange_strong(&loan->word, &word, 0)) {
        return false; /* not answered, and not any more */
    }
    if (mt_loan_state(word) == MT_LOAN_LENT) {
        return true;
    }
    atomic_store(&loan->word, 0);
    return false;
}

static struct mt_ring *map_twice(uint8_t *there, uint64_t bytes)
{
    uint8_t *start = sys_reserve(MT_RING_HEADER + 2 * bytes);
    if (!start) {
        return NULL;
    }
    if (!sys_map_again(start, there, MT_RING_HEADER + bytes) ||
        !sys_map_again(start + MT_RING_HEADER + bytes, there + MT_RING_HEADER, bytes) ||
        !sys_protect(start, MT_RING_HEADER + 2 * bytes, PROT_READ | PROT_WRITE)) {
        sys_unmap(start, MT_RING_HEADER + 2 * bytes);
        return NULL;
    }
    return (struct mt_ring *)start;
}

struct mt_ring *loan_take(uint32_t number, uint64_t *bytes)
{
    struct mt_control *control = session.control;
    uint64_t asked = mt_loan_word(MT_LOAN_ASKED, session.pid, number);
    struct mt_loan *loan = session.has_loans ? ask(control, asked) : NULL;
    if (!loan || !await(loan, asked)) {
        return NULL;
    }
    *bytes = loan->bytes;
    return map_twice((uint8_t *)control + mt_loan_at((uint32_t)(loan - control->loans)), *bytes);
}
